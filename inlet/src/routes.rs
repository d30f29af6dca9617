//! The collection routes: HTTP around a verdict and a commit.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::faults::{Cors, Drop, Switchboard, Weather};
use crate::inspect;
use crate::schemas::{Schema, Schemas};
use crate::store::{NewMessage, Store, now_ms};
use crate::verdict::{self, DatasetView, Inlet, Judged, Refusal, SchemaRef, SyncLimit, World, problem};

/// Largest request body: "1 MB".
const MAX_BODY: usize = 1_000_000;
/// A larger body is read on and thrown away up to here, since a client that is still sending
/// when the connection closes never sees the answer.
const MAX_DISCARDED: usize = 64_000_000;
/// Bodies held in memory at the same time, in bytes.
const BODIES: usize = 32 * MAX_BODY;
/// Time for a body to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
/// Bodies above this are judged where they do not hold up other requests.
const LONG_WORK: usize = 32_000;

/// What every route works with.
pub struct App {
    pub store: Arc<Store>,
    schemas: Schemas,
    inlets: HashMap<String, Arc<str>>,
    org: String,
    pub faults: Mutex<Switchboard>,
    sync: Mutex<SyncLimit>,
    bodies: Semaphore,
    start: Instant,
    /// Tells this run's transaction ids from those of another.
    run: i64,
    requests: AtomicU64,
    /// The port the inlet listens on.
    pub port: u16,
    /// The folder of the inspector's files.
    pub www: Option<PathBuf>,
    /// Turns true when the inlet stops.
    pub stop: watch::Receiver<bool>,
}

/// What an [`App`] is made of.
pub struct Parts {
    pub store: Store,
    pub schemas: Schemas,
    pub inlets: Vec<String>,
    pub org: String,
    pub port: u16,
    pub www: Option<PathBuf>,
    pub stop: watch::Receiver<bool>,
}

impl App {
    pub fn new(parts: Parts) -> Self {
        let inlets = parts.inlets.into_iter().map(|id| {
            let shared = Arc::from(id.as_str());
            (id, shared)
        });
        Self {
            store: Arc::new(parts.store),
            schemas: parts.schemas,
            inlets: inlets.collect(),
            org: parts.org,
            faults: Mutex::default(),
            sync: Mutex::default(),
            bodies: Semaphore::new(BODIES),
            start: Instant::now(),
            run: now_ms() % 10_000,
            requests: AtomicU64::new(0),
            port: parts.port,
            www: parts.www,
            stop: parts.stop,
        }
    }

    /// Milliseconds since the start, by a clock that nobody sets.
    pub fn uptime_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn weather(&self) -> Weather {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        Weather::of_collection(faults.active(self.uptime_ms()))
    }
}

impl World for App {
    fn schema(&self, id: &str) -> Option<Arc<Schema>> {
        self.schemas.get(id).cloned()
    }

    fn dataset(&self, id: &str, schema_ref: &SchemaRef) -> Option<DatasetView> {
        self.store.dataset_or_new(id, schema_ref)
    }
}

/// Stands in for an answer where the connection is to be closed without one.
#[derive(Clone, Copy, Debug)]
pub struct Abort;

/// Every route.
pub fn router(app: Arc<App>) -> Router {
    let collection = Router::new()
        .route("/collection/{id}", any(single))
        .route("/collection/batch/{id}", any(batch))
        .with_state(Arc::clone(&app));
    collection.merge(inspect::router(app))
}

async fn single(state: State<Arc<App>>, Path(id): Path<String>, request: Request) -> Response {
    collect(&state, &id, request, Form::Single).await
}

async fn batch(state: State<Arc<App>>, Path(id): Path<String>, request: Request) -> Response {
    collect(&state, &id, request, Form::Batch).await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Single,
    Batch,
}

/// One request to a collection route, whatever its method: every answer gets its CORS headers.
async fn collect(app: &App, id: &str, request: Request, form: Form) -> Response {
    let weather = app.weather();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = match *request.method() {
        Method::OPTIONS => preflight(weather.cors()),
        Method::POST => post(app, id, request, form, &weather).await,
        _ => {
            let mut response = refuse(app, id, &Refusal::Method);
            let allow = HeaderValue::from_static("POST, OPTIONS");
            response.headers_mut().insert(header::ALLOW, allow);
            response
        }
    };
    let headers = response.headers_mut();
    match (weather.cors(), origin) {
        (Cors::None, _) | (Cors::Credentials, None) => {}
        (Cors::Star, _) => {
            let star = HeaderValue::from_static("*");
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, star);
        }
        (Cors::Credentials, Some(origin)) => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            let yes = HeaderValue::from_static("true");
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
            headers.insert(header::VARY, HeaderValue::from_static("origin"));
        }
    }
    if weather.exposes_retry_after() && weather.cors() != Cors::None {
        let name = HeaderValue::from_static("retry-after");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, name);
    }
    response
}

fn preflight(cors: Cors) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if cors != Cors::None {
        let allow = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
            (header::ACCESS_CONTROL_MAX_AGE, "7200"),
        ];
        for (name, value) in allow {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

async fn post(app: &App, id: &str, request: Request, form: Form, weather: &Weather) -> Response {
    let fate = weather.fate();
    if let Some(delay) = fate.delay_ms {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    if fate.drop == Some(Drop::Before) {
        return abort();
    }
    if let Some(status) = fate.status {
        discard(request.into_body()).await;
        return faulty(app, id, status, weather);
    }
    let response = match process(app, id, request, form, weather).await {
        Ok((status, body)) => reply(status, &body),
        Err(refusal) => refuse(app, id, &refusal),
    };
    match fate.drop {
        Some(Drop::AfterCommit) => abort(),
        _ => response,
    }
}

/// Reads, judges, stores and answers. What is refused here has been stored if it could be read.
async fn process(
    app: &App,
    id: &str,
    request: Request,
    form: Form,
    weather: &Weather,
) -> Result<(u16, Value), Refusal> {
    let (parts, body) = request.into_parts();
    let inlet_id = match app.inlets.get(id) {
        Some(inlet_id) => Arc::clone(inlet_id),
        None => {
            discard(body).await;
            return Err(Refusal::UnknownInlet);
        }
    };
    if !is_plain_json(&parts.headers) {
        discard(body).await;
        return Err(Refusal::ContentType);
    }
    let (bytes, _room) = read(app, &parts.headers, body).await?;
    let long = bytes.len() > LONG_WORK;
    let sync = wants_sync(parts.uri.query());
    let visit = Visit::new(app, inlet_id, sync);
    let judge = || match form {
        Form::Single => visit.judge_single(bytes),
        Form::Batch => visit.judge_batch(bytes, weather),
    };
    let work = if long { tokio::task::block_in_place(judge) } else { judge() }?;
    if !work.messages.is_empty() {
        app.store.append(work.messages).await.map_err(|_| Refusal::NotStored)?;
    }
    work.answer
}

/// What is to be stored, and what is answered once it is.
struct Work {
    messages: Vec<NewMessage>,
    answer: Result<(u16, Value), Refusal>,
}

/// One request that came in whole.
struct Visit<'a> {
    app: &'a App,
    inlet_id: Arc<str>,
    sync: bool,
    received_at: i64,
    /// `xactionId` of a single message, `batchId` of a batch.
    transaction: String,
}

impl<'a> Visit<'a> {
    fn new(app: &'a App, inlet_id: Arc<str>, sync: bool) -> Self {
        let received_at = now_ms();
        let number = app.requests.fetch_add(1, Ordering::Relaxed);
        Self { app, inlet_id, sync, received_at, transaction: format!("{received_at}:{}:{number}", app.run) }
    }

    fn inlet(&self) -> Inlet<'_> {
        Inlet { id: &self.inlet_id, org: &self.app.org }
    }

    fn judge_single(&self, bytes: Vec<u8>) -> Result<Work, Refusal> {
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return Ok(self.unreadable(error.as_bytes())),
        };
        if self.sync {
            let mut limit = self.app.sync.lock().unwrap_or_else(PoisonError::into_inner);
            limit.take(&self.inlet_id, self.app.uptime_ms())?;
        }
        let judged = verdict::judge(&text, self.inlet(), self.app);
        let answer = match &judged.refusal {
            Some(refusal) => Err(refusal.clone()),
            None if self.sync && !judged.is_good() => {
                Ok((400, self.inlet().sync_problem(&judged.violations)))
            }
            None => Ok((200, self.received())),
        };
        let messages = vec![self.message(judged, text, self.transaction.clone())];
        Ok(Work { messages, answer })
    }

    fn judge_batch(&self, bytes: Vec<u8>, weather: &Weather) -> Result<Work, Refusal> {
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return Ok(self.unreadable(error.as_bytes())),
        };
        let parts = match verdict::split_batch(&text) {
            Ok(parts) if !self.sync => parts,
            Ok(_) => return Ok(self.refused(Refusal::SyncOnBatch, text)),
            Err(refusal) => return Ok(self.refused(refusal, text)),
        };
        let mut messages = Vec::with_capacity(parts.len());
        let mut responses = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let transaction = format!("{}:{index}", self.transaction);
            let failed = |status: u16, text: &str| {
                json!({
                    "statusCode": status,
                    "message": self.inlet().report(text),
                    "xactionId": transaction,
                })
            };
            if let Some(status) = weather.item_status() {
                responses.push(failed(status, "A fault is switched on at /inspect/faults"));
                continue;
            }
            let judged = verdict::judge(part.get(), self.inlet(), self.app);
            responses.push(match &judged.refusal {
                Some(refusal) => failed(refusal.status(), &refusal.text()),
                None => json!({"xactionId": transaction}),
            });
            messages.push(self.message(judged, part.get().to_owned(), transaction));
        }
        let answer = json!({
            "inletId": &*self.inlet_id,
            "batchId": self.transaction,
            "receivedTimeMs": self.received_at,
            "responses": responses,
        });
        Ok(Work { messages, answer: Ok((207, answer)) })
    }

    fn received(&self) -> Value {
        let sync = if self.sync { json!({"status": "pass"}) } else { json!({"skipped": true}) };
        json!({
            "inletId": &*self.inlet_id,
            "xactionId": self.transaction,
            "receivedTimeMs": self.received_at,
            "syncValidation": sync,
        })
    }

    fn unreadable(&self, bytes: &[u8]) -> Work {
        self.refused(Refusal::NotUtf8, String::from_utf8_lossy(bytes).into_owned())
    }

    fn refused(&self, refusal: Refusal, text: String) -> Work {
        let judged = Judged::refused(refusal.clone());
        Work { messages: vec![self.message(judged, text, self.transaction.clone())], answer: Err(refusal) }
    }

    fn message(&self, judged: Judged, text: String, xaction_id: String) -> NewMessage {
        NewMessage {
            good: judged.is_good(),
            received_at: self.received_at,
            inlet_id: Arc::clone(&self.inlet_id),
            dataset_id: judged.dataset_id,
            event_type: judged.event_type,
            entity_id: judged.entity_id,
            timestamp_ms: judged.timestamp_ms,
            xaction_id,
            violations: judged.violations,
            profile: judged.profile,
            dropped_for_size: judged.dropped_for_size,
            is_json: judged.is_json,
            text,
        }
    }
}

fn wants_sync(query: Option<&str>) -> bool {
    query
        .unwrap_or_default()
        .split('&')
        .any(|pair| matches!(pair, "syncValidation=true" | "synchronousValidation=true"))
}

fn is_plain_json(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let media = text(header::CONTENT_TYPE).and_then(|value| value.split(';').next());
    let encoding = text(header::CONTENT_ENCODING).unwrap_or("identity");
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
        && encoding.eq_ignore_ascii_case("identity")
}

/// Reads a body, never holding more than the limit, and with it the room it takes in memory.
async fn read<'a>(
    app: &'a App,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Vec<u8>, SemaphorePermit<'a>), Refusal> {
    let declared = headers.get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_BODY) {
        // Who asks before sending is told at once.
        if !headers.contains_key(header::EXPECT) {
            discard(body).await;
        }
        return Err(Refusal::TooLarge);
    }
    let room = u32::try_from(declared.unwrap_or(MAX_BODY)).unwrap_or(u32::MAX);
    let room = app.bodies.acquire_many(room).await.map_err(|_| Refusal::NotStored)?;
    let mut body = body;
    let mut bytes = Vec::with_capacity(declared.unwrap_or(0));
    let arrival = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refusal::TooSlow)?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > MAX_BODY {
                return Err(Refusal::TooLarge);
            }
            bytes.extend_from_slice(&data);
        }
        Ok(())
    };
    match tokio::time::timeout(BODY_TIME, arrival).await {
        Ok(Ok(())) => Ok((bytes, room)),
        Ok(Err(refusal)) => {
            drop((bytes, room));
            discard(body).await;
            Err(refusal)
        }
        Err(_) => Err(Refusal::TooSlow),
    }
}

/// Reads what is left of a body without keeping it.
async fn discard(mut body: Body) {
    let all = async {
        let mut left = MAX_DISCARDED;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, |data| data.len());
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // Whoever is too slow loses the answer with the connection.
    let _ = tokio::time::timeout(BODY_TIME, all).await;
}

fn abort() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Abort);
    response
}

fn reply(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, json)], body.to_string()).into_response()
}

fn refuse(app: &App, id: &str, refusal: &Refusal) -> Response {
    let inlet = Inlet { id, org: &app.org };
    let mut response = reply(refusal.status(), &inlet.problem(refusal));
    if let Some(seconds) = refusal.retry_after_s() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn faulty(app: &App, id: &str, status: u16, weather: &Weather) -> Response {
    let inlet = Inlet { id, org: &app.org };
    let report = json!({"message": inlet.report("A fault is switched on at /inspect/faults")});
    let mut response = reply(status, &problem(status, "Fault", report));
    let retry_after = weather.retry_after().map(|after| HeaderValue::try_from(after.to_string()));
    if let Some(Ok(retry_after)) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, retry_after);
    }
    response
}
