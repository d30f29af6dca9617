//! What the old "Adobe Experience Platform" extension sent comes out of a mapping alone.

use serde_json::Value;
use xdm_beacon::xdm::entity::{Parts, experience_event};
use xdm_beacon::xdm::envelope::{Envelope, Route};

fn message_from(mapping: &str) -> Value {
    let file: Value = serde_json::from_str(mapping).unwrap();
    let configure = &file["configure"];
    let option = |value: &'static str| configure.pointer(value).map(|value| value.as_str().unwrap());
    let mapping = file["mapping"].to_string();
    let parts = Parts { mapping: &mapping, ..Parts::default() };
    let entity = experience_event(&parts, [7; 16], 1_795_492_190_123).unwrap();
    let envelope = Envelope::new(&Route {
        schema_id: option("/schema/id").unwrap(),
        content_type: option("/schema/contentType").unwrap(),
        org_id: option("/orgId").unwrap(),
        dataset_id: option("/datasetId").unwrap(),
        flow_id: option("/flowId"),
        source_name: option("/sourceName"),
    });
    serde_json::from_str(&envelope.message(&entity.json)).unwrap()
}

#[test]
fn the_second_version_whole() {
    let message = message_from(include_str!("../golden/legacy/v2-mapping.json"));
    let captured: Value = serde_json::from_str(include_str!("../golden/legacy/v2-payload.json")).unwrap();
    assert_eq!(message, captured);
}

#[test]
fn the_entity_of_the_first_version() {
    let message = message_from(include_str!("../golden/legacy/v1-mapping.json"));
    let captured: Value = serde_json::from_str(include_str!("../golden/legacy/v1-payload.json")).unwrap();
    assert_eq!(message["body"]["xdmEntity"], captured["body"]["xdmEntity"]);
}
