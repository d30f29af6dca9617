//! Questions to the database, answered as JSON text. Every answer is bounded, in rows and in
//! bytes, whatever is stored.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::store::{CommitTimes, EVENT, entity_hash};
use crate::verdict::entity_text;

/// A page of rows ends after so many bytes of messages.
const PAGE_BYTES: usize = 8_000_000;
/// Most events and most identities shown of a profile.
const PROFILE_ROWS: i64 = 1_000;
/// Most profiles listed.
const PROFILES: i64 = 100;

const COLUMNS: &str = "seq, good, received_at, inlet_id, dataset_id, event_type, entity_id, \
     xaction_id, duplicate, timestamp_ms, profile, dropped_for_size, is_json, violations, message, \
     (SELECT at FROM commits WHERE last_seq >= seq ORDER BY last_seq LIMIT 1)";

/// `GET /inspect/counts`.
#[derive(Serialize)]
pub struct Counts {
    pub received: i64,
    pub good: i64,
    pub bad: i64,
    pub duplicates: i64,
}

/// What `GET /inspect/good` and `/inspect/bad` select.
#[derive(Debug, Default)]
pub struct Listing {
    pub good: bool,
    pub event_type: Option<String>,
    pub dataset_id: Option<String>,
    pub id: Option<String>,
    /// Rows older than this one.
    pub after: Option<i64>,
    pub limit: usize,
}

/// One message as the inspect routes show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    seq: i64,
    verdict: &'static str,
    received_at: i64,
    inlet_id: &'a str,
    dataset_id: Option<&'a str>,
    event_type: Option<&'a str>,
    id: Option<&'a str>,
    xaction_id: &'a str,
    duplicate: bool,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Box<RawValue>>,
    /// Instead of `message` where it is not JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    violations: Option<Box<RawValue>>,
    latency: Latency,
    /// `"size"`: too large for Profile, kept in the lake.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_dropped: Option<&'static str>,
}

/// Milliseconds from the entity's timestamp to the commit, and to visible in the profile.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Latency {
    stored_ms: Option<i64>,
    profile_ms: Option<i64>,
}

/// A row as JSON without line breaks, its `seq`, and the size of its message.
struct Line {
    seq: i64,
    json: String,
    bytes: usize,
}

fn line(row: &Row<'_>, times: CommitTimes) -> rusqlite::Result<Line> {
    let seq: i64 = row.get(0)?;
    let text = row.get_ref(14)?.as_str()?;
    let timestamp: Option<i64> = row.get(9)?;
    let committed: Option<i64> = row.get(15)?;
    let committed = committed.unwrap_or_else(|| times.at(seq));
    let stored_ms = timestamp.map(|timestamp| committed - timestamp);
    let in_profile = row.get_ref(10)?.as_i64_or_null()?.is_some();
    let is_json: bool = row.get(12)?;
    // A line break in JSON text can only be white space; server-sent events end at one.
    let one_line = || RawValue::from_string(text.replace(['\r', '\n'], " ")).ok();
    let message = if is_json { one_line() } else { None };
    let shown = Shown {
        seq,
        verdict: if row.get(1)? { "good" } else { "bad" },
        received_at: row.get(2)?,
        inlet_id: row.get_ref(3)?.as_str()?,
        dataset_id: row.get_ref(4)?.as_str_or_null()?,
        event_type: row.get_ref(5)?.as_str_or_null()?,
        id: row.get_ref(6)?.as_str_or_null()?,
        xaction_id: row.get_ref(7)?.as_str()?,
        duplicate: row.get(8)?,
        bytes: text.len(),
        raw: message.is_none().then_some(text),
        message,
        violations: row
            .get_ref(13)?
            .as_str_or_null()?
            .and_then(|violations| RawValue::from_string(violations.to_owned()).ok()),
        latency: Latency {
            stored_ms,
            // Message and profile are one transaction.
            profile_ms: stored_ms.filter(|_| in_profile),
        },
        profile_dropped: row.get::<_, bool>(11)?.then_some("size"),
    };
    let json = serde_json::to_string(&shown)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    Ok(Line { seq, json, bytes: text.len() })
}

pub fn counts(connection: &Connection) -> rusqlite::Result<Counts> {
    connection.prepare_cached("SELECT received, good, bad, duplicates FROM counts")?.query_row([], |row| {
        Ok(Counts { received: row.get(0)?, good: row.get(1)?, bad: row.get(2)?, duplicates: row.get(3)? })
    })
}

/// `{rows, next}`, newest first; `next` is `null` at the end.
pub fn listing(connection: &Connection, times: CommitTimes, listing: &Listing) -> rusqlite::Result<String> {
    let mut sql = format!("SELECT {COLUMNS} FROM messages WHERE good = ?");
    let mut values = vec![Sql::from(listing.good)];
    let mut also = |condition: &str, value: Sql| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.push(value);
    };
    if let Some(event_type) = &listing.event_type {
        also("event_type = ?", event_type.clone().into());
    }
    if let Some(dataset_id) = &listing.dataset_id {
        also("dataset_id = ?", dataset_id.clone().into());
    }
    if let Some(id) = &listing.id {
        also("entity_hash = ?", entity_hash(id).into());
        also("entity_id = ?", id.clone().into());
    }
    if let Some(after) = listing.after {
        also("seq < ?", after.into());
    }
    sql.push_str(" ORDER BY seq DESC");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut page = String::from("{\"rows\":[");
    let (mut count, mut bytes, mut last, mut next) = (0, 0, None, None);
    while let Some(row) = rows.next()? {
        if count == listing.limit || bytes >= PAGE_BYTES {
            next = last;
            break;
        }
        let line = line(row, times)?;
        if count > 0 {
            page.push(',');
        }
        page.push_str(&line.json);
        count += 1;
        bytes += line.bytes;
        last = Some(line.seq);
    }
    page.push_str("],\"next\":");
    page.push_str(&json!(next).to_string());
    page.push('}');
    Ok(page)
}

/// Rows newer than `after`, oldest first: `(seq, JSON in one line)`, at most `limit`.
pub fn newer(
    connection: &Connection,
    times: CommitTimes,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<(i64, String)>> {
    let sql = format!("SELECT {COLUMNS} FROM messages WHERE seq > ? ORDER BY seq");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([after])?;
    let (mut lines, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let line = line(row, times)?;
        bytes += line.bytes;
        lines.push((line.seq, line.json));
        if lines.len() >= limit || bytes >= PAGE_BYTES {
            break;
        }
    }
    Ok(lines)
}

/// `GET /profiles`: the newest, without their contents.
pub fn profiles(connection: &Connection) -> rusqlite::Result<Value> {
    let mut statement = connection.prepare_cached(
        "SELECT namespace, value, identities, events, updated_at FROM profiles
         ORDER BY updated_at DESC, id DESC LIMIT ?",
    )?;
    let profiles = statement.query_map([PROFILES], |row| {
        Ok(json!({
            "namespace": row.get::<_, String>(0)?,
            "id": row.get::<_, String>(1)?,
            "identities": row.get::<_, i64>(2)?,
            "events": row.get::<_, i64>(3)?,
            "updatedAt": row.get::<_, i64>(4)?,
        }))
    })?;
    Ok(json!({"profiles": profiles.collect::<rusqlite::Result<Vec<_>>>()?}))
}

/// `GET /profiles?namespace=&id=`: the merged profile, or `None`.
pub fn profile(connection: &Connection, namespace: &str, id: &str) -> rusqlite::Result<Option<String>> {
    let found: Option<(i64, String, i64)> = connection
        .prepare_cached(
            "SELECT profiles.id, record, updated_at FROM identities
             JOIN profiles ON profiles.id = profile
             WHERE identities.namespace = ? AND identities.value = ?",
        )?
        .query_row([namespace, id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((profile, record, updated_at)) = found else {
        return Ok(None);
    };
    let mut identities = Map::new();
    let mut statement =
        connection.prepare_cached("SELECT namespace, value FROM identities WHERE profile = ? LIMIT ?")?;
    let mut rows = statement.query([profile, PROFILE_ROWS])?;
    while let Some(row) = rows.next()? {
        let items = identities.entry(row.get::<_, String>(0)?).or_insert_with(|| json!([]));
        if let Value::Array(items) = items {
            items.push(json!({"id": row.get::<_, String>(1)?}));
        }
    }
    let mut statement = connection.prepare_cached(
        "SELECT message FROM messages WHERE profile = ? AND profile_kind = ?
         ORDER BY profile_order DESC LIMIT ?",
    )?;
    let mut rows = statement.query([profile, EVENT, PROFILE_ROWS])?;
    let mut events = String::new();
    while let Some(row) = rows.next()? {
        if let Some(entity) = entity_text(row.get_ref(0)?.as_str()?) {
            if !events.is_empty() {
                events.push(',');
            }
            events.push_str(entity);
        }
        if events.len() >= PAGE_BYTES {
            break;
        }
    }
    let identities = Value::Object(identities);
    Ok(Some(format!(
        "{{\"identities\":{identities},\"record\":{record},\"events\":[{events}],\"updatedAt\":{updated_at}}}"
    )))
}

/// `GET /datasets`.
pub fn datasets(connection: &Connection) -> rusqlite::Result<Value> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, schema_id, content_type, profile, identity, good, bad FROM datasets",
    )?;
    let datasets = statement.query_map([], |row| {
        let tag = |column| -> rusqlite::Result<[String; 1]> {
            Ok([format!("enabled:{}", row.get::<_, bool>(column)?)])
        };
        Ok(json!({
            "id": row.get::<_, String>(0)?,
            "name": row.get::<_, String>(1)?,
            "schemaRef": {"id": row.get::<_, String>(2)?, "contentType": row.get::<_, String>(3)?},
            "tags": {"unifiedProfile": tag(4)?, "unifiedIdentity": tag(5)?},
            "good": row.get::<_, i64>(6)?,
            "bad": row.get::<_, i64>(7)?,
        }))
    })?;
    Ok(json!({"datasets": datasets.collect::<rusqlite::Result<Vec<_>>>()?}))
}

/// A part of `GET /datasets/{id}/events`: entities newer than `after`, one a line, and the `seq`
/// of the last; `None` at the end.
pub fn landed(connection: &Connection, dataset: &str, after: i64) -> rusqlite::Result<Option<(i64, String)>> {
    const PART_BYTES: usize = 200_000;
    let mut statement = connection.prepare_cached(
        "SELECT seq, message FROM messages WHERE good = 1 AND dataset_id = ? AND seq > ?
         ORDER BY seq",
    )?;
    let mut rows = statement.query(rusqlite::params![dataset, after])?;
    let (mut lines, mut last) = (String::new(), None);
    while let Some(row) = rows.next()? {
        last = Some(row.get(0)?);
        if let Some(entity) = entity_text(row.get_ref(1)?.as_str()?) {
            lines.push_str(&entity.replace(['\r', '\n'], " "));
            lines.push('\n');
        }
        if lines.len() >= PART_BYTES {
            break;
        }
    }
    Ok(last.map(|seq| (seq, lines)))
}
