//! Connections: accepting, closing without an answer, stopping.
//!
//! hyper is driven by hand because axum's own loop cannot close a connection instead of
//! answering, which the `drop` faults ask for.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tower_service::Service;

use crate::routes::{self, Abort, App};

/// Connections at the same time; more wait in the system's queue.
const CONNECTIONS: usize = 1_024;
/// A connection without a request is closed after this.
const IDLE: Duration = Duration::from_secs(300);
/// Requests that are being answered have this long when the inlet stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// The answer is to close the connection.
#[derive(Debug)]
struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed without an answer, as a fault asked for")
    }
}

impl std::error::Error for Aborted {}

/// Serves until SIGINT or SIGTERM; then lets running requests finish.
pub async fn serve(listener: TcpListener, app: App, stopping: watch::Sender<bool>) -> Result<(), String> {
    let no_signals = |error| format!("cannot listen for signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let router = routes::router(Arc::new(app));
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let accepting = async || {
        // The semaphore is never closed.
        let place = Arc::clone(&room).acquire_owned().await.ok();
        (listener.accept().await, place)
    };
    loop {
        tokio::select! {
            (accepted, place) = accepting() => match accepted {
                Ok((connection, _)) => {
                    let answering = answer(connection, router.clone(), stopping.subscribe());
                    tokio::spawn(async move {
                        answering.await;
                        drop(place);
                    });
                }
                // Out of file descriptors, most likely: connections that end bring some back.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    drop(listener);
    stopping.send_replace(true);
    let everyone = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    // Whoever is still there after that is cut off; what was acknowledged is on disk.
    let _ = tokio::time::timeout(FAREWELL, room.acquire_many(everyone)).await;
    Ok(())
}

async fn answer(connection: TcpStream, router: Router, mut stop: watch::Receiver<bool>) {
    // Small answers must not wait for more; a socket that refuses still works.
    let _ = connection.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        async move {
            let answered: Response<Body> = match router.call(request.map(Body::new)).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            match answered.extensions().get::<Abort>() {
                Some(Abort) => Err(Aborted),
                None => Ok(answered),
            }
        }
    });
    let mut serving = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .serve_connection(TokioIo::new(connection), service)
    );
    tokio::select! {
        // A client that breaks off, or an abort: nothing to do, nobody to tell.
        _ = serving.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    serving.as_mut().graceful_shutdown();
    let _ = serving.await;
}
