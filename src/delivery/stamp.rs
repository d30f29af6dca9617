//! Pure: who lives and who sends, where the browser has no Web Locks (an insecure page, an old browser).
//!
//! A stamp in storage says until when its owner counts as living. It is renewed long before that, and a
//! page that crashed is given up when it runs out.

use crate::json::push_int;
use crate::time::Millis;

/// How long a stamp holds: a hidden page's timers may run once a minute.
const HOLDS_MS: Millis = 150_000;
/// How often it is renewed, in milliseconds.
pub const RENEW_EVERY_MS: Millis = 30_000;

/// The stamp of `owner`, as of now.
pub fn stamp(owner: &str, wall: Millis) -> String {
    let mut text = String::new();
    push_int(&mut text, wall.saturating_add(HOLDS_MS));
    text.push(' ');
    text.push_str(owner);
    text
}

/// The owner of a stamp that holds. One that claims to hold for longer than any can is not believed:
/// somebody has set the clock back.
pub fn holder(text: &str, wall: Millis) -> Option<&str> {
    let (until, owner) = text.split_once(' ')?;
    let left = until.parse::<Millis>().ok()?.checked_sub(wall)?;
    (0..=HOLDS_MS).contains(&left).then_some(owner)
}
