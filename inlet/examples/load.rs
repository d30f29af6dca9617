//! Load on an inlet of its own: distinct, valid web events of 1 KB, one a request, over keep-alive
//! connections that each wait for their answer.
//!
//! `cargo build --release -p xdm-inlet --bins --examples`, then
//! `target/release/examples/load [--seconds 60] [--connections 32] [--server PATH]`.
//! Without `--server` the inlet beside the examples folder is started, on a temporary data folder.
//! Prints one line of JSON; the exit code is 1 when an answer was not 2xx or an event was not good.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const INLET: &str = "d0e1c2b3a4958677d0e1c2b3a4958677d0e1c2b3a4958677d0e1c2b3a4958677";
const DATASET: &str = "65f1a2b3c4d5e6f708192a3b";
const SCHEMA: &str = "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent";
const CONTENT_TYPE: &str = "application/vnd.adobe.xed-full+json;version=1";
const ORG: &str = "0A1B2C3D4E5F60718293A4B5@AdobeOrg";
/// Size of an `xdmEntity`.
const ENTITY_BYTES: usize = 1_000;
/// Events of one visitor, so that profiles grow and are many.
const EVENTS_OF_A_VISITOR: u64 = 20;
/// No answer takes longer, or the run has failed.
const PATIENCE: Duration = Duration::from_secs(10);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

struct Settings {
    seconds: u64,
    connections: u64,
    server: PathBuf,
}

/// What one connection saw.
#[derive(Default)]
struct Seen {
    micros: Vec<u64>,
    not_2xx: u64,
}

fn main() -> ExitCode {
    match settings().and_then(|settings| run(&settings)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn settings() -> Outcome<Settings> {
    use lexopt::prelude::{Long, ValueExt};

    let examples = std::env::current_exe()?;
    let built = examples.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let mut settings = Settings { seconds: 60, connections: 32, server: built.join("xdm-inlet") };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("seconds") => settings.seconds = parser.value()?.parse()?,
            Long("connections") => settings.connections = parser.value()?.parse()?,
            Long("server") => settings.server = parser.value()?.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(settings)
}

fn run(settings: &Settings) -> Outcome<bool> {
    let data = std::env::temp_dir().join(format!("xdm-inlet-load-{}", std::process::id()));
    let mut server = Command::new(&settings.server)
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", settings.server.display()))?;
    let outcome = measure(settings, &mut server);
    let _ = server.kill();
    let _ = server.wait();
    let _ = std::fs::remove_dir_all(&data);
    outcome
}

fn measure(settings: &Settings, server: &mut Child) -> Outcome<bool> {
    let stdout = server.stdout.take().ok_or("the inlet has no output")?;
    let mut first = String::new();
    BufReader::new(stdout).read_line(&mut first)?;
    let (_, address) = first.trim().split_once("http://").ok_or("the inlet did not start")?;
    let start = Instant::now();
    let end = start + Duration::from_secs(settings.seconds);
    let clients: Vec<_> = (0..settings.connections)
        .map(|number| {
            let address = address.to_owned();
            thread::spawn(move || client(&address, number, end))
        })
        .collect();
    let mut all = Seen::default();
    for client in clients {
        let seen = client.join().map_err(|_| "a client ended early")??;
        all.micros.extend(seen.micros);
        all.not_2xx += seen.not_2xx;
    }
    let seconds = start.elapsed().as_secs_f64();
    all.micros.sort_unstable();
    let sent = all.micros.len();
    let percentile = |part: usize| {
        let micros = all.micros.get(sent * part / 100).copied().unwrap_or_default();
        (micros / 10) as f64 / 100.0
    };
    let counts = counts(address)?;
    let good = counts.get("good").and_then(Value::as_u64).unwrap_or_default();
    let summary = json!({
        "events": sent,
        "seconds": (seconds * 10.0).round() / 10.0,
        "eventsPerSecond": (sent as f64 / seconds).round(),
        "p50Ms": percentile(50),
        "p99Ms": percentile(99),
        "not2xx": all.not_2xx,
        "counts": counts,
        "peakMemoryMB": peak_memory_mb(server.id())?,
    });
    println!("{summary}");
    Ok(all.not_2xx == 0 && good == sent as u64)
}

fn client(address: &str, number: u64, end: Instant) -> Outcome<Seen> {
    let mut connection = Connection::open(address)?;
    let mut random = fastrand::Rng::with_seed(number);
    let mut seen = Seen::default();
    let mut events = 0;
    while Instant::now() < end {
        let visitor = number * 1_000_000 + events / EVENTS_OF_A_VISITOR;
        let message = message(&mut random, visitor);
        let sent = Instant::now();
        let (status, _) = connection.request("POST", &format!("/collection/{INLET}"), &message)?;
        seen.micros.push(u64::try_from(sent.elapsed().as_micros())?);
        if !(200..300).contains(&status) {
            seen.not_2xx += 1;
        }
        events += 1;
    }
    Ok(seen)
}

/// A page view with an id of its own.
fn message(random: &mut fastrand::Rng, visitor: u64) -> String {
    let id = format!("{:032x}", random.u128(..));
    let second = random.u32(0..60);
    let page = random.u32(0..500);
    let mut entity = json!({
        "_id": id,
        "timestamp": format!("2026-01-15T10:20:{second:02}.000Z"),
        "eventType": "web.webpagedetails.pageViews",
        "identityMap": {"ECID": [{"id": format!("{visitor:038}"), "primary": true, "authenticatedState": "ambiguous"}]},
        "web": {
            "webPageDetails": {
                "name": format!("Product {page}"),
                "URL": format!("https://shop.example/products/{page}?ref=home"),
                "siteSection": "products",
                "pageViews": {"value": 1},
            },
            "webReferrer": {"URL": "https://shop.example/", "type": "internal"},
        },
        "environment": {
            "type": "browser",
            "browserDetails": {
                "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36",
                "viewportWidth": 1280,
                "viewportHeight": 720,
            },
        },
        "device": {"screenWidth": 1920, "screenHeight": 1080, "screenOrientation": "landscape"},
    });
    let missing = ENTITY_BYTES.saturating_sub(entity.to_string().len());
    let padded = entity.pointer_mut("/web/webPageDetails/name");
    if let Some(Value::String(name)) = padded {
        name.push_str(&"x".repeat(missing));
    }
    let schema_ref = json!({"id": SCHEMA, "contentType": CONTENT_TYPE});
    let header =
        json!({"schemaRef": schema_ref, "imsOrgId": ORG, "datasetId": DATASET, "source": {"name": "load"}});
    json!({"header": header, "body": {"xdmMeta": {"schemaRef": schema_ref}, "xdmEntity": entity}}).to_string()
}

fn counts(address: &str) -> Outcome<Value> {
    let (_, body) = Connection::open(address)?.request("GET", "/inspect/counts", "")?;
    Ok(serde_json::from_slice(&body)?)
}

/// As little HTTP as a keep-alive client needs, so that the load costs the machine little.
struct Connection {
    address: String,
    stream: BufReader<TcpStream>,
}

impl Connection {
    fn open(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let address = address.to_owned();
        Ok(Self { address, stream: BufReader::new(stream) })
    }

    fn request(&mut self, method: &str, path: &str, body: &str) -> Outcome<(u16, Vec<u8>)> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len(),
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).ok_or("no answer")?.parse()?;
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            match line.trim().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse()?;
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        Ok((status, answer))
    }
}

/// The most memory the process ever had resident, as the kernel counts it.
fn peak_memory_mb(pid: u32) -> Outcome<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 =
        line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM in /proc")?.parse()?;
    Ok((kib / 102.4).round() / 10.0)
}
