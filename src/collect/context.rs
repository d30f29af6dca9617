//! Pure: the automatic context of an event.

use super::redact::Redactor;
use super::referrer;
use super::track;
use crate::delivery::Now;
use crate::json;
use crate::settings::Contexts;
use crate::time::{self, Millis};

/// `implementationDetails.name`: a URI of our own, as the schema asks.
const IMPLEMENTATION: &str = "urn:xdm-beacon:web";
/// No screen or window is larger than this many pixels; a value beyond it is a fault of the platform.
const MAX_PIXELS: f64 = 100_000.0;
/// No client hint is longer than this; one beyond it is a fault of the platform.
const MAX_HINT_BYTES: usize = 100;
/// What RFC 3339 can write as an offset, in minutes.
const MAX_OFFSET: f64 = 1_439.0;

/// Where and when a command was called, which may have been before the library was there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Moment {
    /// Time of the call.
    pub now: Millis,
    /// `location.href`
    pub url: String,
    /// `document.title`
    pub title: String,
    /// `document.referrer`
    pub referrer: String,
}

/// What the browser says of itself, as it says it. Lengths are CSS pixels.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reading {
    /// `screen.width`
    pub screen_width: f64,
    /// `screen.height`
    pub screen_height: f64,
    /// `screen.orientation.type`, e.g. `landscape-primary`; empty where unknown
    pub orientation: String,
    /// `screen.colorDepth`
    pub color_depth: f64,
    /// `document.documentElement.clientWidth`
    pub viewport_width: f64,
    /// `document.documentElement.clientHeight`
    pub viewport_height: f64,
    /// `navigator.language`
    pub language: String,
    /// `Date.prototype.getTimezoneOffset` at the time of the event: minutes, positive west of UTC
    pub timezone_offset: f64,
    /// IANA name of the zone; empty while unknown
    pub time_zone: String,
    /// `navigator.connection.type`; empty where the platform does not tell
    pub connection: String,
    /// What `navigator.userAgentData.getHighEntropyValues` gave, as JSON text; empty while unknown
    pub hints: String,
}

/// What the core asks of the page. The browser layer answers; tests have a twin in memory.
pub trait Page {
    /// Both clocks.
    fn clocks(&self) -> Now;
    /// The browser's properties at time `at`.
    fn reading(&self, at: Millis) -> Reading;
    /// Sixteen random bytes.
    fn entropy(&self) -> [u8; 16];
    /// Whether `fetch` here knows `keepalive`.
    fn has_keepalive(&self) -> bool;
    /// What an earlier page of this tab was told to remember under this name; empty without.
    fn recall(&self, name: &str) -> String;
    /// Whether this browser has `fetchLater`.
    fn has_deferred(&self) -> bool;
    /// The record of a decision about consent that is kept under this key; empty without. `on_disk`: not
    /// only in this page's memory.
    fn consent(&self, key: &str, on_disk: bool) -> String;
    /// Whether the browser says by Global Privacy Control that its user wants privacy.
    fn wishes_privacy(&self) -> bool;
    /// `location.href`
    fn url(&self) -> String;
    /// `document.cookie`; empty where it cannot be read.
    fn cookies(&self) -> String;
    /// Writes to `document.cookie`.
    fn set_cookie(&self, cookie: &str);
    /// What local storage has under a key; empty without.
    fn stored(&self, key: &str) -> String;
    /// Puts a text into local storage; an empty one removes what is there.
    fn store(&self, key: &str, text: &str);
    /// What the Visitor service has for an organisation, if the page has one; empty without.
    fn visitor_ecid(&self, org: &str) -> String;
    /// The text with all that a JavaScript regular expression matches, in any case, replaced; `None` when
    /// it is none.
    fn replace(&self, text: &str, pattern: &str, with: &str) -> Option<String>;
}

/// Writes the chosen contexts as one XDM object. `news` is where the visitor came from, if that is to be
/// told: [`referrer::Trail::news`]. What identifies a person does not come through `redact`.
pub fn context(
    chosen: Contexts,
    moment: &Moment,
    news: Option<&str>,
    tracking: &track::Options,
    page: &dyn Page,
    redact: &mut Redactor<'_>,
) -> String {
    let mut out = Object::new();
    if chosen.has(Contexts::WEB) {
        out.object("web", |web| {
            web.object("webPageDetails", |details| {
                details.text("URL", &redact.url(&moment.url));
                details.text("name", &redact.text(&moment.title));
            });
            if let Some(before) = news {
                web.object("webReferrer", |referrer| {
                    referrer.text("URL", &redact.url(before));
                    referrer.text("type", referrer::kind(before, &moment.url, tracking));
                });
            }
        });
    }
    if chosen.has_any(Contexts::BROWSER) {
        let reading = page.reading(moment.now);
        if chosen.has(Contexts::DEVICE) {
            out.object("device", |device| {
                device.pixels("screenHeight", reading.screen_height);
                device.pixels("screenWidth", reading.screen_width);
                if let Some(side @ ("portrait" | "landscape")) = reading.orientation.split('-').next() {
                    device.text("screenOrientation", side);
                }
            });
        }
        let browser = chosen.has(Contexts::ENVIRONMENT);
        out.object("environment", |environment| {
            if browser {
                environment.text("type", "browser");
                environment.pixels("colorDepth", reading.color_depth);
                environment.text("connectionType", connection(&reading.connection));
            }
            environment.object("browserDetails", |details| {
                if browser {
                    details.pixels("viewportHeight", reading.viewport_height);
                    details.pixels("viewportWidth", reading.viewport_width);
                }
                if chosen.has(Contexts::HINTS) {
                    details.object("userAgentClientHints", |hints| write_hints(hints, &reading.hints));
                }
            });
            if browser && is_language_tag(&reading.language) {
                environment.object("_dc", |dc| dc.text("language", &reading.language));
            }
        });
        if chosen.has(Contexts::PLACE) {
            out.object("placeContext", |place| {
                if let Some(west) = whole(reading.timezone_offset, -MAX_OFFSET, MAX_OFFSET) {
                    place.text("localTime", &time::rfc3339_offset(moment.now, -west));
                    place.number("localTimezoneOffset", west);
                }
                place.text("ianaTimezone", &reading.time_zone);
            });
        }
    }
    if chosen.has(Contexts::IMPLEMENTATION) {
        out.object("implementationDetails", |details| {
            details.text("name", IMPLEMENTATION);
            details.text("version", env!("CARGO_PKG_VERSION"));
            details.text("environment", "browser");
        });
    }
    out.close()
}

/// XDM's word for a connection; empty where it has none that is sure to be right. What a browser calls
/// `effectiveType` is no kind of connection but how fast it is.
fn connection(kind: &str) -> &'static str {
    match kind {
        "wifi" => "wireless_wifi",
        "cellular" => "mobile",
        "ethernet" => "lan",
        _ => "",
    }
}

/// The hints that the browser gave, each if it is of its kind. Those that come along unasked are written, too:
/// a version of a platform says nothing without its name.
fn write_hints(hints: &mut Object, given: &str) {
    for key in ["architecture", "bitness", "model", "platform", "platformVersion"] {
        let text = json::find(given, key).and_then(json::string).unwrap_or_default();
        if text.len() <= MAX_HINT_BYTES {
            hints.text(key, &text);
        }
    }
    for key in ["mobile", "wow64"] {
        let raw = json::find(given, key).unwrap_or_default();
        if json::boolean(raw).is_some() {
            hints.raw(key, raw);
        }
    }
}

/// The number as an integer if it is one, from `low` to `high`.
fn whole(value: f64, low: f64, high: f64) -> Option<i32> {
    // NaN fails both comparisons.
    let integer = value as i32;
    (value >= low && value <= high && f64::from(integer) == value).then_some(integer)
}

/// A tag that XDM's pattern takes (BCP 47): language, then script, region, variants and extensions in
/// this order. Extended languages and the tags registered before there were rules are refused.
fn is_language_tag(tag: &str) -> bool {
    const LANGUAGE: u8 = 0;
    const SCRIPT: u8 = 1;
    const REGION: u8 = 2;
    const VARIANT: u8 = 3;
    const EXTENSION: u8 = 4;
    const IN_EXTENSION: u8 = 5;

    let mut last = None;
    let fits = tag.split('-').all(|part| {
        let alphanumeric = part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let letters = part.bytes().all(|byte| byte.is_ascii_alphabetic());
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let kind = match (part.len(), last) {
            (2..=8, None) if letters => LANGUAGE,
            (_, None) => return false,
            (1, _) => EXTENSION,
            (2..=8, Some(EXTENSION | IN_EXTENSION)) => IN_EXTENSION,
            (4, _) if letters => SCRIPT,
            (2, _) if letters => REGION,
            (3, _) if digits == 3 => REGION,
            (4, _) if digits > 0 => VARIANT,
            (5..=8, _) => VARIANT,
            _ => return false,
        };
        let in_order = last.is_none_or(|last| {
            kind > last
                || matches!((last, kind), (VARIANT, VARIANT) | (IN_EXTENSION, EXTENSION | IN_EXTENSION))
        });
        last = Some(kind);
        alphanumeric && in_order
    });
    fits && last != Some(EXTENSION)
}

/// Writes one JSON object; empty values and empty objects leave no trace.
pub(super) struct Object {
    text: String,
}

impl Object {
    pub(super) fn new() -> Object {
        Object { text: String::from("{") }
    }

    fn key(&mut self, key: &str) {
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        json::push_string(&mut self.text, key);
        self.text.push(':');
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.key(key);
            json::push_string(&mut self.text, value);
        }
    }

    /// An array of texts, none of which is empty.
    pub(super) fn texts(&mut self, key: &str, values: &[String]) {
        let mut mark = '[';
        for value in values {
            if mark == '[' {
                self.key(key);
            }
            self.text.push(mark);
            json::push_string(&mut self.text, value);
            mark = ',';
        }
        if mark == ',' {
            self.text.push(']');
        }
    }

    /// A value that is JSON text already.
    pub(super) fn raw(&mut self, key: &str, value: &str) {
        self.key(key);
        self.text.push_str(value);
    }

    pub(super) fn number(&mut self, key: &str, value: i32) {
        self.key(key);
        json::push_int(&mut self.text, i64::from(value));
    }

    pub(super) fn boolean(&mut self, key: &str, value: bool) {
        self.key(key);
        self.text.push_str(if value { "true" } else { "false" });
    }

    /// A length or depth: a whole number above zero.
    fn pixels(&mut self, key: &str, value: f64) {
        if let Some(value) = whole(value, 1.0, MAX_PIXELS) {
            self.number(key, value);
        }
    }

    pub(super) fn object(&mut self, key: &str, write: impl FnOnce(&mut Object)) {
        let before = self.text.len();
        self.key(key);
        self.text.push('{');
        let inside = self.text.len();
        write(self);
        if self.text.len() > inside {
            self.text.push('}');
        } else {
            self.text.truncate(before);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.len() == 1
    }

    pub(super) fn close(mut self) -> String {
        self.text.push('}');
        self.text
    }
}
