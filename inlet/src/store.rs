//! The embedded database: one file, one writer.
//!
//! A single thread writes. It takes everything that waits, writes it in one transaction and
//! acknowledges only after the commit has reached the disk (WAL, `synchronous = FULL`), so the cost
//! of a commit is shared and an acknowledged message survives a SIGKILL. Reads use connections of
//! their own. Nothing is kept in memory but the datasets; the cost of an insert does not depend on
//! what is stored, bar the depth of a few trees.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::profile::{self, Contribution, Identity};
use crate::schemas::{Class, Violation};
use crate::verdict::{DatasetView, SchemaRef, entity_text};

/// Layout of the tables below; a folder of another layout is refused.
const LAYOUT: i64 = 1;
/// Jobs that may wait for the writer before senders wait too.
const QUEUE: usize = 1_024;
/// Most bytes of messages in one transaction.
const GROUP_BYTES: usize = 8_000_000;
/// Reads that run at the same time.
const READERS: usize = 4;
/// Most datasets; they are held in memory.
const MAX_DATASETS: usize = 1_000;

// `entity_hash` stands for `entity_id` in the index: random 36-byte keys would make it several
// times larger. `profile_order` is the timestamp of an event and the arrival of a record.
// `commits` says when everything up to `last_seq` was on disk.
const TABLES: &str = "
CREATE TABLE counts (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  next_seq INTEGER NOT NULL, received INTEGER NOT NULL, good INTEGER NOT NULL,
  bad INTEGER NOT NULL, duplicates INTEGER NOT NULL);
INSERT INTO counts VALUES (1, 1, 0, 0, 0, 0);
CREATE TABLE datasets (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, schema_id TEXT NOT NULL, content_type TEXT NOT NULL,
  profile INTEGER NOT NULL, identity INTEGER NOT NULL,
  good INTEGER NOT NULL DEFAULT 0, bad INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE messages (
  seq INTEGER PRIMARY KEY, good INTEGER NOT NULL, received_at INTEGER NOT NULL,
  inlet_id TEXT NOT NULL, dataset_id TEXT, event_type TEXT, entity_id TEXT, entity_hash INTEGER,
  timestamp_ms INTEGER, xaction_id TEXT NOT NULL, duplicate INTEGER NOT NULL,
  dropped_for_size INTEGER NOT NULL, is_json INTEGER NOT NULL, profile INTEGER,
  profile_kind INTEGER, profile_order INTEGER, violations TEXT, message TEXT NOT NULL);
CREATE INDEX messages_by_verdict ON messages (good);
CREATE INDEX messages_by_type ON messages (good, event_type);
CREATE INDEX messages_by_dataset ON messages (good, dataset_id);
CREATE INDEX messages_by_id ON messages (entity_hash, good) WHERE entity_hash IS NOT NULL;
CREATE INDEX messages_by_profile ON messages (profile, profile_kind, profile_order)
  WHERE profile IS NOT NULL;
CREATE TABLE commits (last_seq INTEGER PRIMARY KEY, at INTEGER NOT NULL);
CREATE TABLE profiles (
  id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, value TEXT NOT NULL,
  identities INTEGER NOT NULL, events INTEGER NOT NULL, record TEXT NOT NULL,
  updated_at INTEGER NOT NULL);
CREATE INDEX profiles_by_update ON profiles (updated_at);
CREATE TABLE identities (
  namespace TEXT NOT NULL, value TEXT NOT NULL, profile INTEGER NOT NULL,
  PRIMARY KEY (namespace, value)) WITHOUT ROWID;
CREATE INDEX identities_by_profile ON identities (profile);
";

/// `profile_kind` of an event.
pub const EVENT: i64 = 0;
/// `profile_kind` of a record.
pub const RECORD: i64 = 1;

/// A dataset and what it is enabled for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    pub id: String,
    pub name: String,
    pub schema_id: String,
    pub content_type: String,
    pub profile: bool,
    pub identity: bool,
}

impl From<&Dataset> for DatasetView {
    fn from(dataset: &Dataset) -> Self {
        Self { schema_id: dataset.schema_id.clone(), profile: dataset.profile, identity: dataset.identity }
    }
}

/// A judged message on its way to the disk.
#[derive(Debug)]
pub struct NewMessage {
    pub good: bool,
    pub received_at: i64,
    pub inlet_id: Arc<str>,
    pub dataset_id: Option<String>,
    pub event_type: Option<String>,
    pub entity_id: Option<String>,
    pub timestamp_ms: Option<i64>,
    pub xaction_id: String,
    pub violations: Vec<Violation>,
    pub profile: Option<Contribution>,
    pub dropped_for_size: bool,
    pub is_json: bool,
    pub text: String,
}

/// What has been committed, for whoever follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The `seq` of the newest message; 0 before the first.
    pub seq: i64,
    /// How often everything was emptied since the start.
    pub resets: u64,
}

/// Why a data folder cannot be used.
#[derive(Debug)]
pub enum OpenError {
    Folder(PathBuf, std::io::Error),
    InUse(PathBuf),
    Layout(PathBuf),
    Database(PathBuf, rusqlite::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const REMEDY: &str = "choose a folder you may write with --data DIR";
        match self {
            Self::Folder(path, error) => {
                write!(f, "cannot write to the data folder {}: {error}; {REMEDY}", path.display())
            }
            Self::InUse(path) => write!(
                f,
                "another xdm-inlet uses the data folder {}; stop it, or choose another with \
                 --data DIR",
                path.display()
            ),
            Self::Layout(path) => write!(
                f,
                "the data folder {} was written by another version; remove it, or choose another \
                 with --data DIR",
                path.display()
            ),
            Self::Database(path, error) => {
                write!(f, "cannot use the database in {}: {error}; {REMEDY}", path.display())
            }
        }
    }
}

/// The write did not happen; the reason went to the error output.
#[derive(Clone, Copy, Debug)]
pub struct NotStored;

/// A question that could not be answered.
#[derive(Debug)]
pub enum ReadError {
    Database(rusqlite::Error),
    Stopped,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => write!(f, "the database cannot be read: {error}"),
            Self::Stopped => f.write_str("the inlet is stopping"),
        }
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

type Ack = oneshot::Sender<Result<(), NotStored>>;

enum Job {
    Append(Vec<NewMessage>, Ack),
    Reset(Ack),
    Enable { dataset: String, profile: bool, identity: bool, ack: Ack },
}

/// What both sides of the store hold.
struct Common {
    datasets: Mutex<HashMap<String, Dataset>>,
    /// The newest commit: its last `seq` and the time. It is in the table with the next one.
    last_commit: Mutex<Option<(i64, i64)>>,
    progress: watch::Sender<Progress>,
}

/// The store's handle; the last one dropped lets the writer finish.
pub struct Store {
    jobs: mpsc::Sender<Job>,
    common: Arc<Common>,
    file: PathBuf,
    readers: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

/// The writer's thread and the lock of the folder; [`Writer::finish`] waits for the last commit.
pub struct Writer {
    thread: JoinHandle<()>,
    _lock: File,
}

impl Writer {
    /// Waits until everything handed over is on disk. The store must have been dropped.
    pub fn finish(self) {
        // A panic of the thread has been reported by the thread itself.
        let _ = self.thread.join();
    }
}

/// Epoch milliseconds by the wall clock.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Store {
    /// Opens the folder, makes what is missing, and adds the `seeds` that are not there yet.
    pub fn open(folder: &Path, seeds: &[Dataset]) -> Result<(Self, Writer), OpenError> {
        let unwritable = |error| OpenError::Folder(folder.to_owned(), error);
        fs::create_dir_all(folder).map_err(unwritable)?;
        let lock = File::create(folder.join("lock")).map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(unwritable(error)),
        }
        let file = folder.join("inlet.sqlite");
        let broken = |error| OpenError::Database(folder.to_owned(), error);
        let connection = connect(&file).map_err(broken)?;
        let layout: i64 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(broken)?;
        match layout {
            LAYOUT => {}
            0 => connection
                .execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version = {LAYOUT}; COMMIT;"))
                .map_err(broken)?,
            _ => return Err(OpenError::Layout(folder.to_owned())),
        }
        for seed in seeds {
            save_dataset(&connection, seed, 0, 0).map_err(broken)?;
        }
        // The time of the last commit before a kill is not known: the arrival of its newest
        // message is the nearest there is.
        connection
            .execute(
                "INSERT OR IGNORE INTO commits
                 SELECT seq, received_at FROM messages ORDER BY seq DESC LIMIT 1",
                [],
            )
            .map_err(broken)?;
        let datasets = read_datasets(&connection).map_err(broken)?;
        let seq: i64 =
            connection.query_row("SELECT next_seq - 1 FROM counts", [], |row| row.get(0)).map_err(broken)?;
        let common = Arc::new(Common {
            datasets: Mutex::new(datasets),
            last_commit: Mutex::new(None),
            progress: watch::Sender::new(Progress { seq, resets: 0 }),
        });
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("writer".to_owned())
            .spawn({
                let common = Arc::clone(&common);
                move || write_all(&connection, queue, &common)
            })
            .map_err(unwritable)?;
        let store =
            Self { jobs, common, file, readers: Semaphore::new(READERS), idle: Mutex::new(Vec::new()) };
        let writer = Writer { thread, _lock: lock };
        Ok((store, writer))
    }

    /// Stores messages together; returns when they are on disk.
    pub async fn append(&self, messages: Vec<NewMessage>) -> Result<(), NotStored> {
        self.hand_over(|ack| Job::Append(messages, ack)).await
    }

    /// Empties messages, profiles and counts; datasets and their flags stay.
    pub async fn reset(&self) -> Result<(), NotStored> {
        self.hand_over(Job::Reset).await
    }

    /// Sets what a dataset is enabled for, from the next message on.
    pub async fn enable(&self, id: &str, profile: bool, identity: bool) -> Result<(), NotStored> {
        let dataset = id.to_owned();
        self.hand_over(|ack| Job::Enable { dataset, profile, identity, ack }).await
    }

    async fn hand_over(&self, job: impl FnOnce(Ack) -> Job) -> Result<(), NotStored> {
        let (ack, acked) = oneshot::channel();
        self.jobs.send(job(ack)).await.map_err(|_| NotStored)?;
        acked.await.unwrap_or(Err(NotStored))
    }

    /// What has been committed so far, and a way to wait for more.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.common.progress.subscribe()
    }

    pub fn dataset(&self, id: &str) -> Option<Dataset> {
        held(&self.common.datasets).get(id).cloned()
    }

    /// The dataset, made and bound to `schema_ref` if there is none; `None` when there are too
    /// many. A new one is written with its first message.
    pub fn dataset_or_new(&self, id: &str, schema_ref: &SchemaRef) -> Option<DatasetView> {
        let mut datasets = held(&self.common.datasets);
        if let Some(known) = datasets.get(id) {
            return Some(known.into());
        }
        if datasets.len() >= MAX_DATASETS {
            return None;
        }
        let new = Dataset {
            id: id.to_owned(),
            name: id.to_owned(),
            schema_id: schema_ref.id.clone(),
            content_type: schema_ref.content_type.clone(),
            profile: false,
            identity: false,
        };
        let view = DatasetView::from(&new);
        datasets.insert(id.to_owned(), new);
        Some(view)
    }

    /// Runs a question on a reading connection, off the async threads.
    pub async fn read<T, F>(self: &Arc<Self>, question: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, CommitTimes) -> rusqlite::Result<T> + Send + 'static,
    {
        let store = Arc::clone(self);
        let _turn = self.readers.acquire().await.map_err(|_| ReadError::Stopped)?;
        let answer = tokio::task::spawn_blocking(move || {
            let idle = held(&store.idle).pop();
            let connection = match idle {
                Some(connection) => connection,
                None => connect(&store.file)?,
            };
            let answer = ask(&connection, &store.common, question);
            held(&store.idle).push(connection);
            answer
        });
        Ok(answer.await.map_err(|_| ReadError::Stopped)??)
    }
}

/// Answers from one state of the database, however many statements the question takes.
fn ask<T>(
    connection: &Connection,
    common: &Common,
    question: impl FnOnce(&Connection, CommitTimes) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let state = connection.unchecked_transaction()?;
    // The first statement fixes the state; the newest commit must be looked up after it.
    state.prepare_cached("SELECT next_seq FROM counts")?.query_row([], |_| Ok(()))?;
    let times = CommitTimes { newest: *held(&common.last_commit), now: now_ms() };
    question(&state, times)
}

/// When the messages were on disk that the `commits` table does not cover yet.
#[derive(Clone, Copy, Debug)]
pub struct CommitTimes {
    newest: Option<(i64, i64)>,
    now: i64,
}

impl CommitTimes {
    /// The commit of a message that can be read: the newest one, or one of this very moment.
    pub fn at(self, seq: i64) -> i64 {
        self.newest.filter(|(last_seq, _)| seq <= *last_seq).map_or(self.now, |(_, at)| at)
    }
}

/// The data under a lock is whole at every moment, so a panic elsewhere does not spoil it.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -8_000)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

fn read_datasets(connection: &Connection) -> rusqlite::Result<HashMap<String, Dataset>> {
    let mut statement =
        connection.prepare("SELECT id, name, schema_id, content_type, profile, identity FROM datasets")?;
    let rows = statement.query_map([], |row| {
        Ok(Dataset {
            id: row.get(0)?,
            name: row.get(1)?,
            schema_id: row.get(2)?,
            content_type: row.get(3)?,
            profile: row.get(4)?,
            identity: row.get(5)?,
        })
    })?;
    rows.map(|row| row.map(|dataset| (dataset.id.clone(), dataset))).collect()
}

/// Writes a dataset that is new, and adds to the counts of one that is not.
fn save_dataset(connection: &Connection, dataset: &Dataset, good: i64, bad: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO datasets VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (id) DO UPDATE SET good = good + excluded.good, bad = bad + excluded.bad",
        )?
        .execute(params![
            dataset.id,
            dataset.name,
            dataset.schema_id,
            dataset.content_type,
            dataset.profile,
            dataset.identity,
            good,
            bad,
        ])?;
    Ok(())
}

/// A stable 64-bit hash (FNV-1a), since it is written to disk.
pub fn entity_hash(id: &str) -> i64 {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}

/// The writer's whole life.
fn write_all(connection: &Connection, mut queue: mpsc::Receiver<Job>, common: &Common) {
    let mut next = queue.blocking_recv();
    while let Some(job) = next.take() {
        match job {
            Job::Append(messages, ack) => {
                let mut bytes = size(&messages);
                let mut group = vec![(messages, ack)];
                while bytes < GROUP_BYTES {
                    match queue.try_recv() {
                        Ok(Job::Append(messages, ack)) => {
                            bytes += size(&messages);
                            group.push((messages, ack));
                        }
                        Ok(other) => {
                            next = Some(other);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                let (messages, acks): (Vec<_>, Vec<_>) = group.into_iter().unzip();
                let outcome = transact(connection, || append(connection, common, messages));
                let outcome = outcome.map(|last_seq| {
                    *held(&common.last_commit) = Some((last_seq, now_ms()));
                    common.progress.send_modify(|progress| progress.seq = last_seq);
                });
                for ack in acks {
                    // A sender that has gone away needs no answer.
                    let _ = ack.send(outcome);
                }
            }
            Job::Reset(ack) => {
                let outcome = transact(connection, || reset(connection)).map(|()| {
                    *held(&common.last_commit) = None;
                    common.progress.send_modify(|progress| progress.resets += 1);
                });
                let _ = ack.send(outcome);
            }
            Job::Enable { dataset, profile, identity, ack } => {
                let known = held(&common.datasets).get(&dataset).cloned();
                let outcome = match known {
                    None => Err(NotStored),
                    Some(mut known) => {
                        known.profile = profile;
                        known.identity = identity;
                        let written = transact(connection, || {
                            save_dataset(connection, &known, 0, 0)?;
                            connection
                                .prepare_cached(
                                    "UPDATE datasets SET profile = ?2, identity = ?3 WHERE id = ?1",
                                )?
                                .execute(params![dataset, profile, identity])
                        });
                        written.map(|_| {
                            held(&common.datasets).insert(dataset, known);
                        })
                    }
                };
                let _ = ack.send(outcome);
            }
        }
        if next.is_none() {
            next = queue.blocking_recv();
        }
    }
    // An orderly end; after a kill the next start makes do with an estimate.
    let _ = transact(connection, || save_commit_time(connection, common));
}

fn size(messages: &[NewMessage]) -> usize {
    messages.iter().map(|message| message.text.len()).sum()
}

/// All or nothing.
fn transact<T>(connection: &Connection, work: impl FnOnce() -> rusqlite::Result<T>) -> Result<T, NotStored> {
    let attempt = || {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let done = work()?;
        connection.execute_batch("COMMIT")?;
        Ok(done)
    };
    attempt().map_err(|error: rusqlite::Error| {
        eprintln!("xdm-inlet: not stored: {error}");
        if !connection.is_autocommit() {
            // If even this fails, the next BEGIN says so.
            let _ = connection.execute_batch("ROLLBACK");
        }
        NotStored
    })
}

/// Writes the time of the newest commit, which could not be in that commit itself.
fn save_commit_time(connection: &Connection, common: &Common) -> rusqlite::Result<()> {
    if let Some((last_seq, at)) = *held(&common.last_commit) {
        connection
            .prepare_cached("INSERT OR IGNORE INTO commits VALUES (?1, ?2)")?
            .execute([last_seq, at])?;
    }
    Ok(())
}

/// Writes a group and returns its last `seq`.
fn append(connection: &Connection, common: &Common, group: Vec<Vec<NewMessage>>) -> rusqlite::Result<i64> {
    save_commit_time(connection, common)?;
    let mut seq: i64 =
        connection.prepare_cached("SELECT next_seq FROM counts")?.query_row([], |row| row.get(0))?;
    let (mut good, mut bad, mut duplicates) = (0, 0, 0);
    let mut by_dataset: HashMap<String, (i64, i64)> = HashMap::new();
    for message in group.into_iter().flatten() {
        if let Some(dataset) = &message.dataset_id {
            let counts = by_dataset.entry(dataset.clone()).or_default();
            if message.good {
                counts.0 += 1;
            } else {
                counts.1 += 1;
            }
        }
        if message.good {
            good += 1;
        } else {
            bad += 1;
        }
        duplicates += i64::from(insert(connection, seq, message)?);
        seq += 1;
    }
    for (id, (good, bad)) in by_dataset {
        // A refused message may name a dataset that there is not.
        let dataset = held(&common.datasets).get(&id).cloned();
        if let Some(dataset) = dataset {
            save_dataset(connection, &dataset, good, bad)?;
        }
    }
    connection
        .prepare_cached(
            "UPDATE counts SET next_seq = ?1, received = received + ?2 + ?3, good = good + ?2,
             bad = bad + ?3, duplicates = duplicates + ?4",
        )?
        .execute([seq, good, bad, duplicates])?;
    Ok(seq - 1)
}

/// Writes one message; whether it is a duplicate.
fn insert(connection: &Connection, seq: i64, message: NewMessage) -> rusqlite::Result<bool> {
    let hash = message.entity_id.as_deref().map(entity_hash);
    let duplicate = message.good
        && connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM messages WHERE entity_hash = ?1 AND good = 1
                 AND entity_id = ?2 AND dataset_id = ?3)",
            )?
            .query_row(params![hash, message.entity_id, message.dataset_id], |row| row.get(0))?;
    let profile = match &message.profile {
        // The Profile store drops an event whose _id it has, whatever dataset it came by.
        Some(contribution)
            if contribution.class == Class::Event
                && in_profile(connection, hash, message.entity_id.as_deref())? =>
        {
            None
        }
        Some(contribution) => Some(contribute(connection, contribution, &message)?),
        None => None,
    };
    let kind = message.profile.as_ref().map(|contribution| match contribution.class {
        Class::Event => EVENT,
        Class::Record => RECORD,
    });
    let order = match kind {
        Some(EVENT) => message.timestamp_ms,
        _ => Some(seq),
    };
    let violations = match message.violations.is_empty() {
        true => None,
        false => serde_json::to_string(&message.violations).ok(),
    };
    connection
        .prepare_cached(
            "INSERT INTO messages VALUES
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        )?
        .execute(params![
            seq,
            message.good,
            message.received_at,
            &*message.inlet_id,
            message.dataset_id,
            message.event_type,
            message.entity_id,
            hash,
            message.timestamp_ms,
            message.xaction_id,
            duplicate,
            message.dropped_for_size,
            message.is_json,
            profile,
            profile.and(kind),
            profile.and(order),
            violations,
            message.text,
        ])?;
    Ok(duplicate)
}

fn in_profile(connection: &Connection, hash: Option<i64>, id: Option<&str>) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM messages WHERE entity_hash = ?1 AND good = 1
             AND entity_id = ?2 AND profile_kind = 0)",
        )?
        .query_row(params![hash, id], |row| row.get(0))
}

/// Joins the profiles that the identities belong to and adds the message's part; the profile's id.
fn contribute(
    connection: &Connection,
    contribution: &Contribution,
    message: &NewMessage,
) -> rusqlite::Result<i64> {
    let mut found: Vec<i64> = Vec::new();
    let mut new: Vec<&Identity> = Vec::new();
    for identity in &contribution.identities {
        let profile = connection
            .prepare_cached("SELECT profile FROM identities WHERE namespace = ?1 AND value = ?2")?
            .query_row([&identity.namespace, &identity.id], |row| row.get(0))
            .optional()?;
        match profile {
            Some(profile) if found.contains(&profile) => {}
            Some(profile) => found.push(profile),
            None => new.push(identity),
        }
    }
    let profile = match found.as_slice() {
        [] => create_profile(connection, contribution, message.received_at)?,
        [one] => *one,
        several => join(connection, several)?,
    };
    for identity in &new {
        connection.prepare_cached("INSERT INTO identities VALUES (?1, ?2, ?3)")?.execute(params![
            identity.namespace,
            identity.id,
            profile
        ])?;
    }
    let event = contribution.class == Class::Event;
    connection
        .prepare_cached(
            "UPDATE profiles SET identities = identities + ?2, events = events + ?3,
             updated_at = ?4 WHERE id = ?1",
        )?
        .execute(params![profile, new.len().cast_signed(), event, message.received_at])?;
    if !event {
        let mut known = read_record(connection, profile)?;
        if let Some(record) = record_of(&message.text) {
            profile::merge_record(&mut known, record);
        }
        write_record(connection, profile, known)?;
    }
    Ok(profile)
}

fn create_profile(connection: &Connection, contribution: &Contribution, now: i64) -> rusqlite::Result<i64> {
    let (namespace, value) = contribution
        .identities
        .first()
        .map_or(("", ""), |first| (first.namespace.as_str(), first.id.as_str()));
    connection
        .prepare_cached(
            "INSERT INTO profiles (namespace, value, identities, events, record, updated_at)
             VALUES (?1, ?2, 0, 0, '{}', ?3)",
        )?
        .execute(params![namespace, value, now])?;
    Ok(connection.last_insert_rowid())
}

/// Makes one profile of several: the smaller ones move into the largest, so that an event moves
/// at most as often as the logarithm of what it ends up with.
fn join(connection: &Connection, profiles: &[i64]) -> rusqlite::Result<i64> {
    let mut sized = Vec::new();
    for profile in profiles {
        let size: (i64, bool) = connection
            .prepare_cached("SELECT identities + events, record <> '{}' FROM profiles WHERE id = ?1")?
            .query_row([profile], |row| Ok((row.get(0)?, row.get(1)?)))?;
        sized.push((size.0, size.1, *profile));
    }
    sized.sort_unstable_by(|a, b| b.cmp(a));
    let into = sized.first().map_or(0, |(_, _, profile)| *profile);
    for (_, _, from) in sized.iter().skip(1) {
        for move_all in [
            "UPDATE identities SET profile = ?1 WHERE profile = ?2",
            "UPDATE messages SET profile = ?1 WHERE profile = ?2",
            "UPDATE profiles SET
               identities = identities + (SELECT identities FROM profiles WHERE id = ?2),
               events = events + (SELECT events FROM profiles WHERE id = ?2) WHERE id = ?1",
        ] {
            connection.prepare_cached(move_all)?.execute([into, *from])?;
        }
        connection.prepare_cached("DELETE FROM profiles WHERE id = ?1")?.execute([from])?;
    }
    if sized.iter().any(|(_, has_record, _)| *has_record) {
        let mut known = Map::new();
        let mut statement = connection.prepare_cached(
            "SELECT message FROM messages WHERE profile = ?1 AND profile_kind = 1
             ORDER BY profile_order",
        )?;
        let mut rows = statement.query([into])?;
        while let Some(row) = rows.next()? {
            if let Some(record) = record_of(row.get_ref(0)?.as_str()?) {
                profile::merge_record(&mut known, record);
            }
        }
        write_record(connection, into, known)?;
    }
    Ok(into)
}

fn record_of(message: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(entity_text(message)?).ok()
}

fn read_record(connection: &Connection, profile: i64) -> rusqlite::Result<Map<String, Value>> {
    let text: String = connection
        .prepare_cached("SELECT record FROM profiles WHERE id = ?1")?
        .query_row([profile], |row| row.get(0))?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

fn write_record(connection: &Connection, profile: i64, record: Map<String, Value>) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE profiles SET record = ?2 WHERE id = ?1")?
        .execute(params![profile, Value::Object(record).to_string()])?;
    Ok(())
}

fn reset(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "DELETE FROM messages; DELETE FROM commits; DELETE FROM identities; DELETE FROM profiles;
         UPDATE datasets SET good = 0, bad = 0;
         UPDATE counts SET received = 0, good = 0, bad = 0, duplicates = 0;",
    )
}
