//! Pure: which errors count, and what is told of one.
//!
//! # What counts
//!
//! What was thrown and not caught, and promises that were rejected and not handled, whatever the value is. Not
//! what could not be loaded, nor that observers of sizes are late ("ResizeObserver loop …"), which browsers tell in
//! the same way but which is no fault.
//!
//! Of a page load at most [`MAX_ERRORS`] are told, and one that says the same as another in all its details once: an
//! error in a loop is one error. What is behind that many differing errors, the first of them tell.
//!
//! # What is told
//!
//! `kind` is the event's name: `error` or `unhandledrejection`. `name`, `message` and `stack` are those of what was
//! thrown; a value that has no `message` is shown as text if it is none that holds others, and else by its kind
//! (`[object Object]`). `source`, `line` and `column` say where it was thrown, as the browser says of an `error`; a
//! rejection has its stack alone.
//!
//! A stack is frames, one a line, without the name and message that Chromium begins with.

use super::context::Object;
use super::element::{Address, CUT, Element, cut};
use super::redact::Redactor;
use super::track::Options;
use super::{Captured, Moment};
use crate::json;

const EVENT_TYPE: &str = "web.error";
/// How many errors a page load tells.
const MAX_ERRORS: usize = 10;
const MAX_FRAMES: usize = 10;
/// How long each text, and each frame, is at most, in characters.
const MAX_CHARS: usize = 255;

/// Reads what the loader saw: `{kind, name, message, stack, source, line, column}`, each but the first only if it is
/// known; a name or message whose rest was not read ends in U+0000. `told` has the errors that this page load has
/// told. `None` if it does not count.
pub fn capture(
    seen: &str,
    moment: &Moment,
    options: &Options,
    redact: &mut Redactor<'_>,
    told: &mut Vec<String>,
) -> Option<Captured> {
    let error = Element(seen);
    let (kind, name, message) = (error.get("kind"), error.first(&["name"]), error.get("message"));
    let is_late = name.is_empty() && message.starts_with("ResizeObserver loop");
    if told.len() >= MAX_ERRORS || is_late || !matches!(kind.as_str(), "error" | "unhandledrejection") {
        return None;
    }
    let mut out = Object::new();
    out.text("kind", &kind);
    out.text("name", cut(&redact.text(&name), MAX_CHARS));
    // It may well hold a URL.
    out.text("message", cut(&redact.url(&error.first(&["message"])), MAX_CHARS));
    out.text("stack", &frames(calls(&error.get("stack"), &message), redact));
    out.text("source", &redact.url(&Address::read(&error.get("source")).shown));
    for key in ["line", "column"] {
        let number = json::find(seen, key).and_then(json::integer).and_then(|at| i32::try_from(at).ok());
        if let Some(at) = number.filter(|at| *at > 0) {
            out.number(key, at);
        }
    }
    let details = out.close();
    if told.contains(&details) {
        return None;
    }
    let captured = Captured::told(EVENT_TYPE, moment, options.path("errors"), &details, redact.count);
    told.push(details);
    Some(captured)
}

/// A stack without the name and message at its beginning: `TypeError: message`, and frames from the next line on.
fn calls<'a>(stack: &'a str, message: &str) -> &'a str {
    match stack.split_once(message.trim_end_matches(CUT)) {
        Some((name, rest)) if name.ends_with(": ") && !name.contains(['\n', '@']) => rest,
        _ => stack,
    }
}

/// The innermost frames: `at call (URL:1:2)` or `call@URL:1:2`. All else is a message, which stands elsewhere.
fn frames(stack: &str, redact: &mut Redactor<'_>) -> String {
    let mut out = String::new();
    let mut left = MAX_FRAMES;
    for line in stack.lines() {
        if left == 0 {
            break;
        }
        // Each by itself: a parameter goes on to the end of what is looked at.
        let line = redact.url(line.trim());
        if line.starts_with("at ") || line.contains('@') {
            left -= 1;
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(cut(&line, MAX_CHARS));
        }
    }
    out
}
