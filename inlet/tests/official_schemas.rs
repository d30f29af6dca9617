//! The schemas that ship with the inlet, and the events this project makes, held against Adobe's own schemas.
//!
//! The official files are no part of the project. Where they are not at hand, each test that needs them says so
//! and passes; `XDM_SCHEMAS` names another folder that holds them.

mod official;

#[path = "../src/field_groups.rs"]
mod field_groups;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value, json};

use official::agreement::{Disagreement, NO_SUCH_PATH, NOT_CARRIED, OPEN, disagreements};
use official::cases::{self, Class};
use official::registry::Registry;

const TENANT: &str = "_xdmbeacon";
const MEDIA: &str = "https://ns.adobe.com/xdm/mixins/experienceevent-media-analytics";

/// What the official schemas have and ours leave out: class, path, reason. Everything below the path is meant too.
const LEFT_OUT: &[(Class, &str, &str)] = &[
    (Class::Event, "placeContext.POIinteraction.POIDetail", "deprecated for poiDetail"),
    (Class::Event, "placeContext.POIinteraction.poiDetail.POIID", "deprecated for poiID"),
    (Class::Event, "placeContext.activePOIs[].POIID", "deprecated for poiID"),
    (
        Class::Event,
        "productListItems[].returnItem.returnQuanitityAuthorized",
        "deprecated: a misspelling of returnQuantityAuthorized",
    ),
    (Class::Profile, "person.taxId", "deprecated"),
    (Class::Profile, "optInOut", "deprecated for consents"),
];

/// One class: its shipped schema, and the official composition of what that schema extends.
struct Pair {
    class: Class,
    shipped: Value,
    official: Value,
}

impl Pair {
    fn new(registry: &Registry, class: Class) -> Self {
        let shipped = shipped(class);
        let official = registry.compose(&official_parts(registry, &shipped));
        Self { class, shipped, official }
    }

    fn both(registry: &Registry) -> [Self; 2] {
        [Class::Event, Class::Profile].map(|class| Self::new(registry, class))
    }

    /// What `schema` and the official one say differently, without what is left out on purpose.
    fn disagreements(&self, schema: &Value) -> Vec<Disagreement> {
        let mut found = disagreements(schema, &self.official, TENANT, &|ours, official| {
            is_language_tag(ours) && is_language_tag(official)
        });
        found.retain(|one| one.about != NOT_CARRIED || !self.leaves_out(&one.path));
        found
    }

    fn leaves_out(&self, path: &str) -> bool {
        LEFT_OUT.iter().any(|(class, left, _)| *class == self.class && *left == path)
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read_json(path: &Path) -> Value {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{} is no JSON: {error}", path.display()))
}

fn shipped(class: Class) -> Value {
    let file = match class {
        Class::Event => "web-experienceevent.schema.json",
        Class::Profile => "profile-record.schema.json",
    };
    read_json(&repository().join("inlet/schemas").join(file))
}

/// The class and the field groups of a schema of ours, without our own group.
fn official_parts(registry: &Registry, schema: &Value) -> Vec<String> {
    let parts = schema["meta:extends"].as_array().expect("meta:extends");
    let parts: Vec<String> = parts
        .iter()
        .map(|id| id.as_str().expect("an $id").to_string())
        .filter(|id| !id.starts_with("https://ns.adobe.com/xdmbeacon/"))
        .collect();
    for id in &parts {
        assert!(registry.knows(id), "meta:extends names {id}, which is not official");
    }
    parts
}

fn compile(schema: &Value) -> Validator {
    jsonschema::validator_for(schema).expect("a schema that compiles")
}

/// Pointer and keyword of everything `validator` refuses in `entity`.
fn refusals(validator: &Validator, entity: &Value) -> Vec<(String, String)> {
    validator
        .iter_errors(entity)
        .map(|error| (error.instance_path().to_string(), error.kind().keyword().to_string()))
        .collect()
}

fn list(disagreements: &[Disagreement]) -> String {
    disagreements.iter().map(|one| format!("\n  {one}")).collect()
}

#[test]
fn shipped_schemas_have_the_form_of_a_registry_export() {
    for (class, slug, meta_class) in [
        (Class::Event, "web-experienceevent", "experienceevent"),
        (Class::Profile, "profile-record", "profile"),
    ] {
        let schema = shipped(class);
        for (key, expected) in [
            ("$id", json!(format!("https://ns.adobe.com/xdmbeacon/schemas/{slug}"))),
            ("$schema", json!("http://json-schema.org/draft-07/schema#")),
            ("version", json!("1.0")),
            ("type", json!("object")),
            ("meta:class", json!(format!("https://ns.adobe.com/xdm/context/{meta_class}"))),
            ("meta:altId", json!(format!("_xdmbeacon.schemas.{slug}"))),
            ("meta:resourceType", json!("schemas")),
            ("meta:xdmType", json!("object")),
            ("meta:immutableTags", json!(["union"])),
        ] {
            assert_eq!(schema[key], expected, "{slug}: {key}");
        }
        compile(&schema);
    }
}

#[test]
fn shipped_schemas_agree_with_the_official_ones() {
    let Some(registry) = Registry::open() else {
        return;
    };
    for pair in Pair::both(&registry) {
        let found = pair.disagreements(&pair.shipped);
        assert!(found.is_empty(), "{:?} disagrees:{}", pair.class, list(&found));
    }
}

#[test]
fn everything_left_out_is_official_and_deprecated() {
    let Some(registry) = Registry::open() else {
        return;
    };
    let pairs = Pair::both(&registry);
    for (class, path, reason) in LEFT_OUT {
        let pair = pairs.iter().find(|pair| pair.class == *class).expect("a pair");
        assert_eq!(
            property(&pair.official, path)["meta:status"],
            "deprecated",
            "{path} is left out ({reason}), but the official schema does not have it as deprecated"
        );
        assert!(property(&pair.shipped, path).is_null(), "{path} is said to be left out and is carried");
    }
}

/// The schema of a path as disagreements write it; null where there is none.
fn property<'a>(schema: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(schema, |schema, name| match name.strip_suffix("[]") {
        Some(name) => &schema["properties"][name]["items"],
        None => &schema["properties"][name],
    })
}

/// A fault put into a shipped schema, and the one disagreement it must make.
struct Fault {
    class: Class,
    /// Pointer to what is changed within the schema.
    at: &'static str,
    change: fn(&mut Value),
    path: &'static str,
    about: &'static str,
}

const FAULTS: &[Fault] = &[
    Fault {
        class: Class::Event,
        at: "/properties/web/properties/webPageDetails/properties/isHomePage/type",
        change: |value| *value = json!("string"),
        path: "web.webPageDetails.isHomePage",
        about: "type",
    },
    Fault {
        class: Class::Event,
        at: "/properties/web/properties/webInteraction/properties/type/enum",
        change: |value| add(value, "click"),
        path: "web.webInteraction.type",
        about: "enum",
    },
    Fault {
        class: Class::Event,
        at: "/properties/identityMap/additionalProperties/items/properties/authenticatedState/enum",
        change: |value| drop_last(value),
        path: "identityMap{}[].authenticatedState",
        about: "enum",
    },
    Fault {
        class: Class::Event,
        at: "/properties/eventType/meta:enum",
        change: |value| value["web.clicks"] = json!("Web: clicks"),
        path: "eventType",
        about: "meta:enum",
    },
    Fault {
        class: Class::Event,
        at: "/properties/web/properties/webPageDetails/properties",
        change: |value| value["homePage"] = json!({"type": "boolean"}),
        path: "web.webPageDetails.homePage",
        about: NO_SUCH_PATH,
    },
    Fault {
        class: Class::Event,
        at: "/properties/web/properties",
        change: |value| drop_member(value, "webReferrer"),
        path: "web.webReferrer",
        about: NOT_CARRIED,
    },
    Fault {
        class: Class::Event,
        at: "/properties",
        change: |value| drop_member(value, "marketing"),
        path: "marketing",
        about: NOT_CARRIED,
    },
    Fault {
        class: Class::Event,
        at: "/required",
        change: |value| drop_last(value),
        path: "",
        about: "required",
    },
    Fault {
        class: Class::Event,
        at: "/properties/productListItems/items",
        change: |value| drop_member(value, "required"),
        path: "productListItems[]",
        about: "required",
    },
    Fault {
        class: Class::Profile,
        at: "/properties/personalEmail",
        change: |value| value["required"] = json!(["address"]),
        path: "personalEmail",
        about: "required",
    },
    Fault {
        class: Class::Event,
        at: "/properties/timestamp/format",
        change: |value| *value = json!("date"),
        path: "timestamp",
        about: "format",
    },
    Fault {
        class: Class::Event,
        at: "/properties/commerce/properties/order/properties/currencyCode",
        change: |value| drop_member(value, "pattern"),
        path: "commerce.order.currencyCode",
        about: "pattern",
    },
    Fault {
        class: Class::Profile,
        at: "/properties/preferredLanguage/pattern",
        change: |value| *value = json!("^[a-z]{2}$"),
        path: "preferredLanguage",
        about: "pattern",
    },
    Fault {
        class: Class::Event,
        at: "/properties/placeContext/properties/geo/properties/_schema/properties/latitude/maximum",
        change: |value| *value = json!(180),
        path: "placeContext.geo._schema.latitude",
        about: "maximum",
    },
    Fault {
        class: Class::Event,
        at: "/properties/environment/properties/colorDepth",
        change: |value| drop_member(value, "minimum"),
        path: "environment.colorDepth",
        about: "minimum",
    },
    Fault {
        class: Class::Profile,
        at: "/properties/consents/properties/marketing/properties/any/properties/reason",
        change: |value| value["minLength"] = json!(1),
        path: "consents.marketing.any.reason",
        about: "minLength",
    },
    Fault {
        class: Class::Event,
        at: "/properties/device/properties/type",
        change: |value| value["const"] = json!("desktop"),
        path: "device.type",
        about: "const",
    },
    Fault {
        class: Class::Event,
        at: "/properties/device",
        change: |value| drop_member(value, "additionalProperties"),
        path: "device",
        about: OPEN,
    },
    Fault {
        class: Class::Profile,
        at: "/properties/identityMap",
        change: |value| value["additionalProperties"] = json!(false),
        path: "identityMap",
        about: OPEN,
    },
    Fault {
        class: Class::Event,
        at: "/properties/identityMap/additionalProperties/items/properties/primary/default",
        change: |value| *value = json!(true),
        path: "identityMap{}[].primary",
        about: "default",
    },
];

fn add(list: &mut Value, item: &str) {
    list.as_array_mut().expect("a list").push(json!(item));
}

fn drop_last(list: &mut Value) {
    list.as_array_mut().expect("a list").pop().expect("an item");
}

fn drop_member(object: &mut Value, name: &str) {
    let object = object.as_object_mut().expect("an object");
    assert!(object.remove(name).is_some(), "there is no {name} to drop");
}

#[test]
fn a_fault_in_a_shipped_schema_is_reported() {
    let Some(registry) = Registry::open() else {
        return;
    };
    let pairs = Pair::both(&registry);
    for fault in FAULTS {
        let pair = pairs.iter().find(|pair| pair.class == fault.class).expect("a pair");
        let mut schema = pair.shipped.clone();
        let target =
            schema.pointer_mut(fault.at).unwrap_or_else(|| panic!("the shipped schema has no {}", fault.at));
        (fault.change)(target);
        let found = pair.disagreements(&schema);
        let found: Vec<_> = found.iter().map(|one| (one.path.as_str(), one.about.as_str())).collect();
        assert_eq!(found, [(fault.path, fault.about)], "after a change at {}", fault.at);
    }
}

/// Both patterns for a BCP 47 tag; ours is written from RFC 5646, so its text differs.
fn is_language_tag(pattern: &str) -> bool {
    pattern.contains("art-lojban") && pattern.contains("sgn-")
}

/// Language subtags, then scripts, regions, variants, extensions and private use, right and wrong.
fn language_tags() -> Vec<String> {
    let languages = [
        "",
        "e",
        "en",
        "EN",
        "deu",
        "zh-cmn",
        "zh-abc-def-ghi",
        "zh-abc-def-ghi-jkl",
        "abcd",
        "abcde",
        "abcdefgh",
        "abcdefghi",
        "1n",
        "en-",
        "abcd-efg",
        "en_GB",
    ];
    let scripts = ["", "-Latn", "-Lat1", "-Latin"];
    let regions = ["", "-GB", "-419", "-G1", "-41"];
    let variants = ["", "-rozaj", "-1994", "-a994", "-rozaj-biske", "-abcdefghi"];
    let endings = [
        "",
        "-a-bb",
        "-a-b",
        "-u-co-phonebk",
        "-a-bb-t-cc-dd",
        "-x-whatever",
        "-x-1",
        "-X-1",
        "-x",
        "-x-abcdefghi",
        "-a-bb-x-y",
        "-x-a-bb ",
        "\n",
    ];
    let mut tags: Vec<String> = [
        "x-a",
        "x-abcdefgh-1",
        "x-",
        "x",
        "X-a",
        "en-GB-oed",
        "en-GB-oedx",
        "i-klingon",
        "i-foo",
        "i-pwn-x",
        "sgn-BE-FR",
        "sgn-CH-DE",
        "sgn-CH-FR",
        "art-lojban",
        "art-lojba",
        "cel-gaulish",
        "no-bok",
        "no-nyn",
        "zh-min",
        "zh-min-nan",
        "zh-xiang",
        "zh-hakka-x",
        "de-DE-1996",
        "sl-rozaj-biske",
        "English",
        "en GB",
    ]
    .map(String::from)
    .to_vec();
    for language in languages {
        for script in scripts {
            for region in regions {
                for variant in variants {
                    for ending in endings {
                        tags.push(format!("{language}{script}{region}{variant}{ending}"));
                    }
                }
            }
        }
    }
    tags
}

#[test]
fn our_language_tag_takes_what_the_official_one_takes() {
    let Some(registry) = Registry::open() else {
        return;
    };
    let mut compared = 0;
    for (class, pointer) in [
        (Class::Event, "/properties/environment/properties/_dc/properties/language/pattern"),
        (Class::Event, "/properties/application/properties/_dc/properties/language/pattern"),
        (Class::Profile, "/properties/preferredLanguage/pattern"),
    ] {
        let pair = Pair::new(&registry, class);
        let [ours, official] = [&pair.shipped, &pair.official].map(|schema| {
            let pattern = schema.pointer(pointer).expect("a pattern");
            compile(&json!({"pattern": pattern}))
        });
        let mut taken = 0;
        for tag in language_tags() {
            let (tag, verdict) = (json!(tag), official.is_valid(&json!(tag)));
            assert_eq!(ours.is_valid(&tag), verdict, "{tag}");
            taken += usize::from(verdict);
            compared += 1;
        }
        assert!(taken > 1000, "{taken} tags are too few to tell the patterns apart");
    }
    println!("{compared} language tags compared");
}

#[test]
fn known_cases_get_their_verdict_from_both() {
    let registry = Registry::open();
    let cases = cases::all();
    assert_eq!(cases.len(), 28);
    for class in [Class::Event, Class::Profile] {
        let ours = shipped(class);
        let official = registry.as_ref().map(|registry| {
            let mut parts = official_parts(registry, &ours);
            if class == Class::Event {
                parts.push(MEDIA.to_string());
            }
            compile(&registry.compose(&parts))
        });
        let ours = compile(&ours);
        for case in cases.iter().filter(|case| case.class == class) {
            let expected: Vec<_> =
                case.refused.iter().map(|(at, by)| (at.to_string(), by.to_string())).collect();
            if let Some(official) = &official {
                let found: BTreeSet<_> = refusals(official, &case.entity).into_iter().collect();
                assert_eq!(found, expected.iter().cloned().collect(), "official, {}", case.name);
            }
            if case.shipped {
                let found: BTreeSet<_> = refusals(&ours, &case.entity).into_iter().collect();
                assert_eq!(found, expected.into_iter().collect(), "shipped, {}", case.name);
            }
        }
    }
}

#[test]
fn golden_entities_are_valid() {
    let registry = Registry::open();
    for (class, folder, least) in [(Class::Event, "events", 9), (Class::Profile, "profiles", 1)] {
        let ours = shipped(class);
        let official = registry
            .as_ref()
            .map(|registry| compile(&with_tenant(registry.compose(&official_parts(registry, &ours)), &ours)));
        let ours = compile(&ours);
        let folder = repository().join("tests/golden").join(folder);
        let entries =
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()));
        let files: Vec<_> = entries
            .map(|entry| entry.expect("a folder entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        assert!(files.len() >= least, "{} has {} files", folder.display(), files.len());
        for file in files {
            let entity = read_json(&file);
            for (name, validator) in [("shipped", Some(&ours)), ("official", official.as_ref())] {
                let found = validator.map_or_else(Vec::new, |validator| refusals(validator, &entity));
                assert!(found.is_empty(), "{name} refuses {}: {found:?}", file.display());
            }
        }
    }
}

/// The official composition and our own field group, as a customer's schema would have them.
fn with_tenant(mut official: Value, ours: &Value) -> Value {
    if let Some(group) = ours["properties"].get(TENANT) {
        official["properties"][TENANT] = group.clone();
    }
    official
}

#[test]
fn captured_entities_are_valid() {
    let Some(file) = env::var_os("XDM_EVENTS").map(PathBuf::from) else {
        println!("skipped: XDM_EVENTS names no NDJSON file of captured entities");
        return;
    };
    let registry = Registry::open().expect("XDM_EVENTS is set, so the official schemas must be there too");
    let [event, profile] =
        Pair::both(&registry).map(|pair| compile(&with_tenant(pair.official, &pair.shipped)));
    let text = fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("cannot read XDM_EVENTS, {}: {error}", file.display()));
    let mut faults = Vec::new();
    let mut count = 0;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = index + 1;
        let line: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("line {number} is no JSON: {error}"));
        let validator = match line["class"].as_str() {
            Some("event") => &event,
            Some("profile") => &profile,
            other => panic!("line {number} has class {other:?}; it is \"event\" or \"profile\""),
        };
        let found = refusals(validator, &line["entity"]);
        if !found.is_empty() {
            faults.push(format!("\n  line {number}: {found:?}"));
        }
        count += 1;
    }
    assert!(count > 0, "{} holds no entity", file.display());
    assert!(faults.is_empty(), "{} of {count} are refused:{}", faults.len(), faults.concat());
    println!("{count} captured entities are valid");
}

#[test]
fn field_groups_bring_what_they_are_said_to_bring() {
    let Some(registry) = Registry::open() else {
        return;
    };
    let class = |name| format!("https://ns.adobe.com/xdm/context/{name}");
    let mut groups: Vec<(String, String)> = Vec::new();
    for pair in Pair::both(&registry) {
        let meta_class = pair.shipped["meta:class"].as_str().expect("meta:class").to_string();
        let parts = official_parts(&registry, &pair.shipped);
        let standard = parts.into_iter().filter(|id| *id != meta_class && !id.contains("/data/"));
        groups.extend(standard.map(|id| (meta_class.clone(), id)));
    }
    groups.push((class("experienceevent"), MEDIA.to_string()));
    groups.push((class("experienceevent"), class("profile-person-details")));
    groups.push((class("experienceevent"), class("profile-personal-details")));
    for (meta_class, id) in groups {
        let brings = registry.compose(&[&id]);
        for (name, property) in brings["properties"].as_object().expect("properties") {
            let found = field_groups::group_for(&meta_class, &format!("/{name}/deeper"));
            if property["meta:status"] == "deprecated" {
                assert_eq!(found, None, "{name} of {id} is deprecated");
                continue;
            }
            let found = found.unwrap_or_else(|| panic!("no group for {name} of {id}"));
            assert_eq!((found.id, found.title), (id.as_str(), registry.title(&id)), "{name}");
        }
    }
}
