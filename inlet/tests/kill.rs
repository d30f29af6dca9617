//! Killed at any moment, the inlet has every message that it acknowledged.
//!
//! Clients post distinct ids, single and in batches, without pause; the inlet gets SIGKILL, every
//! other time at a random moment and every other time the instant after an acknowledgement (when
//! one that came before its commit would be caught), and is started again on the same folder. After every kill what was acknowledged
//! since the one before, and at the end everything ever acknowledged, must be among what is stored.

mod common;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use common::{EVENTS, INLET, PATIENCE, Server, event_of};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How often; the variable `XDM_KILLS` says otherwise for a long run.
const KILLS: u64 = 200;
const CLIENTS: u64 = 8;
const SEED: u64 = 0x58_444d;
/// A round ends within so many milliseconds of its first acknowledgement.
const LONGEST_ROUND_MS: u64 = 150;

/// What the clients share.
#[derive(Default)]
struct Load {
    next_id: AtomicU64,
    acknowledged: Mutex<HashSet<String>>,
    /// There are more of them.
    more: Condvar,
}

impl Load {
    /// Returns the instant that one more message has been acknowledged.
    fn wait_for_one_more(&self) {
        let known = self.acknowledged.lock().unwrap();
        let before = known.len();
        let (_known, waited) =
            self.more.wait_timeout_while(known, PATIENCE, |known| known.len() == before).unwrap();
        assert!(!waited.timed_out(), "waited in vain for an acknowledgement");
    }

    /// Posts until the connection breaks. Only what was answered counts as acknowledged.
    fn run(&self, address: &str, client: u64) -> std::io::Result<()> {
        let mut stream = BufReader::new(TcpStream::connect(address)?);
        stream.get_ref().set_read_timeout(Some(PATIENCE))?;
        loop {
            // Half of the clients post batches.
            let size = if client.is_multiple_of(2) { 1 } else { 5 };
            let ids: Vec<String> =
                (0..size).map(|_| self.next_id.fetch_add(1, Ordering::Relaxed).to_string()).collect();
            let messages: Vec<Value> = ids
                .iter()
                .map(|id| event_of(id, json!({"ECID": [{"id": format!("{client}-{}", id.len())}]})))
                .collect();
            let (path, body) = match messages.as_slice() {
                [one] => (format!("/collection/{INLET}"), one.to_string()),
                several => (format!("/collection/batch/{INLET}"), json!({"messages": several}).to_string()),
            };
            write!(
                stream.get_mut(),
                "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len(),
            )?;
            let (status, answer) = read_answer(&mut stream)?;
            let responses = answer["responses"].as_array().map_or(1, Vec::len);
            assert!(matches!(status, 200 | 207) && responses == ids.len(), "{status} {answer}");
            self.acknowledged.lock().unwrap().extend(ids);
            self.more.notify_all();
        }
    }
}

fn read_answer(stream: &mut BufReader<TcpStream>) -> std::io::Result<(u16, Value)> {
    let broken = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    let mut length = 0;
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(broken());
        }
        match line.trim().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().map_err(|_| broken())?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((status, serde_json::from_slice(&body).map_err(|_| broken())?))
}

/// The ids of the good messages newer than `after`, and the newest `seq`.
fn stored(server: &Server, after: i64) -> (HashSet<String>, i64) {
    let (mut ids, mut newest, mut older_than) = (HashSet::new(), after, i64::MAX);
    loop {
        let page = server.get(&format!("/inspect/good?limit=1000&after={older_than}")).json();
        for row in page["rows"].as_array().unwrap() {
            let seq = row["seq"].as_i64().unwrap();
            if seq <= after {
                return (ids, newest);
            }
            newest = newest.max(seq);
            ids.insert(row["id"].as_str().unwrap().to_owned());
        }
        match page["next"].as_i64() {
            Some(next) => older_than = next,
            None => return (ids, newest),
        }
    }
}

#[test]
fn what_was_acknowledged_survives_every_kill() {
    let kills =
        std::env::var("XDM_KILLS").map_or(KILLS, |kills| kills.parse().expect("XDM_KILLS is a number"));
    let folder = TempDir::new().unwrap();
    let mut random = fastrand::Rng::with_seed(SEED);
    let load = Arc::new(Load::default());
    let mut everything = HashSet::new();
    let mut server = Server::start_on(folder.path(), &[]);
    let mut seen = 0;
    for kill in 1..=kills {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (load, address) = (Arc::clone(&load), server.address.clone());
                // The end of a connection is what the kill looks like from outside.
                thread::spawn(move || drop(load.run(&address, client)))
            })
            .collect();
        load.wait_for_one_more();
        thread::sleep(Duration::from_micros(random.u64(0..LONGEST_ROUND_MS * 1_000)));
        if kill % 2 == 0 {
            load.wait_for_one_more();
        }
        server.kill();
        for client in clients {
            client.join().expect("a client met a wrong answer");
        }
        server = Server::start_on(folder.path(), &[]);
        let acknowledged = std::mem::take(&mut *load.acknowledged.lock().unwrap());
        let (found, newest) = stored(&server, seen);
        let lost: Vec<_> = acknowledged.difference(&found).collect();
        assert!(lost.is_empty(), "kill {kill} (seed {SEED}): acknowledged and lost: {lost:?}");
        everything.extend(acknowledged);
        seen = newest;
    }
    let landed: HashSet<String> = server
        .get(&format!("/datasets/{EVENTS}/events"))
        .text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["_id"].as_str().unwrap().to_owned())
        .collect();
    assert!(everything.is_subset(&landed));
    let counts = server.counts();
    assert_eq!(counts["good"], landed.len(), "no message is stored twice");
    assert_eq!((&counts["bad"], &counts["duplicates"]), (&json!(0), &json!(0)));
    println!("{kills} kills, {} acknowledged, {} stored", everything.len(), landed.len());
}
