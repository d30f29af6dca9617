//! Pure: what a click is called, where it stands on the page, and where it leads.
//!
//! # What counts
//!
//! The innermost element, from the one that was hit outwards through open shadow roots, that acts on a
//! click: a link (`a` or `area` with `href`, an SVG `a` with `href` or `xlink:href`), a `button`, an `input`
//! of type submit, button, reset or image, a `summary`, an element with the role button, link, menuitem or
//! tab, or with an `onclick` attribute. Handlers that scripts have added cannot be seen: a role can.
//!
//! A click of the main button, whatever keys are held (a new tab or window is still a click), a middle click
//! on a link, and the click that a key makes (enter on a link; enter or space on a button; enter in a field,
//! which presses the form's button). Each click of a double click counts, since each of them acts. It counts,
//! too, when the page prevents what it would do, as routers do with every link, or keeps it to itself.
//!
//! Nothing counts in a field that takes input (the rest of the inputs, `select`, `textarea`, what is being
//! edited), not even for what is around it; on what is disabled (also by `aria-disabled`); a click of any other
//! button; a click that a script has made; and what happens in a closed shadow root.
//!
//! # Name
//!
//! The first of these that is there: what `aria-labelledby` points at; `aria-label`; the label of an input
//! (`value` of type submit, button or reset, never of another); `alt`; the text, with the `alt` of images in
//! it, and without what is hidden by `hidden` or `aria-hidden`, scripts, styles and fields; `title`; `id`.
//!
//! # Region
//!
//! From the parent outwards, the first element that has one of these: an `id`; a label (`aria-labelledby`,
//! `aria-label`); a landmark role, or without a role an element that is a landmark. Landmarks are called by
//! their element: HEADER (banner), NAV (navigation), MAIN, ASIDE (complementary), FOOTER (contentinfo), SEARCH.
//! `BODY` if there is none.
//!
//! # Type
//!
//! `download`: a link with a `download` attribute, even an empty one, or whose URL the qualifier matches, in
//! any case, without query and fragment. `exit`: a link by http or https to a host that is neither the page's
//! nor one of `internalDomains` nor below one of these; ports do not count. `other`: all else.
//!
//! The URL is a link's, without user name and password, and left out for `javascript:`, `data:` and `blob:`,
//! which are contents rather than addresses, and where it is broken.
//!
//! # Fields of the site's own
//!
//! Attributes of what was clicked and of all that is around it add fields, of any path the nearest:
//! `data-xdm-mapping='{"commerce.productListAdds.value": 1}'` is a mapping like that of `sendEvent`;
//! `data-xdm-marketing.tracking-code="spring"` is one field with a text, the path written as `dataset` has it:
//! `-c` for `C`. A name without a dot belongs to page views. What makes no sense is left out.

use super::context::Object;
use super::element::{Address, Element, before, cut};
use super::redact::Redactor;
use super::track::Options;
use super::{Captured, Moment, Page};
use crate::fault::{Fault, Reason};
use crate::json;
use crate::settings::Contexts;
use crate::xdm::mapping;

/// How long names and regions are at most, in characters.
const MAX_CHARS: usize = 255;
/// Alloy's qualifier: what a link's URL ends in that is a download.
const DOWNLOADS: [&str; 15] = [
    "exe", "zip", "wav", "mp3", "mov", "mpg", "avi", "wmv", "pdf", "doc", "docx", "xls", "xlsx", "ppt",
    "pptx",
];
/// Where a name is looked for, and the text of a region.
const NAMES: [&str; 7] = ["labelledby", "aria-label", "value", "alt", "text", "title", "id"];
const REGIONS: [&str; 3] = ["id", "labelledby", "aria-label"];
/// By role, or by element: what a landmark is called.
const LANDMARKS: [(&str, &str, &str); 6] = [
    ("banner", "header", "HEADER"),
    ("navigation", "nav", "NAV"),
    ("main", "main", "MAIN"),
    ("complementary", "aside", "ASIDE"),
    ("contentinfo", "footer", "FOOTER"),
    ("search", "search", "SEARCH"),
];
/// Attributes that start like this bring fields.
const DATA: &str = "data-xdm-";
/// The one whose value is a mapping.
const MAPPING: &str = "mapping";

/// Reads what the loader saw: `{button, keys, path}`, with the number of the mouse button, whether a key is held
/// that sends the result elsewhere, and the elements from the one that acts outwards. Each has its `tag` and
/// attributes, and as `labelledby` the text that `aria-labelledby` points at; the first one also `href` (the whole
/// URL, empty where it is broken; only if it is a link), `text`, and `value` if that is a label. A text whose rest
/// was not read ends in U+0000. `None` if it does not count. What the site's attributes have wrong is added to
/// `faults`, by the attribute. What identifies a person does not come through `redact`.
pub fn capture(
    seen: &str,
    moment: &Moment,
    options: &Options,
    page: &dyn Page,
    redact: &mut Redactor<'_>,
    faults: &mut Vec<Fault>,
) -> Option<Captured> {
    let mut path = Vec::new();
    for element in json::elements(json::find(seen, "path")?) {
        path.push(Element(element.ok()?));
    }
    let (clicked, around) = path.split_first()?;
    let is_link = clicked.has("href");
    let main = match json::integer(json::find(seen, "button")?) {
        Some(0) => true,
        Some(1) if is_link => false,
        _ => return None,
    };
    let elsewhere = !main || json::find(seen, "keys") != Some("false");

    let href = clicked.get("href");
    let address = Address::read(&href);
    let kind = if is_link && clicked.has("download") || address.is_download(options, page) {
        "download"
    } else if address.is_exit(&moment.url, options) {
        "exit"
    } else {
        "other"
    };
    let leaves = if is_link {
        !address.host.is_empty() && kind != "download" && clicked.opens_here(&href, &moment.url)
    } else {
        clicked.submits() && around.iter().any(|element| element.get("tag") == "form")
    };

    let mut xdm = Object::new();
    xdm.text("eventType", "web.webinteraction.linkClicks");
    xdm.object("web", |web| {
        web.object("webInteraction", |interaction| {
            // What identifies a person goes before a part of it is cut off, and can no longer be told.
            interaction.text("name", cut(&redact.text(&clicked.first(&NAMES)), MAX_CHARS));
            interaction.text("region", cut(&redact.text(&region(around)), MAX_CHARS));
            interaction.text("type", kind);
            interaction.text("URL", &redact.url(&address.shown));
            interaction.object("linkClicks", |measure| measure.number("value", 1));
        });
    });
    Some(Captured {
        moment: moment.clone(),
        xdm: xdm.close(),
        referrer: None,
        mapping: fields(&path, faults),
        contexts: Contexts::NONE,
        past: false,
        redacted: redact.count,
        leaves: leaves && !elsewhere,
    })
}

impl Element<'_> {
    /// What it is called as a landmark; empty if it is none.
    fn landmark(&self) -> &'static str {
        let role = self.word("role");
        let tag = self.get("tag");
        let name = role.split_ascii_whitespace().next().unwrap_or(&tag);
        let known = LANDMARKS.iter().find(|(role, tag, _)| name == *role || name == *tag);
        known.map_or("", |(_, _, landmark)| landmark)
    }

    /// Whether a link to `href` opens in this very tab, and not just another place of the page.
    fn opens_here(&self, href: &str, page: &str) -> bool {
        let jumps = href.contains('#') && before(href, b"#") == before(page, b"#");
        ["", "_self", "_top", "_parent"].contains(&self.word("target").as_str()) && !jumps
    }

    /// Whether it submits a form, if it is in one.
    fn submits(&self) -> bool {
        matches!(self.get("tag").as_str(), "button" | "input")
            && !matches!(self.word("type").as_str(), "button" | "reset")
    }
}

fn region(around: &[Element]) -> String {
    for element in around {
        let text = element.first(&REGIONS);
        let landmark = element.landmark();
        if !text.is_empty() {
            return text;
        }
        if !landmark.is_empty() {
            return String::from(landmark);
        }
    }
    String::from("BODY")
}

impl Address<'_> {
    fn is_download(&self, options: &Options, page: &dyn Page) -> bool {
        if self.host.is_empty() {
            return false;
        }
        let bare = before(&self.shown, b"?#");
        match &options.download_link_qualifier {
            Some(pattern) => page.replace(bare, pattern, "").is_some_and(|rest| rest != bare),
            None => {
                let ending = bare.bytes().rposition(|byte| byte == b'.').and_then(|at| bare.get(at + 1..));
                let mut downloads = DOWNLOADS.iter();
                downloads.any(|download| ending.is_some_and(|ending| ending.eq_ignore_ascii_case(download)))
            }
        }
    }

    fn is_exit(&self, page: &str, options: &Options) -> bool {
        self.is_web && !options.is_internal(self.host, page)
    }
}

/// The fields that attributes bring, as one flat mapping. What does not fit what is nearer is left out.
fn fields(path: &[Element], faults: &mut Vec<Fault>) -> String {
    let mut flat = String::from("{");
    for element in path {
        for (name, value) in json::members(element.0).map_while(Result::ok) {
            let name = &json::unescape(name);
            let Some(key) = name.strip_prefix(DATA) else { continue };
            if key == MAPPING {
                let text = json::string(value).unwrap_or_default();
                let broken = json::members(&text).find_map(Result::err);
                faults.extend(broken.clone().map(|fault| fault.in_key(name)));
                if broken.is_none() {
                    for (path, value) in json::members(&text).map_while(Result::ok) {
                        let path = json::unescape(path);
                        faults.extend(add(&mut flat, &path, value).map(|fault| fault.in_key(name)));
                    }
                }
            } else if key.contains('.') {
                faults.extend(add(&mut flat, &camel(key), value).map(|fault| Fault::at(fault.reason, name)));
            }
        }
    }
    if flat.len() > 1 {
        flat.push('}');
        return flat;
    }
    String::new()
}

/// Adds a member to an object that is not closed yet, if it makes sense with what is there.
fn add(flat: &mut String, path: &str, value: &str) -> Option<Fault> {
    let before = flat.len();
    if before > 1 {
        flat.push(',');
    }
    json::push_string(flat, path);
    flat.push(':');
    flat.push_str(value);
    flat.push('}');
    let fault = mapping::nest(flat).err();
    flat.truncate(if fault.is_some() { before } else { flat.len() - 1 });
    // Of one path the nearest value counts, and is there already.
    fault.filter(|fault| fault.reason != Reason::DuplicatePath)
}

/// `tracking-code` as `trackingCode`.
fn camel(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut dash = false;
    for char in key.chars() {
        if dash && !char.is_ascii_lowercase() {
            out.push('-');
        }
        if char != '-' {
            out.push(if dash { char.to_ascii_uppercase() } else { char });
        }
        dash = char == '-';
    }
    out
}
