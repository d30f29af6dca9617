//! A real inlet on a free port, and a small client for it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

pub const INLET: &str = "d0e1c2b3a4958677d0e1c2b3a4958677d0e1c2b3a4958677d0e1c2b3a4958677";
pub const ORG: &str = "0A1B2C3D4E5F60718293A4B5@AdobeOrg";
pub const EVENTS: &str = "65f1a2b3c4d5e6f708192a3b";
pub const RECORDS: &str = "65f1a2b3c4d5e6f708192a3c";
pub const EVENT_SCHEMA: &str = "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent";
pub const RECORD_SCHEMA: &str = "https://ns.adobe.com/xdmbeacon/schemas/profile-record";
pub const FORM: &str = "application/vnd.adobe.xed-full+json;version=1";

/// No single step of a test takes longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until the condition gives a value; fails when it never does.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A running inlet; killed when it goes out of scope.
pub struct Server {
    child: Child,
    pub address: String,
    folder: Option<TempDir>,
}

impl Server {
    /// On a data folder of its own.
    pub fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let mut server = Self::start_on(&folder.path().join("data"), arguments);
        server.folder = Some(folder);
        server
    }

    /// On a given data folder.
    pub fn start_on(data: &Path, arguments: &[&str]) -> Self {
        Self::launch(command(data, arguments))
    }

    /// By a command of one's own.
    pub fn launch(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim().strip_prefix("xdm-inlet listening on http://");
        let address = address.unwrap_or_else(|| panic!("the inlet said {first:?}")).to_owned();
        Self { child, address, folder: None }
    }

    /// SIGKILL, and what it wrote to a piped error output.
    pub fn kill_and_hear(&mut self) -> String {
        self.kill();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for it to stop by itself.
    pub fn end(&mut self) -> ExitStatus {
        wait_for("the inlet to stop", || self.child.try_wait().unwrap())
    }

    pub fn ask(&self, request: Request<'_>) -> Answer {
        request.to(&self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask(Request::new("GET", path))
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Request::new("POST", path).json(body))
    }

    /// Posts one message to the demo inlet.
    pub fn send(&self, message: &Value) -> Answer {
        self.post(&format!("/collection/{INLET}"), message)
    }

    pub fn faults(&self, faults: &Value) {
        let answer = self.ask(Request::new("PUT", "/inspect/faults").json(faults));
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    pub fn counts(&self) -> Value {
        self.get("/inspect/counts").json()
    }

    /// Rows of `/inspect/good` or `/inspect/bad`, newest first.
    pub fn rows(&self, path: &str) -> Vec<Value> {
        self.get(path).json()["rows"].as_array().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The inlet's command on a free port.
pub fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xdm-inlet"));
    command
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    command
}

/// A request in the making.
pub struct Request<'a> {
    method: &'a str,
    path: String,
    headers: Vec<(&'a str, String)>,
    body: Vec<u8>,
}

impl<'a> Request<'a> {
    pub fn new(method: &'a str, path: &str) -> Self {
        Self { method, path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub fn header(mut self, name: &'a str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string().into_bytes())
    }

    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    pub fn to(self, address: &str) -> Answer {
        let path = self.path.clone();
        self.try_to(address).unwrap_or_else(|error| panic!("no answer from {path}: {error}"))
    }

    /// An error where the connection ends without an answer.
    pub fn try_to(self, address: &str) -> Result<Answer, ureq::Error> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .build()
            .into();
        let mut request =
            ureq::http::Request::builder().method(self.method).uri(format!("http://{address}{}", self.path));
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let mut response = agent.run(request.body(self.body)?)?;
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        Ok(Answer {
            status: response.status().as_u16(),
            headers,
            text: response.body_mut().read_to_string()?,
        })
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// `report.message` after inlet and org.
    pub fn report(&self) -> String {
        let message = self.json()["report"]["message"].as_str().unwrap().to_owned();
        let (_, text) = message.split_once("@AdobeOrg] ").unwrap();
        text.to_owned()
    }
}

/// Sends bytes and returns all that comes back until the connection ends or stays silent.
pub fn raw(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The inlet may close before it has read everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

pub fn message(dataset: &str, schema: &str, entity: Value) -> Value {
    let schema_ref = json!({"id": schema, "contentType": FORM});
    json!({
        "header": {"schemaRef": schema_ref, "imsOrgId": ORG, "datasetId": dataset, "source": {"name": "test"}},
        "body": {"xdmMeta": {"schemaRef": schema_ref}, "xdmEntity": entity},
    })
}

/// A good page view.
pub fn event(id: &str) -> Value {
    message(EVENTS, EVENT_SCHEMA, entity(id))
}

pub fn entity(id: &str) -> Value {
    json!({
        "_id": id,
        "timestamp": "2026-01-15T10:20:30.000Z",
        "eventType": "web.webpagedetails.pageViews",
        "web": {"webPageDetails": {"name": "Home", "pageViews": {"value": 1}}},
    })
}

/// A good event of somebody.
pub fn event_of(id: &str, identities: Value) -> Value {
    let mut entity = entity(id);
    entity["identityMap"] = identities;
    message(EVENTS, EVENT_SCHEMA, entity)
}

/// A good record of somebody.
pub fn record(identities: Value, attributes: Value) -> Value {
    let mut entity = attributes;
    entity["identityMap"] = identities;
    message(RECORDS, RECORD_SCHEMA, entity)
}

pub fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}
