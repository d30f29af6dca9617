use proptest::prelude::*;
use serde_json::{Map, Value, json};
use xdm_beacon::fault::Reason;
use xdm_beacon::xdm::identity_map::check;

#[test]
fn accepted() {
    for map in [
        json!({"CRM": [{"id": "1"}]}),
        json!({"ECID": [{"id": "1", "primary": true, "authenticatedState": "authenticated"}], "mobilenr": [{"id": "2", "authenticatedState": "loggedOut"}]}),
        json!({"Email": [{"id": "a@b.example", "authenticatedState": "ambiguous", "primary": false}, {"id": "c", "primary": true}]}),
        json!({"CRM": [{"id": "1", "primary": null, "authenticatedState": ""}]}),
        json!({"CRM": null, "ECID": [], "Email": "", "Phone": {}}),
        json!({}),
        json!([]),
        json!(""),
        json!(null),
        json!({"CRM": (0..20).map(|n| json!({"id": n.to_string()})).collect::<Vec<_>>()}),
    ] {
        assert_eq!(check(&map.to_string()), Ok(()), "{map}");
        assert_eq!(check(&crate::values::noisy(&map)), Ok(()), "{map}");
    }
    assert_eq!(check(""), Ok(()));
}

#[test]
fn rejected() {
    let many = |n: usize| (0..n).map(|n| json!({"id": n.to_string()})).collect::<Vec<_>>();
    for (map, reason, path) in [
        (json!(1), Reason::NotAnObject, ""),
        (json!("CRM"), Reason::NotAnObject, ""),
        (json!([1]), Reason::NotAnObject, ""),
        (json!({"": [{"id": "1"}]}), Reason::NoNamespace, ""),
        (json!({" ": null}), Reason::NoNamespace, ""),
        (json!({"CRM": "1"}), Reason::NotAnArray, "CRM"),
        (json!({"CRM": {"id": "1"}}), Reason::NotAnArray, "CRM"),
        (json!({"CRM": ["1"]}), Reason::NotAnObject, "CRM[0]"),
        (json!({"CRM": [{"id": "1"}, null]}), Reason::NotAnObject, "CRM[1]"),
        (json!({"CRM": [{}]}), Reason::Missing, "CRM[0].id"),
        (json!({"CRM": [{"primary": true}]}), Reason::Missing, "CRM[0].id"),
        (json!({"CRM": [{"id": ""}]}), Reason::Empty, "CRM[0].id"),
        (json!({"CRM": [{"id": 1}]}), Reason::NotAString, "CRM[0].id"),
        (json!({"CRM": [{"id": null}]}), Reason::NotAString, "CRM[0].id"),
        (
            json!({"CRM": [{"id": "1", "authenticatedState": "unknown"}]}),
            Reason::NotAnAuthenticatedState,
            "CRM[0].authenticatedState",
        ),
        (
            json!({"CRM": [{"id": "1", "authenticatedState": "loggedout"}]}),
            Reason::NotAnAuthenticatedState,
            "CRM[0].authenticatedState",
        ),
        (
            json!({"CRM": [{"id": "1", "authenticatedState": true}]}),
            Reason::NotAnAuthenticatedState,
            "CRM[0].authenticatedState",
        ),
        (json!({"CRM": [{"id": "1", "primary": "true"}]}), Reason::NotABoolean, "CRM[0].primary"),
        (json!({"CRM": [{"id": "1", "primary": 1}]}), Reason::NotABoolean, "CRM[0].primary"),
        (json!({"CRM": [{"id": "1", "xid": "2"}]}), Reason::UnknownKey, "CRM[0].xid"),
        (
            json!({"CRM": [{"id": "1", "primary": true}, {"id": "2", "primary": true}]}),
            Reason::TwoPrimaries,
            "CRM[1].primary",
        ),
        (
            json!({"CRM": [{"id": "1", "primary": true}], "ECID": [{"id": "2", "primary": true}]}),
            Reason::TwoPrimaries,
            "ECID[0].primary",
        ),
        (json!({"CRM": many(21)}), Reason::TooManyIdentities, ""),
        (json!({"CRM": many(11), "ECID": many(10)}), Reason::TooManyIdentities, ""),
    ] {
        let fault = check(&map.to_string()).unwrap_err();
        assert_eq!((fault.reason, fault.path.as_str()), (reason, path), "{map}");
    }
    assert_eq!(check("{\"CRM\":[{\"id\":\"1\"}]").unwrap_err().reason, Reason::NotJson);
}

fn identity() -> impl Strategy<Value = Value> {
    let field = |values: Vec<Value>| prop::option::weighted(0.6, prop::sample::select(values));
    (
        prop_oneof![8 => Just(Some(json!("x"))), 1 => field(vec![json!(""), json!(1), json!(null)])],
        field(vec![
            json!("ambiguous"),
            json!("authenticated"),
            json!("loggedOut"),
            json!(null),
            json!("unknown"),
        ]),
        field(vec![json!(true), json!(false), json!(false), json!("true")]),
        prop::option::weighted(0.05, Just(json!(1))),
    )
        .prop_map(|(id, state, primary, other)| {
            let fields = [("id", id), ("authenticatedState", state), ("primary", primary), ("other", other)];
            let fields = fields.into_iter().filter_map(|(key, value)| Some((key.to_string(), value?)));
            fields.collect::<Map<_, _>>().into()
        })
}

/// The table of accepted maps, said once more over a tree.
fn acceptable(map: &Map<String, Value>) -> bool {
    let all: Vec<&Value> = map.values().flat_map(|list| list.as_array().unwrap()).collect();
    all.len() <= 20
        && all.iter().filter(|identity| identity["primary"] == true).count() <= 1
        && all.iter().all(|identity| {
            identity["id"].as_str().is_some_and(|id| !id.is_empty())
                && identity.get("other").is_none()
                && matches!(identity["primary"], Value::Bool(_) | Value::Null)
                && identity["authenticatedState"] != "unknown"
        })
}

proptest! {
    #[test]
    fn accepts_what_the_table_accepts(
        lists in prop::collection::vec(prop::collection::vec(identity(), 0..8), 0..4)
    ) {
        let namespaces = ["ECID", "CRM", "Email", "Phone"].map(String::from);
        let map: Map<_, _> = namespaces.into_iter().zip(lists.into_iter().map(Value::from)).collect();
        let verdict = check(&Value::from(map.clone()).to_string());
        prop_assert_eq!(verdict.is_ok(), acceptable(&map), "{:?}", verdict);
    }

    #[test]
    fn any_value_is_judged(value in crate::values::value(), text in "\\PC{0,20}|[\\[\\]{}\":,a]{0,20}") {
        let _ = check(&value.to_string());
        if check(&text).is_ok() {
            prop_assert!(text.trim().is_empty() || serde_json::from_str::<Value>(&text).is_ok());
        }
    }
}
