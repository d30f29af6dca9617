use proptest::prelude::*;
use serde_json::{Value, json};
use xdm_beacon::xdm::envelope::{Envelope, Route, batch, batch_bytes};

const ROUTE: Route = Route {
    schema_id: "https://ns.adobe.com/acme/schemas/1",
    content_type: "application/vnd.adobe.xed-full+json;version=1",
    org_id: "0A1B@AdobeOrg",
    dataset_id: "65f1",
    flow_id: Some("f-1"),
    source_name: Some("Shop"),
};

#[test]
fn the_documented_message() {
    assert_eq!(
        Envelope::new(&ROUTE).message("{\"_id\":\"1\"}"),
        concat!(
            "{\"header\":{\"schemaRef\":{\"id\":\"https://ns.adobe.com/acme/schemas/1\",",
            "\"contentType\":\"application/vnd.adobe.xed-full+json;version=1\"},",
            "\"imsOrgId\":\"0A1B@AdobeOrg\",\"datasetId\":\"65f1\",\"flowId\":\"f-1\",\"source\":{\"name\":\"Shop\"}},",
            "\"body\":{\"xdmMeta\":{\"schemaRef\":{\"id\":\"https://ns.adobe.com/acme/schemas/1\",",
            "\"contentType\":\"application/vnd.adobe.xed-full+json;version=1\"}},",
            "\"xdmEntity\":{\"_id\":\"1\"}}}"
        )
    );
}

#[test]
fn what_is_not_configured_is_left_out() {
    let route = Route { flow_id: None, source_name: None, ..ROUTE };
    let message: Value = serde_json::from_str(&Envelope::new(&route).message("{}")).unwrap();
    let header = message["header"].as_object().unwrap();
    let keys: Vec<_> = header.keys().collect();
    assert_eq!(keys, ["schemaRef", "imsOrgId", "datasetId"]);
}

#[test]
fn batches() {
    assert_eq!(batch(&[]), "{\"messages\":[]}");
    assert_eq!(batch(&["{}"]), "{\"messages\":[{}]}");
    assert_eq!(batch(&["{}", "{\"a\":1}"]), "{\"messages\":[{},{\"a\":1}]}");
}

/// Counted from the code points, as RFC 3629 has it.
fn utf8_bytes(text: &str) -> usize {
    let bytes = |char| match u32::from(char) {
        0..0x80 => 1,
        0x80..0x800 => 2,
        0x800..0x10000 => 3,
        _ => 4,
    };
    text.chars().map(bytes).sum()
}

proptest! {
    #[test]
    fn envelopes_come_back_from_serde_json(
        schema_id: String,
        content_type in crate::values::text(),
        org_id in crate::values::text(),
        dataset_id in crate::values::text(),
        flow_id in prop::option::of(crate::values::text()),
        source_name in prop::option::of(any::<String>()),
        entities in prop::collection::vec(crate::values::object(), 0..4),
    ) {
        let envelope = Envelope::new(&Route {
            schema_id: &schema_id,
            content_type: &content_type,
            org_id: &org_id,
            dataset_id: &dataset_id,
            flow_id: flow_id.as_deref(),
            source_name: source_name.as_deref(),
        });
        let schema_ref = json!({"id": schema_id, "contentType": content_type});
        let mut header = json!({"schemaRef": schema_ref, "imsOrgId": org_id, "datasetId": dataset_id});
        if let Some(flow_id) = flow_id {
            header["flowId"] = json!(flow_id);
        }
        if let Some(name) = source_name {
            header["source"] = json!({"name": name});
        }
        let expected: Vec<Value> = entities
            .iter()
            .map(|entity| json!({
                "header": header,
                "body": {"xdmMeta": {"schemaRef": schema_ref}, "xdmEntity": entity},
            }))
            .collect();
        let messages: Vec<String> =
            entities.iter().map(|entity| envelope.message(&entity.to_string())).collect();
        for (message, expected) in messages.iter().zip(&expected) {
            // Text for text: the documented order of the fields too.
            prop_assert_eq!(message, &expected.to_string());
        }

        let texts: Vec<&str> = messages.iter().map(String::as_str).collect();
        let body = batch(&texts);
        prop_assert_eq!(&body, &json!({"messages": expected}).to_string());

        // Sizes are those of UTF-8, as the network counts them.
        prop_assert_eq!(batch_bytes(texts.iter().map(|text| text.len())), utf8_bytes(&body));
        let around = envelope.message("").len();
        for (message, entity) in messages.iter().zip(&entities) {
            prop_assert_eq!(utf8_bytes(message), around + utf8_bytes(&entity.to_string()));
        }
    }
}
