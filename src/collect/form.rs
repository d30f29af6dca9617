//! Pure: which submitted forms count, and what is told of one.
//!
//! # What counts
//!
//! A form that is submitted by a person or by `requestSubmit()`, once its fields have been found valid. It
//! counts, too, when the page prevents what the browser would do, as forms do that are sent by `fetch`. The
//! same form once more within [`AGAIN_MS`] is a double click, or a page that submits what it has looked at.
//!
//! # What is told
//!
//! `name` and `id` are attributes of the form. `action` is the URL that the browser would send it to, which is
//! the submitter's if it has one, and the page's own without any; it is left out for `method="dialog"`, which sends
//! nothing, and like the URL of a click.
//!
//! `fieldsFilled` has the names of fields that held something, in the order of the form, each name once: `name`, or
//! else `id`, or else `aria-label`; what has none of them cannot be called. A text holds something if it has more
//! than white space, a checkbox and a radio button when it is checked, a select when an option with a value is
//! selected. Buttons, hidden fields, and what is disabled hold nothing that anybody has filled in. What a
//! field holds does not come here.

use super::context::Object;
use super::element::{Address, Element, cut};
use super::redact::Redactor;
use super::track::Options;
use super::{Captured, Moment};
use crate::json;
use crate::xdm::event_types::WEB_FORM_FILLED_OUT;

/// Submits of a form that follow each other within this time are one: a double click takes half a second, and
/// nobody corrects a field in one.
const AGAIN_MS: i64 = 1_000;
/// How many fields are named: with a hundred characters each they fit an event that Profile takes.
const MAX_FIELDS: usize = 50;
const MAX_FIELD_CHARS: usize = 100;
const MAX_CHARS: usize = 255;
/// Where the name of a field is looked for.
const NAMES: [&str; 3] = ["name", "id", "aria-label"];

/// Reads what the loader saw: `{name, id, action, method, since, fields}`, with the whole URL for `action`, and since
/// how many milliseconds the same form was submitted before, if it was. Each field has its `tag`, attributes, whether
/// it is `disabled`, whether it `holds` something, and whether it is `checked`. A text whose rest was not read ends in
/// U+0000. `None` if it does not count.
pub fn capture(
    seen: &str,
    moment: &Moment,
    options: &Options,
    redact: &mut Redactor<'_>,
) -> Option<Captured> {
    let fields = json::find(seen, "fields")?;
    if json::find(seen, "since").and_then(json::integer).is_some_and(|since| since < AGAIN_MS) {
        return None;
    }
    let mut details = String::new();
    let path = options.path("forms");
    if path.is_some() {
        let form = Element(seen);
        let mut out = Object::new();
        for key in ["name", "id"] {
            out.text(key, cut(&redact.text(&form.first(&[key])), MAX_CHARS));
        }
        if form.word("method") != "dialog" {
            out.text("action", &redact.url(&Address::read(&form.get("action")).shown));
        }
        let mut names: Vec<String> = Vec::new();
        for field in json::elements(fields).map_while(Result::ok).map(Element) {
            let name = field.first(&NAMES);
            if names.len() < MAX_FIELDS && is_filled(&field) && !name.is_empty() {
                let name = String::from(cut(&redact.text(&name), MAX_FIELD_CHARS));
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        out.texts("fieldsFilled", &names);
        details = out.close();
    }
    Some(Captured {
        leaves: true,
        ..Captured::told(WEB_FORM_FILLED_OUT, moment, path, &details, redact.count)
    })
}

/// Whether a person has filled it in, as far as it tells.
fn is_filled(field: &Element) -> bool {
    let is = |key| json::find(field.0, key) == Some("true");
    let tag = field.get("tag");
    let by_mark = match (tag.as_str(), field.word("type").as_str()) {
        ("input", "checkbox" | "radio") => true,
        ("input", "hidden" | "submit" | "button" | "reset" | "image") => return false,
        ("input" | "select" | "textarea", _) => false,
        // An element of the page's own.
        _ if tag.contains('-') => field.has("checked"),
        _ => return false,
    };
    !is("disabled") && is(if by_mark { "checked" } else { "holds" })
}
