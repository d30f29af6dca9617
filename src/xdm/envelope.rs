//! The message around an entity, as the streaming API documents it.

use crate::json::push_string;

/// Where messages go and what they hold. Everything in an envelope but the entity.
#[derive(Clone, Copy)]
pub struct Route<'a> {
    /// `$id` of the schema: `https://ns.adobe.com/{TENANT}/schemas/{SCHEMA}`.
    pub schema_id: &'a str,
    /// Usually `application/vnd.adobe.xed-full+json;version=1`.
    pub content_type: &'a str,
    /// `…@AdobeOrg`.
    pub org_id: &'a str,
    /// The dataset that the schema belongs to.
    pub dataset_id: &'a str,
    /// The dataflow of the connection. Connections from before dataflows have none.
    pub flow_id: Option<&'a str>,
    /// The name of the source; without it the connection's source is used.
    pub source_name: Option<&'a str>,
}

/// An envelope written once for all messages of a route.
#[derive(Clone)]
pub struct Envelope {
    /// Everything up to the entity.
    head: String,
}

/// What closes `body` and the message after the entity.
const TAIL: &str = "}}";

impl Envelope {
    /// Writes all of the message that comes before the entity. `schemaRef` stands in it twice, as
    /// the service demands.
    pub fn new(route: &Route) -> Envelope {
        let mut schema = String::from("\"schemaRef\":{\"id\":");
        push_string(&mut schema, route.schema_id);
        schema.push_str(",\"contentType\":");
        push_string(&mut schema, route.content_type);
        schema.push('}');

        let mut head = String::from("{\"header\":{");
        head.push_str(&schema);
        head.push_str(",\"imsOrgId\":");
        push_string(&mut head, route.org_id);
        head.push_str(",\"datasetId\":");
        push_string(&mut head, route.dataset_id);
        if let Some(flow_id) = route.flow_id {
            head.push_str(",\"flowId\":");
            push_string(&mut head, flow_id);
        }
        if let Some(source_name) = route.source_name {
            head.push_str(",\"source\":{\"name\":");
            push_string(&mut head, source_name);
            head.push('}');
        }
        head.push_str("},\"body\":{\"xdmMeta\":{");
        head.push_str(&schema);
        head.push_str("},\"xdmEntity\":");
        Envelope { head }
    }

    /// The message that carries an entity, given as JSON text.
    pub fn message(&self, entity: &str) -> String {
        let mut message = String::with_capacity(self.head.len() + entity.len() + TAIL.len());
        message.push_str(&self.head);
        message.push_str(entity);
        message.push_str(TAIL);
        message
    }
}

/// The body of a batch request: `{"messages":[…]}`.
pub fn batch(messages: &[&str]) -> String {
    let bytes = batch_bytes(messages.iter().map(|message| message.len()));
    let mut body = String::with_capacity(bytes);
    body.push_str(BATCH_HEAD);
    for (at, message) in messages.iter().enumerate() {
        if at > 0 {
            body.push(',');
        }
        body.push_str(message);
    }
    body.push_str(BATCH_TAIL);
    body
}

/// Bytes of a batch request of messages with these sizes, without writing it.
pub fn batch_bytes(sizes: impl ExactSizeIterator<Item = usize>) -> usize {
    let commas = sizes.len().saturating_sub(1);
    BATCH_HEAD.len() + sizes.sum::<usize>() + commas + BATCH_TAIL.len()
}

const BATCH_HEAD: &str = "{\"messages\":[";
const BATCH_TAIL: &str = "]}";
