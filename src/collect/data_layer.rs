//! Pure: what a page pushes into its data layer, as events: the option `dataLayer`.
//!
//! The mapping has an entry for each event that is forwarded, by its name; `*` is for all that have none of
//! their own, and `null` for one that is not forwarded. An entry has paths of XDM, and for each what is put there:
//!
//! - a text is a path into what was pushed. Where nothing is there, the field is left out;
//! - a number, `true` or `false` is itself;
//! - `{"value": …}` is anything else that is always the same.
//!
//! `eventType` is such a path, too; without one, the event is of the type that it was pushed as. `[*]` in a path of
//! XDM makes an array: what is read has a `[*]`, too, and gives an element for each of its own; what has none is
//! the same in all of them. Elements of which nothing was read are left out.
//!
//! Values keep the types they have. One that no event can hold, as an array with an empty element, is left out.

use super::context::Object;
use super::{Captured, Moment};
use crate::fault::{Fault, Reason};
use crate::json::{self, Elements, Kind};
use crate::settings::{Contexts, each, required, string};
use crate::xdm::{mapping, path};

/// Stands for each element of an array.
const EACH: &str = "[*]";
const EVENT_TYPE: &str = "eventType";

/// `dataLayer`: which one it is, and what of it is forwarded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// `{"name":…,"kind":…,"mapping":…}` for the loader: the global variable, `acdl` or `array`, and the paths that
    /// are to be read.
    plan: String,
    mapping: String,
}

impl Options {
    /// Reads the option.
    ///
    /// # Errors
    /// A part that is missing, unknown or of the wrong kind; paths of an entry that contradict each other.
    pub fn parse(raw: &str) -> Result<Options, Fault> {
        let (mut name, mut is_array, mut entries) = (None, false, None);
        each(raw, |key, raw| {
            match key {
                "name" => name = Some(string(raw)?),
                "kind" => {
                    is_array = match json::string(raw).as_deref() {
                        Some("acdl") => false,
                        Some("array") => true,
                        _ => return Err(Fault::new(Reason::NotADataLayer)),
                    }
                }
                "mapping" => {
                    each(raw, |_, entry| check(entry))?;
                    entries = Some(String::from(raw));
                }
                _ => return Err(Fault::new(Reason::UnknownOption)),
            }
            Ok(())
        })?;
        let mapping = required(entries, "mapping")?;
        let (kind, usual) = if is_array { ("array", "dataLayer") } else { ("acdl", "adobeDataLayer") };
        let mut plan = String::from("{\"kind\":\"");
        plan.push_str(kind);
        plan.push_str("\",\"name\":");
        json::push_string(&mut plan, name.as_deref().unwrap_or(usual));
        plan.push_str(",\"mapping\":");
        plan.push_str(&mapping);
        plan.push('}');
        Ok(Options { plan, mapping })
    }
}

/// Checks an entry: that its paths are paths, and fit together.
fn check(entry: &str) -> Result<(), Fault> {
    if json::kind(entry) == Kind::Null {
        return Ok(());
    }
    let mut flat = Object::new();
    each(entry, |name, source| {
        flat.raw(&sample(name), "0");
        let fits = match json::kind(source) {
            Kind::Number | Kind::Boolean => true,
            Kind::String => {
                let from = string(source)?;
                let from = if list_of(name).is_some() { sample(&from) } else { from };
                path::parse(&from).map_err(|fault| Fault::new(fault.reason))?;
                true
            }
            _ => json::find(source, "value").is_some(),
        };
        if fits { Ok(()) } else { Err(Fault::new(Reason::NotASource)) }
    })?;
    mapping::nest(&flat.close())?;
    Ok(())
}

/// A path with a name in the place of each element: nothing else may be in the same place then.
fn sample(path: &str) -> String {
    let Some((list, rest)) = list_of(path) else { return String::from(path) };
    let mut sample = String::from(list);
    sample.push_str(".*");
    sample.push_str(rest);
    sample
}

/// Takes `{event, values}`: the name under which something was pushed, and what was found at the paths that its
/// entry names, by path; of a path with `[*]` an array, `null` for elements that have nothing there. Gives back
/// nothing. Takes `{}` and gives back what the loader has to know. What cannot be used is added to `faults`.
pub fn capture(
    seen: &str,
    moment: &Moment,
    options: &Options,
    faults: &mut Vec<Fault>,
) -> (String, Option<Captured>) {
    let Some(event) = json::find(seen, "event").and_then(json::string) else {
        return (options.plan.clone(), None);
    };
    let entry = json::find(&options.mapping, &event).or_else(|| json::find(&options.mapping, "*"));
    let Some(entry) = entry.filter(|entry| json::kind(entry) == Kind::Object && !event.is_empty()) else {
        return (String::new(), None);
    };
    let values = json::find(seen, "values").unwrap_or_default();
    let (mut event_type, mut fields) = (String::from(&*event), Vec::new());
    let mut blame = |fault: Fault| faults.push(fault.in_key(&event).in_key("dataLayer.mapping"));
    for (name, source) in json::members(entry).map_while(Result::ok) {
        let name = json::unescape(name);
        let name = name.trim();
        let (path, array);
        let value = match list_of(name) {
            None => {
                path = name;
                read(source, values)
            }
            Some((list, _)) => {
                path = list;
                if fields.iter().any(|(known, _)| known == list) {
                    continue;
                }
                array = elements(entry, list, values);
                &array
            }
        };
        if path == EVENT_TYPE {
            event_type = json::string(value).filter(|text| !text.is_empty()).map_or(event_type, Into::into);
            continue;
        }
        if value.is_empty() {
            continue;
        }
        let (mut field, mut kept) = (Object::new(), String::new());
        field.raw(path, value);
        match json::merge(&[&field.close()], &mut kept) {
            Ok(true) => fields.push((String::from(path), kept)),
            Ok(false) => {}
            Err(fault) => blame(fault),
        }
    }
    let mut xdm = Object::new();
    xdm.text(EVENT_TYPE, &event_type);
    let captured = Captured {
        moment: moment.clone(),
        xdm: xdm.close(),
        referrer: None,
        mapping: together(fields, &mut blame),
        contexts: Contexts::NONE,
        past: false,
        redacted: 0,
        leaves: false,
    };
    (String::new(), Some(captured))
}

/// The fields, each a path and an object with it alone, in one object. One that does not fit without another that
/// was left out, as a second element of an array without the first, is left out, too.
fn together(mut fields: Vec<(String, String)>, blame: &mut dyn FnMut(Fault)) -> String {
    while !fields.is_empty() {
        let mut flat = String::new();
        for (_, field) in &fields {
            flat.push(if flat.is_empty() { '{' } else { ',' });
            flat.push_str(field.get(1..field.len() - 1).unwrap_or_default());
        }
        flat.push('}');
        let Err(fault) = mapping::nest(&flat) else { return flat };
        let before = fields.len();
        fields.retain(|(path, _)| *path != fault.path);
        blame(fault);
        if fields.len() == before {
            break;
        }
    }
    String::new()
}

/// The path of the array whose elements have a field, and the rest of the field's path.
fn list_of(path: &str) -> Option<(&str, &str)> {
    path.split_once(EACH).map(|(list, rest)| (list.trim(), rest))
}

/// The raw value that a field is given; empty where there is none.
fn read<'a>(source: &'a str, values: &'a str) -> &'a str {
    match json::kind(source) {
        Kind::String => json::string(source).and_then(|from| json::find(values, &from)),
        Kind::Object => json::find(source, "value"),
        _ => Some(source),
    }
    .unwrap_or_default()
}

/// The array that the fields below `list[*]` make.
fn elements(entry: &str, list: &str, values: &str) -> String {
    /// What comes after the `[*]`, the elements that it is read from, if it is, and what is the same in all.
    struct Column<'a>(String, Option<Elements<'a>>, &'a str);

    let mut columns = Vec::new();
    for (name, source) in json::members(entry).map_while(Result::ok) {
        if let Some((_, rest)) = list_of(&json::unescape(name)).filter(|(of, _)| *of == list) {
            let value = read(source, values);
            let is_list = json::string(source).is_some_and(|from| list_of(&from).is_some());
            columns.push(Column(String::from(rest), is_list.then(|| json::elements(value)), value));
        }
    }
    let mut out = String::from("[");
    loop {
        let (mut flat, mut more, mut known) = (Object::new(), false, false);
        for Column(rest, elements, value) in &mut columns {
            let mut value = *value;
            if let Some(elements) = elements {
                let Some(Ok(element)) = elements.next() else { continue };
                value = element;
                more = true;
                known |= !json::is_empty(value);
            }
            if !value.is_empty() {
                let mut path = String::from(EVENT_TYPE);
                path.push_str(rest);
                flat.raw(&path, value);
            }
        }
        if !more {
            out.push(']');
            return out;
        }
        // Any name does: what comes after it may be a member, an element, or nothing.
        let nested = mapping::nest(&flat.close()).unwrap_or_default();
        if let Some(element) = json::find(&nested, EVENT_TYPE).filter(|_| known) {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(element);
        }
    }
}
