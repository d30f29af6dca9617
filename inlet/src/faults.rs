//! Faults on demand: what a client must live through, switched on at `PUT /inspect/faults`.
//!
//! `ratio` is the part of the POSTs that `status`, `delayMs` and `drop` hit, and the part of a
//! batch's items that `itemStatus` hits; `cors` holds for every answer, preflights included.
//! `delayMs` comes before anything else; a POST answered with `status` is not processed;
//! `drop: "before"` closes the connection instead of processing, `"afterCommit"` instead of
//! answering. After `forMs` everything switches itself off.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// Longest delay and longest `forMs`: a day.
const DAY_MS: u64 = 86_400_000;

/// Which routes are hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    #[default]
    Collection,
    Platform,
}

/// When the connection is closed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Drop {
    Before,
    AfterCommit,
}

/// Which CORS headers the collection routes send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cors {
    /// `Access-Control-Allow-Origin: *`
    #[default]
    Star,
    /// The request's origin, and credentials allowed.
    Credentials,
    /// None at all: the browser refuses.
    None,
}

/// `Retry-After`: seconds, or the text of an HTTP date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RetryAfter {
    Seconds(u64),
    Text(String),
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(f, "{seconds}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What is switched on; every key is `null` in JSON while it is off.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Faults {
    pub target: Option<Target>,
    pub status: Option<u16>,
    pub ratio: Option<f64>,
    pub delay_ms: Option<u64>,
    pub drop: Option<Drop>,
    pub item_status: Option<u16>,
    pub retry_after: Option<RetryAfter>,
    pub expose_retry_after: Option<bool>,
    pub cors: Option<Cors>,
    pub for_ms: Option<u64>,
}

/// A setting that cannot be: its path and what it must be.
#[derive(Debug, PartialEq, Eq)]
pub struct BadFault {
    pub path: String,
    pub must_be: &'static str,
}

impl fmt::Display for BadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' must be {}", self.path, self.must_be)
    }
}

impl Faults {
    /// Reads the object of `PUT /inspect/faults`; a key that is absent or `null` is off.
    pub fn parse(value: &Value) -> Result<Self, BadFault> {
        let bad = |path: &str, must_be| BadFault { path: path.to_owned(), must_be };
        let object = value.as_object().ok_or_else(|| bad("faults", "an object"))?;
        let mut faults = Self::default();
        for (key, value) in object {
            if value.is_null() {
                continue;
            }
            let whole = |from, to| value.as_u64().filter(|number| (from..=to).contains(number));
            let status = || whole(200, 599).and_then(|number| u16::try_from(number).ok());
            let fail = |must_be| bad(key, must_be);
            match key.as_str() {
                "target" => {
                    faults.target = Some(match value.as_str() {
                        Some("collection") => Target::Collection,
                        Some("platform") => Target::Platform,
                        _ => return Err(fail("\"collection\" or \"platform\"")),
                    });
                }
                "status" => {
                    faults.status = Some(status().ok_or_else(|| fail("a status from 200 to 599"))?);
                }
                "itemStatus" => {
                    faults.item_status = Some(status().ok_or_else(|| fail("a status from 200 to 599"))?);
                }
                "ratio" => {
                    let ratio = value.as_f64().filter(|ratio| (0.0..=1.0).contains(ratio));
                    faults.ratio = Some(ratio.ok_or_else(|| fail("a number from 0 to 1"))?);
                }
                "delayMs" => {
                    let delay = whole(0, DAY_MS);
                    faults.delay_ms = Some(delay.ok_or_else(|| fail("milliseconds, 0 to 86400000"))?);
                }
                "forMs" => {
                    let time = whole(1, DAY_MS);
                    faults.for_ms = Some(time.ok_or_else(|| fail("milliseconds, 1 to 86400000"))?);
                }
                "drop" => {
                    faults.drop = Some(match value.as_str() {
                        Some("before") => Drop::Before,
                        Some("afterCommit") => Drop::AfterCommit,
                        _ => return Err(fail("\"before\" or \"afterCommit\"")),
                    });
                }
                "retryAfter" => {
                    let visible = |text: &str| {
                        !text.is_empty()
                            && text.len() <= 64
                            && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
                    };
                    faults.retry_after = Some(match (value, whole(0, 86_400)) {
                        (_, Some(seconds)) => RetryAfter::Seconds(seconds),
                        (Value::String(text), _) if visible(text) => RetryAfter::Text(text.clone()),
                        _ => return Err(fail("seconds, 0 to 86400, or an HTTP date")),
                    });
                }
                "exposeRetryAfter" => {
                    faults.expose_retry_after = Some(value.as_bool().ok_or_else(|| fail("true or false"))?);
                }
                "cors" => {
                    faults.cors = Some(match value.as_str() {
                        Some("star") => Cors::Star,
                        Some("credentials") => Cors::Credentials,
                        Some("none") => Cors::None,
                        _ => return Err(fail("\"star\", \"credentials\" or \"none\"")),
                    });
                }
                _ => {
                    return Err(fail(
                        "left out: the keys are target, status, ratio, delayMs, drop, itemStatus, \
                         retryAfter, exposeRetryAfter, cors and forMs",
                    ));
                }
            }
        }
        Ok(faults)
    }

    fn hit(&self) -> bool {
        fastrand::f64() < self.ratio.unwrap_or(1.0)
    }
}

/// What happens to one POST.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fate {
    pub delay_ms: Option<u64>,
    pub drop: Option<Drop>,
    pub status: Option<u16>,
}

/// The switchboard: what is on, and until when.
#[derive(Debug, Default)]
pub struct Switchboard {
    on: Faults,
    until_ms: Option<u64>,
}

impl Switchboard {
    /// Replaces everything that was on. Time is in milliseconds of any one clock.
    pub fn set(&mut self, faults: Faults, now_ms: u64) {
        self.until_ms = faults.for_ms.map(|time| now_ms.saturating_add(time));
        self.on = faults;
    }

    /// What is on at this moment.
    pub fn active(&mut self, now_ms: u64) -> &Faults {
        if self.until_ms.is_some_and(|until| until <= now_ms) {
            *self = Self::default();
        }
        &self.on
    }
}

/// The faults of one request to a collection route, settled when it arrives.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    faults: Faults,
}

impl Weather {
    /// What the collection routes meet; nothing when the faults are meant for other routes.
    pub fn of_collection(faults: &Faults) -> Self {
        match faults.target.unwrap_or_default() {
            Target::Collection => Self { faults: faults.clone() },
            Target::Platform => Self::default(),
        }
    }

    /// Rolls the dice for a POST.
    pub fn fate(&self) -> Fate {
        if !self.faults.hit() {
            return Fate::default();
        }
        Fate { delay_ms: self.faults.delay_ms, drop: self.faults.drop, status: self.faults.status }
    }

    /// Rolls the dice for an item of a batch.
    pub fn item_status(&self) -> Option<u16> {
        self.faults.item_status.filter(|_| self.faults.hit())
    }

    pub fn cors(&self) -> Cors {
        self.faults.cors.unwrap_or_default()
    }

    pub fn retry_after(&self) -> Option<&RetryAfter> {
        self.faults.retry_after.as_ref()
    }

    pub fn exposes_retry_after(&self) -> bool {
        self.faults.expose_retry_after.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_key_is_read_and_shown() {
        let all = json!({
            "target": "collection", "status": 503, "ratio": 0.5, "delayMs": 10, "drop": "afterCommit",
            "itemStatus": 400, "retryAfter": 2, "exposeRetryAfter": true, "cors": "credentials", "forMs": 1000,
        });
        let faults = Faults::parse(&all).unwrap();
        assert_eq!(serde_json::to_value(&faults).unwrap(), all);
        let off = serde_json::to_value(Faults::parse(&json!({})).unwrap()).unwrap();
        assert!(off.as_object().unwrap().values().all(Value::is_null));
        assert_eq!(off.as_object().unwrap().len(), 10);
    }

    #[test]
    fn bad_objects_name_the_path() {
        let cases = [
            (json!([]), "'faults' must be an object"),
            (json!({"target": "all"}), "'target' must be \"collection\" or \"platform\""),
            (json!({"status": 100}), "'status' must be a status from 200 to 599"),
            (json!({"status": "503"}), "'status' must be a status from 200 to 599"),
            (json!({"itemStatus": 600}), "'itemStatus' must be a status from 200 to 599"),
            (json!({"ratio": 1.5}), "'ratio' must be a number from 0 to 1"),
            (json!({"delayMs": -1}), "'delayMs' must be milliseconds, 0 to 86400000"),
            (json!({"forMs": 0}), "'forMs' must be milliseconds, 1 to 86400000"),
            (json!({"drop": true}), "'drop' must be \"before\" or \"afterCommit\""),
            (json!({"retryAfter": "\n"}), "'retryAfter' must be seconds, 0 to 86400, or an HTTP date"),
            (json!({"exposeRetryAfter": 1}), "'exposeRetryAfter' must be true or false"),
            (json!({"cors": "*"}), "'cors' must be \"star\", \"credentials\" or \"none\""),
        ];
        for (value, message) in cases {
            assert_eq!(Faults::parse(&value).unwrap_err().to_string(), message);
        }
        assert!(
            Faults::parse(&json!({"colour": 1}))
                .unwrap_err()
                .to_string()
                .starts_with("'colour' must be left out")
        );
    }

    #[test]
    fn the_switchboard_switches_itself_off() {
        let mut board = Switchboard::default();
        board.set(Faults::parse(&json!({"status": 500, "forMs": 100})).unwrap(), 1_000);
        assert_eq!(board.active(1_099).status, Some(500));
        assert_eq!(board.active(1_100), &Faults::default());
    }

    #[test]
    fn ratio_and_target_decide_who_is_hit() {
        let weather = |value| Weather::of_collection(&Faults::parse(&value).unwrap());
        assert_eq!(weather(json!({"status": 500, "ratio": 0})).fate(), Fate::default());
        assert_eq!(weather(json!({"status": 500, "target": "platform"})).fate(), Fate::default());
        assert_eq!(weather(json!({"status": 500, "ratio": 1})).fate().status, Some(500));
        let half = weather(json!({"itemStatus": 500, "ratio": 0.5}));
        let hits = (0..1_000).filter(|_| half.item_status().is_some()).count();
        assert!((300..700).contains(&hits), "{hits}");
    }
}
