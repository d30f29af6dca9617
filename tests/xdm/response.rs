use proptest::prelude::*;
use serde_json::{Value, json};
use xdm_beacon::xdm::response::{Answer, ItemAnswer, batch, received_time, single};

fn accepted() -> Answer {
    Answer { accepted: true, validated: false, received_time: None, text: String::new(), xaction_id: None }
}

#[test]
fn successes_in_both_shapes() {
    let full = |validated| Answer {
        validated,
        received_time: Some(1_555_445_493_932),
        xaction_id: Some(String::from("1555445493896:8600:8")),
        ..accepted()
    };
    let base = json!({"inletId": "9b0c", "xactionId": "1555445493896:8600:8", "receivedTimeMs": 1_555_445_493_932_i64});
    for (key, block, validated) in [
        ("syncValidation", json!({"skipped": true}), false),
        ("syncValidation", json!({"status": "pass"}), true),
        ("synchronousValidation", json!({"skipped": true}), false),
        ("synchronousValidation", json!({"status": "pass"}), true),
        ("other", json!(1), false),
    ] {
        let mut body = base.clone();
        body[key] = block;
        assert_eq!(single(200, &body.to_string()), full(validated), "{body}");
    }
    let mut body = base;
    body.as_object_mut().unwrap().remove("inletId");
    body["inletID"] = json!("9b0c");
    body["receivedTimeMs"] = json!("1555445493932");
    assert_eq!(single(200, &body.to_string()), full(false));
}

#[test]
fn only_the_status_is_relied_on() {
    for body in ["", "{}", "null", "OK", "<html>", "{\"inletId\":", "[1]"] {
        assert_eq!(single(200, body), accepted(), "{body}");
        assert_eq!(single(204, body), accepted(), "{body}");
        for status in [0, 199, 300, 400, 403, 429, 500, 503, 65535] {
            assert_eq!(single(status, body), Answer { accepted: false, ..accepted() }, "{body}");
        }
    }
}

#[test]
fn problems_in_the_services_words() {
    for (status, body, text) in [
        (
            400,
            json!({"type": "http://ns.adobe.com/adobecloud/problem/data-collection-service/inlet", "status": 400, "title": "Invalid XDM Message Format",
                   "report": {"message": "inletId: [9b] imsOrgId: [0A@AdobeOrg] Message has unknown xdm format", "cause": {"_streamingValidation": []}}}),
            "inletId: [9b] imsOrgId: [0A@AdobeOrg] Message has unknown xdm format",
        ),
        (
            401,
            json!({"type": "https://ns.adobe.com/adobecloud/problem/data-collection-service-authorization", "status": "401", "title": "Authorization",
                   "report": {"message": "[id] Ims service token is empty"}}),
            "[id] Ims service token is empty",
        ),
        (400, json!({"status": 400, "title": "Bad", "report": {}}), "Bad"),
        (400, json!({"status": 400, "title": "Bad", "message": "Worse", "report": "none"}), "Worse"),
        (400, json!({"title": 1, "message": null}), ""),
    ] {
        let answer = single(status, &body.to_string());
        assert_eq!((answer.accepted, answer.text.as_str()), (false, text), "{body}");
    }
    let long = single(500, &json!({"message": "é".repeat(1000)}).to_string());
    assert_eq!(long.text, "é".repeat(300));
}

fn rejected(status: u16, text: &str) -> ItemAnswer {
    ItemAnswer::Rejected { status, text: String::from(text) }
}

#[test]
fn batches_item_by_item() {
    use ItemAnswer::{Accepted, Unknown};
    const ID: &str = "1565628583792:1485:153";
    let ok = |n: usize| json!({"xactionId": format!("{ID}:{n}")});
    for (name, responses, expected) in [
        (
            "as the tutorial has it",
            json!([ok(0), {"statusCode": 400, "message": "bad"}]),
            vec![Accepted, rejected(400, "bad")],
        ),
        (
            "as the Kafka sink reads it",
            json!([{"xactionId": "9341f8eb-3d4c-4f1e-8c4b-a5c3e1f00d10-1", "status": 503, "message": "later"}, ok(0)]),
            vec![Accepted, rejected(503, "later")],
        ),
        (
            "numbers out of order, also on refused items",
            json!([ok(2), {"xactionId": format!("{ID}:0"), "statusCode": "400", "message": "bad"}, ok(1)]),
            vec![rejected(400, "bad"), Accepted, Accepted],
        ),
        ("a number beats a position", json!([{"statusCode": 400}, ok(0)]), vec![Accepted, Unknown]),
        (
            "a number out of range is none",
            json!([ok(7), {"xactionId": "9341f8eb-123456789012", "status": 400}]),
            vec![Accepted, rejected(400, "")],
        ),
        ("fewer answers than messages", json!([ok(0)]), vec![Accepted, Unknown, Unknown]),
        ("more answers than messages", json!([ok(0), ok(1), {}]), vec![Accepted]),
        (
            "statuses of every kind",
            json!([{"status": "401"}, {"status": "failed"}, {"statusCode": 200}, {"status": 700_000}, {"status": -1}, {"status": null}]),
            vec![
                rejected(401, ""),
                rejected(0, ""),
                Accepted,
                rejected(0, ""),
                rejected(0, ""),
                rejected(0, ""),
            ],
        ),
        ("items that say nothing", json!([1, null, {}, "x", {"message": "?"}]), vec![Unknown; 5]),
        ("no items", json!([]), vec![Unknown]),
        ("not a list", json!({"0": ok(0)}), vec![Unknown]),
    ] {
        let body = json!({"inletId": "9b", "batchId": ID, "receivedTimeMs": 1_565_628_583_854_i64, "responses": responses});
        assert_eq!(batch(207, &body.to_string(), expected.len()), expected, "{name}");
        assert_eq!(received_time(&body.to_string()), Some(1_565_628_583_854));
    }
}

#[test]
fn batches_as_a_whole() {
    assert_eq!(batch(200, "", 2), vec![ItemAnswer::Accepted; 2]);
    assert_eq!(batch(207, "", 2), vec![ItemAnswer::Unknown; 2]);
    assert_eq!(batch(207, "{\"responses\":[{\"xactionId\":\"1\"},", 2), vec![ItemAnswer::Unknown; 2]);
    assert_eq!(batch(413, "{\"title\":\"Too big\"}", 2), vec![rejected(413, "Too big"); 2]);
    assert_eq!(batch(503, "", 1), vec![rejected(503, "")]);
    assert_eq!(batch(207, "{}", 0), vec![]);
}

/// Bodies that are nearly what the service sends.
fn body() -> impl Strategy<Value = String> {
    let id = "[0-9a-f]{1,4}(-[0-9a-f]{1,4}){0,2}|1:2:3(:[0-9]{1,30})?|\\PC{0,6}";
    let field = prop_oneof![
        id.prop_map(Value::from),
        (-1000i64..100_000).prop_map(Value::from),
        crate::values::value(),
    ];
    let item = prop::collection::vec(
        (prop::sample::select(vec!["xactionId", "status", "statusCode", "message", "title"]), field.clone()),
        0..4,
    )
    .prop_map(|fields| {
        fields.into_iter().map(|(key, value)| (key.to_string(), value)).collect::<serde_json::Map<_, _>>()
    });
    let whole = (prop::collection::vec(item, 0..6), field).prop_map(|(responses, field)| {
        json!({"batchId": "1:2:3", "responses": responses, "report": {"message": field}, "receivedTimeMs": field}).to_string()
    });
    (whole, any::<prop::sample::Index>(), prop::option::of("\\PC{0,3}")).prop_map(|(whole, at, junk)| {
        let Some(junk) = junk else { return whole };
        let chars: Vec<char> = whole.chars().collect();
        let at = at.index(chars.len());
        chars[..at].iter().collect::<String>() + &junk + &chars[at..].iter().skip(1).collect::<String>()
    })
}

proptest! {
    #[test]
    fn any_bytes_are_an_answer(bytes: Vec<u8>, body in body(), status: u16, count in 0..20usize) {
        for body in [&*String::from_utf8_lossy(&bytes), &body] {
            let answer = single(status, body);
            prop_assert_eq!(answer.accepted, (200..300).contains(&status));
            prop_assert!(answer.text.chars().count() <= 300);
            for status in [207, status] {
                let answers = batch(status, body, count);
                prop_assert_eq!(answers.len(), count);
                for answer in answers {
                    if let ItemAnswer::Rejected { status, text } = answer {
                        prop_assert!(!(200..300).contains(&status));
                        prop_assert!(text.chars().count() <= 300);
                    }
                }
            }
        }
    }

    #[test]
    fn numbered_items_find_their_messages_in_any_order(
        outcomes in prop::collection::vec(prop::option::of(400..600u16), 0..12),
        seed in prop::collection::vec(any::<u32>(), 12),
        hyphen: bool,
    ) {
        let mut responses: Vec<(u32, Value)> = outcomes
            .iter()
            .enumerate()
            .map(|(number, outcome)| {
                let item = match outcome {
                    None => json!({"xactionId": format!("1:2:3:{number}")}),
                    Some(status) if hyphen => json!({"xactionId": format!("9341f8eb-4f1e-{number}"), "status": status, "message": "m"}),
                    Some(status) => json!({"xactionId": format!("1:2:3:{number}"), "statusCode": status, "message": "m"}),
                };
                (seed[number], item)
            })
            .collect();
        responses.sort_by_key(|(order, _)| *order);
        let responses: Vec<Value> = responses.into_iter().map(|(_, item)| item).collect();
        let body = json!({"batchId": "1:2:3", "responses": responses}).to_string();
        let expected: Vec<_> = outcomes
            .iter()
            .map(|outcome| outcome.map_or(ItemAnswer::Accepted, |status| rejected(status, "m")))
            .collect();
        prop_assert_eq!(batch(207, &body, outcomes.len()), expected);
    }
}
