//! The routes for whoever looks in: what arrived, profiles, datasets, faults, the inspector.
//!
//! They answer their own origin alone: no CORS header, the Host must be a loopback name with the
//! inlet's port (else a page could reach them under a name of its own that resolves to loopback),
//! and a request that names another origin is refused.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, patch, post};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::faults::Faults;
use crate::files;
use crate::read::{self, Listing};
use crate::routes::App;
use crate::store::{NotStored, Progress, ReadError, Store};

/// Most rows of a page.
const MAX_ROWS: usize = 1_000;
/// Rows of a page when none are asked for.
const ROWS: usize = 100;
/// Rows that a stream reads at a time.
const STREAM_ROWS: usize = 100;
/// Missed rows that a stream still sends.
const MAX_MISSED: i64 = 1_000;
/// A stream without news says so, for proxies and for noticing that a client has gone.
const STREAM_SILENCE: Duration = Duration::from_secs(15);

/// The routes, guarded.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/inspect/counts", get(counts))
        .route("/inspect/good", get(good))
        .route("/inspect/bad", get(bad))
        .route("/inspect/stream", get(follow))
        .route("/inspect/reset", post(reset))
        .route("/inspect/faults", get(show_faults).put(set_faults))
        .route("/profiles", get(profiles))
        .route("/datasets", get(datasets))
        .route("/datasets/{id}", patch(enable))
        .route("/datasets/{id}/events", get(landed))
        .route("/", get(async || Redirect::temporary("/inspector/")))
        .route("/inspector", get(async || Redirect::temporary("/inspector/")))
        .route("/inspector/", get(inspector))
        .route("/inspector/{*path}", get(inspector))
        .fallback(async || problem(404, "there is no such route"))
        .method_not_allowed_fallback(async || problem(405, "see the Allow header"))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}

/// Lets through only what comes from the inlet's own pages, or from no page at all.
async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if let Err(reason) = admit(request.headers(), app.port) {
        return problem(403, reason);
    }
    let mut response = next.run(request).await;
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

fn admit(headers: &HeaderMap, port: u16) -> Result<(), &'static str> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text("host").unwrap_or_default().to_ascii_lowercase();
    let named = ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| {
        host.strip_prefix(name).is_some_and(|rest| {
            rest.strip_prefix(':').map_or(rest.is_empty() && port == 80, |given| given == port.to_string())
        })
    });
    if !named {
        return Err(
            "this route answers to the names 127.0.0.1, localhost and [::1] alone, with the inlet's port",
        );
    }
    if text("origin").is_some_and(|origin| !origin.eq_ignore_ascii_case(&format!("http://{host}"))) {
        return Err("this route answers the inlet's own pages alone");
    }
    // A page of another site can ask without an Origin header (an image, a script); going to a
    // link is welcome.
    let foreign = matches!(text("sec-fetch-site"), Some("cross-site" | "same-site"));
    if foreign && text("sec-fetch-mode") != Some("navigate") {
        return Err("this route answers the inlet's own pages alone");
    }
    Ok(())
}

/// An error answer in the shape of RFC 9457.
pub fn problem(status: u16, detail: &str) -> Response {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let title = code.canonical_reason().unwrap_or("Error");
    let body = json!({"type": "about:blank", "title": title, "status": status, "detail": detail});
    let kind = HeaderValue::from_static("application/problem+json");
    (code, [(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}

fn json_text(body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, body).into_response()
}

/// A failure that becomes its answer.
struct Failure(Response);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.0
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self(problem(503, &error.to_string()))
    }
}

impl From<NotStored> for Failure {
    fn from(_: NotStored) -> Self {
        Self(problem(503, "the change could not be written: see the inlet's error output"))
    }
}

type Answer = Result<Response, Failure>;

fn bad_request(detail: impl AsRef<str>) -> Failure {
    Failure(problem(400, detail.as_ref()))
}

async fn counts_text(store: &Arc<Store>) -> Result<String, ReadError> {
    let counts = store.read(|connection, _| read::counts(connection)).await?;
    Ok(json!(counts).to_string())
}

async fn counts(State(app): State<Arc<App>>) -> Answer {
    Ok(json_text(counts_text(&app.store).await?))
}

type Pairs = Query<Vec<(String, String)>>;

async fn good(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Answer {
    list(&app, true, pairs).await
}

async fn bad(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Answer {
    list(&app, false, pairs).await
}

async fn list(app: &App, good: bool, pairs: Vec<(String, String)>) -> Answer {
    let wanted = listing(good, pairs).map_err(bad_request)?;
    let read = app.store.read(move |connection, times| read::listing(connection, times, &wanted));
    Ok(json_text(read.await?))
}

fn listing(good: bool, pairs: Vec<(String, String)>) -> Result<Listing, String> {
    let mut listing = Listing { good, limit: ROWS, ..Listing::default() };
    for (name, value) in pairs {
        match name.as_str() {
            // An empty filter is a form field left empty.
            _ if value.is_empty() => {}
            "eventType" => listing.event_type = Some(value),
            "datasetId" => listing.dataset_id = Some(value),
            "id" => listing.id = Some(value),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_ROWS).contains(limit));
                listing.limit = limit.ok_or("'limit' must be a number from 1 to 1000")?;
            }
            "after" => {
                let after = value.parse().map_err(|_| "'after' must be the seq of a row")?;
                listing.after = Some(after);
            }
            _ => {
                return Err(format!(
                    "'{name}' must be left out: the parameters are eventType, datasetId, id, limit and after"
                ));
            }
        }
    }
    Ok(listing)
}

async fn reset(State(app): State<Arc<App>>) -> Answer {
    app.store.reset().await?;
    counts(State(app)).await
}

async fn show_faults(State(app): State<Arc<App>>) -> Response {
    let mut faults = app.faults.lock().unwrap_or_else(PoisonError::into_inner);
    json_text(json!(faults.active(app.uptime_ms())).to_string())
}

async fn set_faults(State(app): State<Arc<App>>, body: Bytes) -> Answer {
    let faults: Value = serde_json::from_slice(&body)
        .map_err(|error| bad_request(format!("'faults' must be JSON: {error}")))?;
    let faults = Faults::parse(&faults).map_err(|fault| bad_request(fault.to_string()))?;
    app.faults.lock().unwrap_or_else(PoisonError::into_inner).set(faults, app.uptime_ms());
    Ok(show_faults(State(app)).await)
}

async fn profiles(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Answer {
    let value = |name: &str| {
        let found = pairs.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    match (value("namespace"), value("id")) {
        (None, None) => {
            let listed = app.store.read(|connection, _| read::profiles(connection)).await?;
            Ok(json_text(listed.to_string()))
        }
        (Some(namespace), Some(id)) => {
            let found =
                app.store.read(move |connection, _| read::profile(connection, &namespace, &id)).await?;
            let nobody = || Failure(problem(404, "nobody has this identity"));
            Ok(json_text(found.ok_or_else(nobody)?))
        }
        _ => Err(bad_request("'namespace' and 'id' must be given together")),
    }
}

async fn datasets(State(app): State<Arc<App>>) -> Answer {
    let listed = app.store.read(|connection, _| read::datasets(connection)).await?;
    Ok(json_text(listed.to_string()))
}

/// `PATCH /datasets/{id}`: the catalog's JSON Patch of the two tags, answered as the catalog does.
async fn enable(State(app): State<Arc<App>>, Path(id): Path<String>, body: Bytes) -> Answer {
    let dataset = app.store.dataset(&id);
    let dataset = dataset.ok_or_else(|| Failure(problem(404, "there is no such dataset")))?;
    let (mut profile, mut identity) = (dataset.profile, dataset.identity);
    let patch: Value = serde_json::from_slice(&body)
        .map_err(|error| bad_request(format!("the patch must be JSON: {error}")))?;
    let operations = patch
        .as_array()
        .ok_or_else(|| bad_request("the patch must be an array of {op, path, value} (JSON Patch)"))?;
    for (index, operation) in operations.iter().enumerate() {
        let (flag, enabled) =
            tag_operation(operation).map_err(|reason| bad_request(format!("'[{index}]{reason}")))?;
        match flag {
            Tag::Profile => profile = enabled,
            Tag::Identity => identity = enabled,
        }
    }
    app.store.enable(&id, profile, identity).await?;
    Ok(json_text(json!([format!("@/dataSets/{id}")]).to_string()))
}

enum Tag {
    Profile,
    Identity,
}

fn tag_operation(operation: &Value) -> Result<(Tag, bool), &'static str> {
    let text = |name: &str| operation.get(name).and_then(Value::as_str);
    let tag = match text("path") {
        Some("/tags/unifiedProfile") => Tag::Profile,
        Some("/tags/unifiedIdentity") => Tag::Identity,
        _ => return Err(".path' must be \"/tags/unifiedProfile\" or \"/tags/unifiedIdentity\""),
    };
    match text("op") {
        Some("remove") => return Ok((tag, false)),
        Some("add" | "replace") => {}
        _ => return Err(".op' must be \"add\", \"replace\" or \"remove\""),
    }
    let values = operation.get("value").and_then(Value::as_array);
    let has = |wanted: &str| values.is_some_and(|values| values.iter().any(|value| value == wanted));
    match (has("enabled:true"), has("enabled:false")) {
        (true, false) => Ok((tag, true)),
        (false, true) => Ok((tag, false)),
        _ => Err(".value' must be [\"enabled:true\"] or [\"enabled:false\"]"),
    }
}

/// `GET /datasets/{id}/events`: every good entity, oldest first, one a line.
async fn landed(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    if app.store.dataset(&id).is_none() {
        return Err(Failure(problem(404, "there is no such dataset")));
    }
    let parts = stream::unfold((Arc::clone(&app.store), id, 0), async |(store, id, after)| {
        let dataset = id.clone();
        let part = store.read(move |connection, _| read::landed(connection, &dataset, after)).await;
        match part {
            Ok(None) => None,
            Ok(Some((last, lines))) => Some((Ok(lines), (store, id, last))),
            // The answer breaks off, which is how a reader learns that it is not whole.
            Err(error) => Some((Err(std::io::Error::other(error.to_string())), (store, id, i64::MAX))),
        }
    });
    let kind = HeaderValue::from_static("application/x-ndjson");
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(parts)).into_response())
}

/// `GET /inspect/stream`: rows are read back from the database as they are committed, so a slow
/// reader costs no memory and a late one misses nothing.
async fn follow(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let mut progress = app.store.progress();
    let now = *progress.borrow_and_update();
    let last_seen = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let follower = Follower {
        store: Arc::clone(&app.store),
        progress,
        stop: app.stop.clone(),
        last: last_seen.map_or(now.seq, |seen: i64| seen.clamp((now.seq - MAX_MISSED).max(0), now.seq)),
        // Not the current number: the counts are due at once.
        resets: None,
        frames: VecDeque::new(),
    };
    let frames = stream::unfold(follower, async |mut follower| {
        let frame = follower.next().await?;
        Some((Ok::<_, Infallible>(frame), follower))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Body::from_stream(frames)).into_response()
}

struct Follower {
    store: Arc<Store>,
    progress: watch::Receiver<Progress>,
    stop: watch::Receiver<bool>,
    /// The newest row that was sent.
    last: i64,
    /// The number of resets the client knows of.
    resets: Option<u64>,
    frames: VecDeque<String>,
}

impl Follower {
    /// The next frame; `None` ends the stream.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Some(frame);
            }
            let now = *self.progress.borrow_and_update();
            if self.resets != Some(now.resets) {
                self.resets = Some(now.resets);
                let counts = counts_text(&self.store).await.ok()?;
                return Some(format!("retry: 1000\nevent: counts\ndata: {counts}\n\n"));
            }
            if now.seq > self.last {
                let after = self.last;
                let rows = self
                    .store
                    .read(move |connection, times| read::newer(connection, times, after, STREAM_ROWS))
                    .await
                    .ok()?;
                // None where they have been emptied in between.
                self.last = rows.last().map_or(now.seq, |(seq, _)| *seq);
                self.frames.extend(
                    rows.iter().map(|(seq, row)| format!("id: {seq}\nevent: message\ndata: {row}\n\n")),
                );
                continue;
            }
            tokio::select! {
                changed = self.progress.changed() => changed.ok()?,
                _ = self.stop.changed() => return None,
                () = tokio::time::sleep(STREAM_SILENCE) => return Some(":\n\n".to_owned()),
            }
        }
    }
}

async fn inspector(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path().strip_prefix("/inspector/").unwrap_or_default();
    match &app.www {
        Some(folder) => files::serve(folder, path).await,
        None => files::no_inspector(),
    }
}
