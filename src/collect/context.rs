//! Pure: the automatic context of an event.

use crate::delivery::Now;
use crate::json;
use crate::settings::Contexts;
use crate::time::{self, Millis};

/// `implementationDetails.name`: a URI of our own, as the schema asks.
const IMPLEMENTATION: &str = "urn:xdm-beacon:web";
/// No screen or window is larger than this many pixels; a value beyond it is a fault of the platform.
const MAX_PIXELS: f64 = 100_000.0;
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
}

/// Writes the chosen contexts as one XDM object.
pub fn context(chosen: Contexts, moment: &Moment, page: &dyn Page) -> String {
    let mut out = Object::new();
    if chosen.has(Contexts::WEB) {
        out.object("web", |web| {
            web.object("webPageDetails", |details| {
                details.text("URL", &moment.url);
                details.text("name", &moment.title);
            });
            web.object("webReferrer", |referrer| referrer.text("URL", &moment.referrer));
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
        if chosen.has(Contexts::ENVIRONMENT) {
            out.object("environment", |environment| {
                environment.text("type", "browser");
                environment.pixels("colorDepth", reading.color_depth);
                environment.object("browserDetails", |details| {
                    details.pixels("viewportHeight", reading.viewport_height);
                    details.pixels("viewportWidth", reading.viewport_width);
                });
                environment.object("_dc", |dc| {
                    if is_language_tag(&reading.language) {
                        dc.text("language", &reading.language);
                    }
                });
            });
        }
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
struct Object {
    text: String,
}

impl Object {
    fn new() -> Object {
        Object { text: String::from("{") }
    }

    fn key(&mut self, key: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        json::push_string(&mut self.text, key);
        self.text.push(':');
    }

    fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.key(key);
            json::push_string(&mut self.text, value);
        }
    }

    fn number(&mut self, key: &str, value: i32) {
        self.key(key);
        json::push_int(&mut self.text, i64::from(value));
    }

    /// A length or depth: a whole number above zero.
    fn pixels(&mut self, key: &str, value: f64) {
        if let Some(value) = whole(value, 1.0, MAX_PIXELS) {
            self.number(key, value);
        }
    }

    fn object(&mut self, key: &str, write: impl FnOnce(&mut Object)) {
        let mut inner = Object::new();
        write(&mut inner);
        if inner.text.len() > 1 {
            let inner = inner.close();
            self.key(key);
            self.text.push_str(&inner);
        }
    }

    fn close(mut self) -> String {
        self.text.push('}');
        self.text
    }
}
