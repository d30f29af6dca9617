//! Pure: who lives and who sends, where Web Locks cannot be had (an insecure page, an old browser, Firefox).
//!
//! A stamp in storage says until when its owner counts as living. It is renewed long before that, and at
//! once when another page comes. So a page that crashed is given up when its stamp runs out, or when it
//! has not answered to one that came later.

use crate::json::push_int;
use crate::time::Millis;

/// How long a stamp holds: a hidden page's timers may run once a minute.
const HOLDS_MS: Millis = 150_000;
/// How often it is renewed, in milliseconds.
pub const RENEW_EVERY_MS: Millis = 30_000;
/// How long a page has to answer, in milliseconds: one that is busy is not dead.
pub const ANSWER_MS: Millis = 3_000;

/// The stamp of `owner`, as of now.
pub fn stamp(owner: &str, wall: Millis) -> String {
    let mut text = String::new();
    push_int(&mut text, wall.saturating_add(HOLDS_MS));
    text.push(' ');
    text.push_str(owner);
    text
}

/// The owner of a stamp that holds, for a page that came at `since`. One that claims to hold for longer than
/// any can is not believed: somebody has set the clock back.
pub fn holder(text: &str, wall: Millis, since: Millis) -> Option<&str> {
    let (until, owner) = text.split_once(' ')?;
    let left = until.parse::<Millis>().ok()?.checked_sub(wall)?;
    let age = HOLDS_MS.checked_sub(left).filter(|age| (0..=HOLDS_MS).contains(age))?;
    let here = wall.saturating_sub(since);
    (here < ANSWER_MS || age <= here).then_some(owner)
}
