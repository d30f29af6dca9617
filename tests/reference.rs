//! docs/reference.md against the code: it lists what there is, all of it and nothing else, and says the truth of it.
//!
//! No second list is kept here. A key that the core knows stands somewhere in its source, so every word there is tried
//! as an option of every command, and as an attribute of the tag: what is not refused as unknown has its row.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};
use std::path::Path;
use support::*;
use xdm_beacon::declared;
use xdm_beacon::fault::Reason;
use xdm_beacon::settings::Settings;

/// A file of the repository.
fn file(name: &str) -> String {
    read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
        .unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

/// Every word in the core's source, but for the file `left_out`.
fn words(left_out: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name() != Some(left_out.as_ref()) {
                let text = read_to_string(path).unwrap();
                words.extend(text.split(|c: char| !c.is_ascii_alphanumeric()).map(String::from));
            }
        }
    }
    words
}

/// The same, as far as they may be names of options: camelCase.
fn names() -> BTreeSet<String> {
    let mut words = words("");
    words.retain(|word| word.starts_with(|first: char| first.is_ascii_lowercase()));
    words
}

/// The cells of the tables below a heading whose header begins with `first`: one row each, less header and rule.
fn table(heading: &str, first: &[&str]) -> Vec<Vec<String>> {
    let text = file("docs/reference.md");
    let below = text.lines().skip_while(|line| line.trim_start_matches('#').trim() != heading);
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim_matches('|');
        line.split('|').map(|cell| String::from(cell.trim())).collect()
    };
    let mut lines = below.skip(1).take_while(|line| !line.starts_with('#')).skip_while(|line| {
        let header = cells(line);
        !line.starts_with('|') || !first.iter().zip(&header).all(|(name, cell)| name == cell)
    });
    let header = cells(lines.next().unwrap_or_else(|| panic!("no table {first:?} below {heading}")));
    let rows: Vec<_> = lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect();
    assert!(!rows.is_empty());
    for row in &rows {
        assert_eq!(row.len(), header.len(), "{heading}: {row:?}");
        let what = row.last().unwrap();
        assert!(what.len() > 2, "{heading}: {row:?} says nothing");
    }
    rows
}

/// What a cell has between its backticks, where it is one piece of code.
fn code(cell: &str) -> Option<&str> {
    let inner = cell.strip_prefix('`')?.strip_suffix('`')?;
    (!inner.is_empty() && !inner.contains('`')).then_some(inner)
}

/// The first cells of a table, each a piece of code, none of them twice.
fn keys(rows: &[Vec<String>]) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for row in rows {
        let key = code(&row[0]).unwrap_or_else(|| panic!("{row:?} begins with no name"));
        assert!(keys.insert(String::from(key)), "two rows for {key}");
    }
    keys
}

/// What has rows and what there is are the same.
fn assert_same<T: Ord + std::fmt::Debug>(what: &str, rows: &BTreeSet<T>, known: &BTreeSet<T>) {
    let (missing, others): (Vec<_>, Vec<_>) =
        (known.difference(rows).collect(), rows.difference(known).collect());
    assert!(
        missing.is_empty() && others.is_empty(),
        "{what}: docs/reference.md has no row for {missing:?}, and rows that are wrong for {others:?}"
    );
}

/// A row of an option.
#[derive(Clone, Debug)]
struct Documented {
    command: String,
    path: String,
    /// In kebab-case; empty without.
    attribute: String,
    /// The kinds of JSON that it takes.
    kinds: Vec<&'static str>,
    /// The texts that it takes, as the document has them; empty where it takes any.
    texts: Vec<String>,
    /// As JSON, where the document gives a value.
    default: Option<Value>,
    required: bool,
}

impl Documented {
    fn read(command: &str, path: &str, attribute: &str, kind: &str, default: &str) -> Documented {
        let texts: Vec<_> = kind.split('"').skip(1).step_by(2).map(String::from).collect();
        let all = [("list", "array"), ("or `null`", "null")].into_iter();
        let all = all.chain(["string", "number", "boolean", "object"].map(|name| (name, name)));
        let mut kinds: Vec<_> = all.filter(|(word, _)| kind.contains(word)).map(|(_, kind)| kind).collect();
        if kinds.is_empty() && !texts.is_empty() {
            kinds.push("string");
        }
        assert!(!kinds.is_empty() || kind == "function", "{path}: what is of the type {kind:?}?");
        Documented {
            command: String::from(command),
            path: String::from(code(path).expect("a path")),
            attribute: String::from(code(attribute).unwrap_or_default()),
            kinds,
            texts,
            default: code(default).and_then(|text| serde_json::from_str(text).ok()),
            required: default == "required",
        }
    }

    /// The object that it is in, or itself if it is in none.
    fn top(&self) -> &str {
        self.path.split('.').next().unwrap()
    }

    /// Something that it takes.
    fn sample(&self) -> Value {
        let pointer = format!("/{}", self.path.replace('.', "/"));
        match (self.command.as_str(), configuration().pointer(&pointer)) {
            ("configure", Some(value)) => return value.clone(),
            ("setConsent", _) => {
                return json!([{ "standard": "Adobe", "version": "1.0", "value": { "general": "in" } }]);
            }
            _ => {}
        }
        match self.kinds.as_slice() {
            ["boolean"] => json!(true),
            ["object"] => json!({}),
            _ => json!("Shop"),
        }
    }
}

fn documented() -> Vec<Documented> {
    let mut all = Vec::new();
    for row in table("Options", &["option", "attribute", "type", "default"]) {
        all.push(Documented::read("configure", &row[0], &row[1], &row[2], &row[3]));
    }
    for row in table("Commands", &["command", "option", "type", "default"]) {
        all.push(Documented::read(code(&row[0]).expect("a command"), &row[1], "", &row[2], &row[3]));
    }
    let paths: BTreeSet<_> = all.iter().map(|row| (&row.command, &row.path)).collect();
    assert_eq!(paths.len(), all.len(), "no option has two rows");
    all
}

/// What a command does not do without, beside `of` or what belongs to it.
fn base(all: &[Documented], of: &Documented) -> Value {
    let mut options = json!({});
    for row in all.iter().filter(|row| row.command == of.command && row.required) {
        let always =
            row.top() == row.path || of.command == "configure" && configuration().get(row.top()).is_some();
        if always || row.top() == of.top() {
            options = with(options, &row.path, row.sample());
        }
    }
    options
}

/// Code and path that a command refuses options with; empty where it takes them.
fn refused(command: &str, options: &Value) -> (String, String) {
    let mut tag =
        if command == "configure" { Tag::bare() } else { Tag::configured(json!({ "profile": profile() })) };
    match tag.call_and_see(command, options.clone()) {
        Some(Err((code, message))) => {
            let path = message.split('\'').nth(1).unwrap_or_default();
            (code, String::from(path))
        }
        _ => Default::default(),
    }
}

/// All options that a command knows.
fn known(command: &str, names: &BTreeSet<String>) -> BTreeSet<String> {
    const NONE: &str = "?";
    let unknown = |path: &str| (String::from("unknown-option"), String::from(path));
    let (mut options, mut objects) = (BTreeSet::new(), vec![String::new()]);
    while let Some(object) = objects.pop() {
        for name in names {
            let path = if object.is_empty() { name.clone() } else { format!("{object}.{name}") };
            let inside = format!("{path}.{NONE}");
            let fault = refused(command, &with(json!({}), &inside, json!(0)));
            if fault == unknown(&inside) {
                objects.push(path);
            } else if fault != unknown(&path) {
                options.insert(path);
            }
        }
    }
    options
}

fn commands() -> BTreeSet<String> {
    let info = Tag::configured(json!({})).outcome_text("getLibraryInfo", "").unwrap();
    info["commands"].as_array().unwrap().iter().map(|name| String::from(name.as_str().unwrap())).collect()
}

fn paths(all: &[Documented], command: &str) -> BTreeSet<String> {
    all.iter().filter(|row| row.command == command).map(|row| row.path.clone()).collect()
}

#[test]
fn every_command_and_every_option_has_its_row_and_no_other_has() {
    let (all, names) = (documented(), names());
    assert_eq!(keys(&table("Commands", &["command", "does"])), commands());
    for command in commands() {
        assert_same(&command, &paths(&all, &command), &known(&command, &names));
    }
}

/// `-n` for `N`, after `data-`.
fn kebab(name: &str) -> String {
    let mut attribute = String::from("data-");
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            attribute.push('-');
        }
        attribute.push(letter.to_ascii_lowercase());
    }
    attribute
}

#[test]
fn every_attribute_is_that_of_its_option() {
    let mut known = BTreeSet::new();
    for name in names() {
        let text = declared::options(&json!({ &name: "1" }).to_string()).unwrap();
        let (mut path, mut value): (Vec<String>, Value) = (Vec::new(), serde_json::from_str(&text).unwrap());
        while let Some((key, inner)) = value.as_object().and_then(|object| object.iter().next()) {
            path.push(key.clone());
            value = inner.clone();
        }
        if !path.is_empty() {
            known.insert((path.join("."), kebab(&name)));
        }
    }
    let with_attribute = documented().into_iter().filter(|row| !row.attribute.is_empty());
    let documented: BTreeSet<_> = with_attribute.map(|row| (row.path, row.attribute)).collect();
    assert_same("attributes", &documented, &known);
}

#[test]
fn every_option_takes_what_the_document_says_and_no_other_kind() {
    let all = documented();
    for row in &all {
        let base = base(&all, row);
        let given = |value: Value| refused(&row.command, &with(base.clone(), &row.path, value));
        let at_it = |path: &str| path == row.path || path.starts_with(&format!("{}[", row.path));
        for (kind, mut value) in one_of_each_kind() {
            // Of an event, what is empty is left out.
            match kind {
                "array" => value = json!([1.5]),
                "object" => value = json!({ "?": 1.5 }),
                _ => {}
            }
            let left_out = kind == "null" && row.command.starts_with("send");
            if !row.kinds.contains(&kind) && !left_out {
                let (code, path) = given(value);
                assert!(at_it(&path), "{} takes {kind}, or says nothing of it: {code} {path}", row.path);
            }
        }
        let list = row.kinds == ["array"];
        let one = |text: &str| if list { json!([text]) } else { json!(text) };
        if !row.texts.is_empty() {
            let (code, path) = given(one("?"));
            assert!(at_it(&path), "{}: {code} {path}", row.path);
            let reason = Reason::ALL.iter().find(|reason| reason.code() == code).unwrap();
            let told: BTreeSet<_> = reason.text().split('"').skip(1).step_by(2).collect();
            assert_eq!(told, row.texts.iter().map(String::as_str).collect(), "{}", row.path);
        }
        for text in &row.texts {
            assert_eq!(given(one(text)).0, "", "{} takes {text}", row.path);
        }
    }
}

#[test]
fn what_is_required_is_and_all_else_is_not() {
    let all = documented();
    for row in &all {
        let whole = base(&all, row);
        if row.required {
            let (code, path) = refused(&row.command, &without(whole, &row.path));
            let at_it = path == row.path || row.path.starts_with(&format!("{path}."));
            assert!(code == "missing" && at_it, "{}: {code} {path}", row.path);
        } else if row.command != "sendProfile" {
            assert_eq!(refused(&row.command, &whole).0, "", "{} is not required", row.path);
        }
    }
}

/// What comes of a command, as far as it can be told from outside.
fn consequences(command: &str, options: &Value) -> String {
    if command == "configure" {
        let mut settings = Settings::parse(&options.to_string()).unwrap_or_else(|fault| panic!("{fault:?}"));
        settings.text.clear();
        return format!("{settings:?}");
    }
    let mut tag = Tag::configured(json!({ "profile": profile(), "identity": { "readEcid": false } }));
    let mut options = options.clone();
    if command == "sendProfile" {
        options = with(options, "identityMap.Shop", json!([{ "id": "1" }]));
    }
    tag.call(command, options);
    format!("{:?} {:?} {:?} {:?}", tag.sent, tag.settled, tag.timers, tag.disk)
}

#[test]
fn a_default_is_what_holds_without_the_option() {
    let all = documented();
    let mut checked = 0;
    for row in &all {
        let Some(default) = &row.default else { continue };
        let without = base(&all, row);
        let given = with(without.clone(), &row.path, default.clone());
        assert_eq!(
            consequences(&row.command, &given),
            consequences(&row.command, &without),
            "{} of {} is not {default} by default",
            row.path,
            row.command
        );
        checked += 1;
    }
    assert!(checked > 20, "the document has its defaults as code");
}

/// The members of an interface of index.d.ts, with those of the objects in it, and whether each is required.
fn typed(types: &str, interface: &str) -> BTreeSet<(String, bool)> {
    let head = format!("export interface {interface} {{");
    let (mut members, mut around) = (BTreeSet::new(), Vec::new());
    for line in types.lines().skip_while(|line| *line != head).skip(1).take_while(|line| *line != "}") {
        let line = line.trim();
        if line == "};" {
            around.pop();
        }
        let Some((key, kind)) = line.split_once(": ") else { continue };
        let name = key.trim_end_matches('?');
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            continue;
        }
        let path = [&around[..], &[name]].concat().join(".");
        match kind {
            "{" => around.push(name),
            "SchemaRef;" => {
                let inner = typed(types, "SchemaRef").into_iter();
                members.extend(inner.map(|(name, required)| (format!("{path}.{name}"), required)));
            }
            _ => _ = members.insert((path, !key.ends_with('?'))),
        }
    }
    members
}

#[test]
fn the_types_have_the_same_options() {
    let (types, all) = (file("www/sdk/index.d.ts"), documented());
    for (command, interface) in [
        ("configure", "Configuration"),
        ("sendEvent", "EventOptions"),
        ("sendProfile", "ProfileOptions"),
        ("setConsent", "ConsentOptions"),
    ] {
        let rows = all.iter().filter(|row| row.command == command);
        let rows: BTreeSet<_> = rows.map(|row| (row.path.clone(), row.required)).collect();
        assert_same(interface, &rows, &typed(&types, interface));
    }
}

/// The words in quotes of what is declared in index.d.ts, from `start` to the next semicolon.
fn union(start: &str) -> BTreeSet<String> {
    let types = file("www/sdk/index.d.ts");
    let (_, rest) = types.split_once(start).unwrap_or_else(|| panic!("no {start} in index.d.ts"));
    let (union, _) = rest.split_once(';').unwrap();
    union.split('"').skip(1).step_by(2).map(String::from).collect()
}

fn fields(object: &Value) -> BTreeSet<String> {
    object.as_object().expect("an object").keys().cloned().collect()
}

#[test]
fn what_becomes_of_an_event_is_all_there() {
    const HEADING: &str = "What becomes of an event";
    let statuses = keys(&table(HEADING, &["status"]));
    assert_eq!(statuses, union("\n  status: "));
    let status = Tag::configured(json!({})).status();
    for name in &statuses {
        assert!(status.get(name).is_some(), "getStatus counts {name}");
    }

    let reasons = keys(&table(HEADING, &["reason"]));
    assert_eq!(reasons, union("\nexport type DropReason ="));
    let mut counted = fields(&status["dropped"]);
    // There is no core on a server.
    assert!(
        file("www/sdk/index.js").contains(r#"reason: "no-page""#) && counted.insert(String::from("no-page"))
    );
    assert_eq!(reasons, counted);

    assert_eq!(keys(&table("getStatus", &["field"])), fields(&status));
}

#[test]
fn every_error_code_has_its_row_with_its_words() {
    let rows = table("Error codes", &["code", "message, after the path"]);
    let mut codes = keys(&rows);
    let core = words("fault.rs");
    for reason in Reason::ALL {
        assert!(core.contains(&format!("{reason:?}")), "nothing is refused as {}", reason.code());
        assert!(codes.remove(reason.code()), "no row for {}", reason.code());
        let row = rows.iter().find(|row| code(&row[0]) == Some(reason.code())).unwrap();
        assert_eq!(code(&row[1]), Some(reason.text()), "{}", reason.code());
    }
    // The rest is the loader's: `failure(name, "engine-failed", …)`.
    let loader = file("www/sdk/instance.js");
    let calls = loader.split("failure(").skip(1);
    let coded =
        calls.filter_map(|call| call.trim_start().strip_prefix("name,")?.trim_start().strip_prefix('"'));
    let mut thrown: BTreeSet<_> = coded.filter_map(|call| call.split('"').next()).map(String::from).collect();
    assert!(thrown.remove("not-json"), "which the core has, too");
    assert_eq!(codes, thrown);
}

/// The names that headings of a document can be linked by.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn every_row_of_an_option_leads_to_its_section_and_no_link_leads_nowhere() {
    let mut rows = table("Options", &["option"]);
    rows.extend(table("Commands", &["command", "option"]));
    for row in rows {
        assert!(row.last().unwrap().contains("]("), "{row:?} leads nowhere");
    }
    let reference = file("docs/reference.md");
    for link in reference.split("](").skip(1) {
        let (target, _) = link.split_once(')').expect("the end of a link");
        if target.starts_with("http") {
            continue;
        }
        let (name, anchor) = target.split_once('#').unwrap_or((target, ""));
        let text = if name.is_empty() { reference.clone() } else { file(&format!("docs/{name}")) };
        assert!(anchor.is_empty() || anchors(&text).contains(anchor), "{target} is not there");
    }
}
