//! What the streaming API answers. Read leniently: only the HTTP status is relied on, every field is
//! optional, and any text at all is an answer.

use crate::json::{elements, find, integer, string};
use crate::time::Millis;

/// How much of the service's words is kept, in characters.
const MAX_WORDS: usize = 300;

/// The answer to a single message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Whether the service has taken the message (any 2xx). Without synchronous validation that
    /// says nothing about whether the message is valid.
    pub accepted: bool,
    /// Whether synchronous validation took place and passed.
    pub validated: bool,
    /// The service's clock when the request arrived.
    pub received_time: Option<Millis>,
    /// The service's own words, at most 300 characters; may be empty.
    pub text: String,
    /// The service's name for the message, for tracing.
    pub xaction_id: Option<String>,
}

/// What became of one message of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ItemAnswer {
    /// Taken.
    Accepted,
    /// Refused.
    Rejected {
        /// As an HTTP status; 0 where the answer has none that is a number.
        status: u16,
        /// The service's own words, at most 300 characters; may be empty.
        text: String,
    },
    /// The answer says nothing that can be told to be about this message. The service may or may
    /// not have it, so sending it again is right only where duplicates are acceptable.
    Unknown,
}

/// Reads the answer to a single message.
pub fn single(status: u16, body: &str) -> Answer {
    let validation = find(body, "syncValidation").or_else(|| find(body, "synchronousValidation"));
    Answer {
        accepted: is_success(status),
        validated: validation.and_then(|block| text_of(block, "status")).as_deref() == Some("pass"),
        received_time: received_time(body),
        text: words(body),
        xaction_id: text_of(body, "xactionId"),
    }
}

/// The service's clock when the request arrived, from an answer of either kind.
pub fn received_time(body: &str) -> Option<Millis> {
    number_of(body, "receivedTimeMs")
}

/// Reads the answer to a batch of `count` messages: one item each, in the order of the messages.
///
/// A 207 is read item by item. An item belongs to the message whose number its `xactionId` ends in
/// (after the batch's own id and a colon; or, for a refused item, after a hyphen), else to the one at its own
/// position. Messages that no item belongs to are [`ItemAnswer::Unknown`]. Any other status
/// is the answer to all messages alike.
pub fn batch(status: u16, body: &str, count: usize) -> Vec<ItemAnswer> {
    if status != 207 {
        let all = if is_success(status) {
            ItemAnswer::Accepted
        } else {
            ItemAnswer::Rejected { status, text: words(body) }
        };
        return vec![all; count];
    }
    let batch_id = text_of(body, "batchId").unwrap_or_default();
    let mut answers = vec![ItemAnswer::Unknown; count];
    let mut unnumbered = Vec::new();
    let responses = find(body, "responses").unwrap_or_default();
    for (position, item) in elements(responses).map_while(Result::ok).enumerate() {
        let answer = item_answer(item);
        let refused = matches!(answer, ItemAnswer::Rejected { .. });
        let number =
            text_of(item, "xactionId").and_then(|xaction_id| item_number(&xaction_id, &batch_id, refused));
        match number.and_then(|number| answers.get_mut(number)) {
            Some(slot) => *slot = answer,
            None => unnumbered.push((position, answer)),
        }
    }
    // Numbers first: they are certain, positions are not.
    for (position, answer) in unnumbered {
        if let Some(slot @ ItemAnswer::Unknown) = answers.get_mut(position) {
            *slot = answer;
        }
    }
    answers
}

fn item_answer(item: &str) -> ItemAnswer {
    let Some(status) = find(item, "status").or_else(|| find(item, "statusCode")) else {
        return match find(item, "xactionId") {
            Some(_) => ItemAnswer::Accepted,
            None => ItemAnswer::Unknown,
        };
    };
    let status = number(status).and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
    if is_success(status) {
        return ItemAnswer::Accepted;
    }
    ItemAnswer::Rejected { status, text: words(item) }
}

/// The number of a message in its batch, from `{batchId}:3` or, for refused ones, `9341f8eb-…-3`.
fn item_number(xaction_id: &str, batch_id: &str, refused: bool) -> Option<usize> {
    let after_batch_id = xaction_id.strip_prefix(batch_id).and_then(|rest| rest.strip_prefix(':'));
    let digits = match after_batch_id {
        Some(digits) => digits,
        None if refused => xaction_id.rsplit_once('-')?.1,
        None => return None,
    };
    integer(digits).and_then(|number| usize::try_from(number).ok())
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// What the service says in words: `report.message`, `message` or `title`.
fn words(body: &str) -> String {
    let report = find(body, "report").unwrap_or_default();
    let text = text_of(report, "message")
        .or_else(|| text_of(body, "message"))
        .or_else(|| text_of(body, "title"))
        .unwrap_or_default();
    text.chars().take(MAX_WORDS).collect()
}

fn text_of(object: &str, key: &str) -> Option<String> {
    string(find(object, key)?).map(|text| text.into_owned())
}

fn number_of(object: &str, key: &str) -> Option<i64> {
    number(find(object, key)?)
}

/// A number, also one in quotes, as some of the service's answers have it.
fn number(raw: &str) -> Option<i64> {
    integer(raw).or_else(|| integer(&string(raw)?))
}
