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
use super::redact::Redactor;
use super::track::Options;
use super::{Captured, Moment, Page};
use crate::fault::{Fault, Reason};
use crate::json;
use crate::settings::Contexts;
use crate::xdm::mapping;
use std::borrow::Cow;

/// How long names and regions are at most, in characters.
const MAX_CHARS: usize = 255;
/// Alloy's qualifier: what a link's URL ends in that is a download.
const DOWNLOADS: [&str; 15] = [
    "exe", "zip", "wav", "mp3", "mov", "mpg", "avi", "wmv", "pdf", "doc", "docx", "xls", "xlsx", "ppt",
    "pptx",
];
/// Attributes that start like this bring fields.
const DATA: &str = "data-xdm-";
/// The one whose value is a mapping.
const MAPPING: &str = "mapping";

/// Reads what the loader saw: `{button, keys, path}`, with the number of the mouse button, whether a key is held
/// that sends the result elsewhere, and the elements from the one that acts outwards. Each has its `tag` and
/// attributes, what `aria-labelledby` points at as `labelledby`; the first one also `href` (the whole URL, empty
/// where it is broken, only if it is a link), `text`, and `value` if that is a label. `None` if it does not count. What the site's attributes have wrong is
/// added to `faults`, by the attribute. What identifies a person does not come through `redact`.
pub fn capture(
    seen: &str,
    moment: &Moment,
    options: &Options,
    page: &dyn Page,
    redact: &mut Redactor<'_>,
    faults: &mut Vec<Fault>,
) -> Option<Captured> {
    let path: Vec<Element> =
        json::elements(json::find(seen, "path")?).map_while(|raw| raw.ok().map(Element)).collect();
    let (clicked, around) = path.split_first()?;
    let href = clicked.get("href");
    let main = match json::integer(json::find(seen, "button")?) {
        Some(0) => true,
        Some(1) if href.is_some() => false,
        _ => return None,
    };
    let stays = !main || json::find(seen, "keys").and_then(json::boolean) != Some(false);

    let address = href.as_deref().and_then(Address::read);
    let kind = match &address {
        _ if href.is_some() && clicked.get("download").is_some() => "download",
        Some(address) if address.is_download(options, page) => "download",
        Some(address) if address.is_exit(&moment.url, options) => "exit",
        _ => "other",
    };
    let leaves = match &address {
        Some(address) => address.host.is_some() && kind != "download" && clicked.opens_here(&moment.url),
        None => href.is_none() && clicked.submits() && around.iter().any(|element| element.is("form")),
    };

    let mut xdm = Object::new();
    xdm.text("eventType", "web.webinteraction.linkClicks");
    xdm.object("web", |web| {
        web.object("webInteraction", |interaction| {
            interaction.text("name", &redact.text(&clicked.name()));
            interaction.text("region", &redact.text(&region(around)));
            interaction.text("type", kind);
            interaction.text("URL", &redact.url(address.as_ref().map_or("", |address| &address.shown)));
            interaction.object("linkClicks", |measure| measure.number("value", 1));
        });
    });
    Some(Captured {
        moment: moment.clone(),
        xdm: xdm.close(),
        referrer: None,
        mapping: fields(&path, faults),
        contexts: Contexts::NONE,
        leaves: leaves && !stays,
        redacted: redact.count,
    })
}

/// An element as raw JSON.
struct Element<'a>(&'a str);

impl<'a> Element<'a> {
    fn get(&self, key: &str) -> Option<Cow<'a, str>> {
        json::find(self.0, key).and_then(json::string)
    }

    fn is(&self, tag: &str) -> bool {
        self.get("tag").is_some_and(|own| own == tag)
    }

    /// The first of these that has something to read.
    fn first(&self, keys: &[&str]) -> String {
        let texts = keys.iter().filter_map(|key| self.get(key)).map(|text| collapsed(&text));
        let mut texts = texts.filter(|text| !text.is_empty());
        texts.next().unwrap_or_default()
    }

    fn name(&self) -> String {
        self.first(&["labelledby", "aria-label", "value", "alt", "text", "title", "id"])
    }

    fn landmark(&self) -> Option<&'static str> {
        let role = self.get("role").unwrap_or_default().to_ascii_lowercase();
        let tag = self.get("tag").unwrap_or_default();
        Some(match role.split_ascii_whitespace().next().unwrap_or(&tag) {
            "banner" | "header" => "HEADER",
            "navigation" | "nav" => "NAV",
            "main" => "MAIN",
            "complementary" | "aside" => "ASIDE",
            "contentinfo" | "footer" => "FOOTER",
            "search" => "SEARCH",
            _ => return None,
        })
    }

    /// Whether a link opens in this very tab, and not just another place of the page.
    fn opens_here(&self, page: &str) -> bool {
        let target = self.get("target").unwrap_or_default().to_ascii_lowercase();
        let href = self.get("href").unwrap_or_default();
        let here = page.split('#').next().unwrap_or_default();
        let jumps = href.strip_prefix(here).is_some_and(|rest| rest.starts_with('#'));
        matches!(target.as_str(), "" | "_self" | "_top" | "_parent") && !jumps
    }

    /// Whether it submits a form, if it is in one.
    fn submits(&self) -> bool {
        let kind = self.get("type").unwrap_or_default().to_ascii_lowercase();
        match kind.as_str() {
            "button" | "reset" => false,
            _ => self.is("button") || self.is("input"),
        }
    }
}

fn region(around: &[Element]) -> String {
    for element in around {
        let text = element.first(&["id", "labelledby", "aria-label"]);
        if !text.is_empty() {
            return text;
        }
        if let Some(landmark) = element.landmark() {
            return String::from(landmark);
        }
    }
    String::from("BODY")
}

/// White space at the ends taken off, elsewhere made one space, and what is too long cut.
fn collapsed(text: &str) -> String {
    let mut out = String::new();
    let mut left = MAX_CHARS;
    for word in text.split_whitespace() {
        if !out.is_empty() {
            if left < 2 {
                break;
            }
            out.push(' ');
            left -= 1;
        }
        for char in word.chars().take(left) {
            out.push(char);
            left -= 1;
        }
    }
    out
}

/// A URL as the browser has parsed and written it.
struct Address<'a> {
    /// What may be shown of it; empty where it is no address.
    shown: String,
    scheme: &'a str,
    /// The host, without the dot of the root; `None` where the scheme has none.
    host: Option<&'a str>,
}

impl<'a> Address<'a> {
    fn read(url: &'a str) -> Option<Address<'a>> {
        let (scheme, rest) = url.split_once(':')?;
        let mut shown = String::new();
        if matches!(scheme, "javascript" | "data" | "blob") {
            return Some(Address { shown, scheme, host: None });
        }
        shown.push_str(scheme);
        shown.push(':');
        let Some(rest) = rest.strip_prefix("//") else {
            shown.push_str(rest);
            return Some(Address { shown, scheme, host: None });
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        shown.push_str("//");
        shown.push_str(authority);
        shown.push_str(path);
        Some(Address { shown, scheme, host: Some(host(authority)) })
    }

    fn is_download(&self, options: &Options, page: &dyn Page) -> bool {
        if self.host.is_none() {
            return false;
        }
        let bare = self.shown.split(['?', '#']).next().unwrap_or_default();
        match &options.download_link_qualifier {
            Some(pattern) => page.replace(bare, pattern, "").is_some_and(|rest| rest != bare),
            None => bare.rsplit_once('.').is_some_and(|(_, ending)| {
                DOWNLOADS.iter().any(|download| ending.eq_ignore_ascii_case(download))
            }),
        }
    }

    fn is_exit(&self, page: &str, options: &Options) -> bool {
        let own = Address::read(page).and_then(|page| page.host);
        let Some(host) = self.host.filter(|_| matches!(self.scheme, "http" | "https")) else {
            return false;
        };
        let below = |domain: &String| {
            let domain = domain.to_ascii_lowercase();
            host.strip_suffix(&domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        own != Some(host) && !options.internal_domains.iter().any(below)
    }
}

/// The host of `host:port`.
fn host(authority: &str) -> &str {
    let end = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let host = authority.get(..end).unwrap_or_default();
    host.strip_suffix('.').unwrap_or(host)
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
