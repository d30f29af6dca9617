//! Entities with a known verdict: what is easily got right, and what is easily got wrong.

use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Event,
    Profile,
}

pub struct Case {
    pub name: &'static str,
    pub class: Class,
    pub entity: Value,
    /// `None` where it is valid, else the pointer into the entity and the keyword that refuse it, and no other.
    pub refused: Option<(&'static str, &'static str)>,
    /// Whether the shipped schema has the field group it needs.
    pub shipped: bool,
}

/// The 28 cases.
pub fn all() -> Vec<Case> {
    let mut cases = valid_events();
    cases.extend(valid_profiles());
    cases.extend(refused());
    cases
}

fn valid(name: &'static str, class: Class, entity: Value) -> Case {
    Case { name, class, entity, refused: None, shipped: true }
}

fn invalid(name: &'static str, more: Value, pointer: &'static str, keyword: &'static str) -> Case {
    Case { refused: Some((pointer, keyword)), ..valid(name, Class::Event, event(more)) }
}

/// The smallest event, and `more`, whose members win.
fn event(more: Value) -> Value {
    let mut event =
        json!({"_id": "4c1f6c0e-6f0f-4d0e-9a43-3b1c1d8d2a55", "timestamp": "2025-11-20T10:15:30.250Z"});
    let members = event.as_object_mut().expect("an event is an object");
    members.extend(more.as_object().expect("more is an object").clone());
    event
}

fn valid_events() -> Vec<Case> {
    let valid = |name, more| valid(name, Class::Event, event(more));
    vec![
        valid("minimal event", json!({})),
        valid(
            "page view",
            json!({
                "eventType": "web.webpagedetails.pageViews",
                "identityMap": {
                    "ECID": [{"id": "10930129384756102938475610293847561029", "primary": true, "authenticatedState": "ambiguous"}],
                    "CRM": [{"id": "c-1001", "authenticatedState": "authenticated"}]
                },
                "web": {
                    "webPageDetails": {"name": "home", "URL": "https://shop.example/", "isHomePage": true, "pageViews": {"value": 1}},
                    "webReferrer": {"URL": "https://search.example/?q=lamp", "type": "search_engine"}
                },
                "environment": {
                    "type": "browser",
                    "browserDetails": {
                        "userAgent": "Mozilla/5.0", "acceptLanguage": "en-GB", "viewportHeight": 720, "viewportWidth": 1280,
                        "userAgentClientHints": {"brands": [{"brand": "Chromium", "version": "140"}], "mobile": false, "platform": "Linux"}
                    },
                    "_dc": {"language": "en-GB"}
                },
                "device": {"type": "desktop", "screenHeight": 1080, "screenWidth": 1920, "screenOrientation": "landscape"},
                "placeContext": {
                    "localTime": "2025-11-20T11:15:30.250+01:00", "localTimezoneOffset": -60, "ianaTimezone": "Europe/Zurich",
                    "geo": {"countryCode": "CH", "stateProvince": "CH-ZH", "_schema": {"latitude": 47.37, "longitude": 8.54}}
                },
                "implementationDetails": {"name": "https://ns.adobe.com/xdmbeacon", "version": "0.1.0", "environment": "browser"}
            }),
        ),
        valid(
            "link click",
            json!({
                "eventType": "web.webinteraction.linkClicks",
                "web": {"webInteraction": {"name": "Price list", "URL": "https://shop.example/prices.pdf", "type": "download", "region": "footer", "linkClicks": {"value": 1}}}
            }),
        ),
        valid(
            "purchase with order, payment and items",
            json!({
                "eventType": "commerce.purchases",
                "commerce": {
                    "purchases": {"value": 1},
                    "order": {
                        "purchaseID": "o-77", "currencyCode": "EUR", "priceTotal": 118.5, "taxAmount": 9.5, "orderType": "checkout",
                        "payments": [{"transactionID": "t-1", "paymentAmount": 118.5, "paymentType": "credit_card", "currencyCode": "EUR"}]
                    }
                },
                "productListItems": [
                    {"SKU": "lamp-1", "name": "Lamp", "quantity": 2, "priceTotal": 98.5, "currencyCode": "EUR", "selectedOptions": [{"attribute": "colour", "value": "blue"}]},
                    {"SKU": "bulb-4", "quantity": 1, "priceTotal": 20}
                ]
            }),
        ),
        // The shape of the streaming tutorial's event: the viewport beside browserDetails, not within.
        valid(
            "tutorial event",
            json!({
                "producedBy": "self",
                "environment": {
                    "browserDetails": {"userAgent": "Mozilla/5.0", "acceptLanguage": "en-US", "cookiesEnabled": true, "javaScriptVersion": "1.3", "javaEnabled": true},
                    "colorDepth": 32, "viewportHeight": 799, "viewportWidth": 414
                },
                "productListItems": [{"SKU": "CC", "name": "Fernie Snow", "quantity": 30, "priceTotal": 7.8}],
                "commerce": {"productViews": {"value": 1}}
            }),
        ),
        Case {
            shipped: false,
            ..valid(
                "media session start",
                json!({
                    "eventType": "media.sessionStart",
                    "mediaCollection": {"playhead": 0, "sessionDetails": {"name": "Trailer", "length": 90, "contentType": "VOD", "playerName": "player"}}
                }),
            )
        },
        valid(
            "endUserIDs",
            json!({"endUserIDs": {"_experience": {"mcid": {"id": "1093", "authenticatedState": "ambiguous", "primary": true, "namespace": {"code": "ECID"}}}}}),
        ),
        valid("offset timestamp", json!({"timestamp": "2025-11-20T12:15:30+02:00"})),
        valid(
            "consentStrings",
            json!({"consentStrings": [{"consentStandard": "IAB TCF", "consentStandardVersion": "2.0", "consentStringValue": "CO1Z4yuO1Z4yuAcABBENArCs", "gdprApplies": true}]}),
        ),
        valid("_id of a letter and a number", json!({"_id": "x:1"})),
        // A scheme starts with a letter and the first segment of a path holds no colon (RFC 3986), so this is no
        // uri-reference; ajv-formats alone lets it pass.
        Case { refused: Some(("/_id", "format")), ..valid("_id of two numbers", json!({"_id": "1:x"})) },
    ]
}

fn valid_profiles() -> Vec<Case> {
    vec![
        valid(
            "full Profile record with consents",
            Class::Profile,
            json!({
                "_id": "profile-1001", "personID": "1001",
                "_repo": {"createDate": "2025-11-20T10:15:30Z"},
                "identityMap": {"Email": [{"id": "ada@shop.example", "primary": true}]},
                "person": {
                    "name": {"firstName": "Ada", "lastName": "Sample", "fullName": "Ada Sample"},
                    "birthDate": "1990-12-10", "birthDayAndMonth": "12-10", "birthYear": 1990, "gender": "female", "nationality": "CH"
                },
                "personalEmail": {"address": "ada@shop.example", "primary": true, "status": "active"},
                "homeAddress": {"street1": "Lane 1", "city": "Zurich", "postalCode": "8001", "countryCode": "CH", "_schema": {"latitude": 47.37, "longitude": 8.54}},
                "mobilePhone": {"number": "791234567", "countryCode": "41", "primary": true},
                "workEmail": {"address": "ada@work.example"}, "organizations": ["Sample Ltd"],
                "preferredLanguage": "de-CH", "timeZone": "Europe/Zurich", "emailFormat": "html",
                "consents": {
                    "collect": {"val": "y"}, "share": {"val": "n"}, "personalize": {"content": {"val": "y"}},
                    "marketing": {"preferred": "email", "any": {"val": "u"}, "email": {"val": "y", "time": "2025-11-20T10:15:30Z", "reason": "newsletter"}},
                    "idSpecific": {"Email": {"ada@shop.example": {"marketing": {"email": {"val": "y"}}}}},
                    "metadata": {"time": "2025-11-20T10:15:30Z"}
                }
            }),
        ),
        valid("empty Profile record", Class::Profile, json!({})),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        invalid(
            "click as a type of interaction",
            json!({"web": {"webInteraction": {"type": "click"}}}),
            "/web/webInteraction/type",
            "enum",
        ),
        invalid(
            "item without SKU",
            json!({"productListItems": [{"name": "Lamp"}]}),
            "/productListItems/0",
            "required",
        ),
        invalid(
            "currency in lower case",
            json!({"commerce": {"order": {"currencyCode": "eur"}}}),
            "/commerce/order/currencyCode",
            "pattern",
        ),
        invalid(
            "productListItems as an object",
            json!({"productListItems": {"SKU": "lamp-1", "priceTotal": 10}}),
            "/productListItems",
            "type",
        ),
        Case {
            shipped: false,
            ..invalid(
                "media session without length and content type",
                json!({"mediaCollection": {"sessionDetails": {"name": "Trailer"}}}),
                "/mediaCollection/sessionDetails",
                "required",
            )
        },
        invalid(
            "authenticatedState unknown",
            json!({"identityMap": {"ECID": [{"id": "1093", "authenticatedState": "unknown"}]}}),
            "/identityMap/ECID/0/authenticatedState",
            "enum",
        ),
        invalid(
            "primary as text",
            json!({"identityMap": {"ECID": [{"id": "1093", "primary": "true"}]}}),
            "/identityMap/ECID/0/primary",
            "type",
        ),
        invalid(
            "null",
            json!({"web": {"webPageDetails": {"name": null}}}),
            "/web/webPageDetails/name",
            "type",
        ),
        invalid("timestamp as a number", json!({"timestamp": 1763633730250_u64}), "/timestamp", "type"),
        invalid(
            "timestamp without a zone",
            json!({"timestamp": "2025-11-20T10:15:30"}),
            "/timestamp",
            "format",
        ),
        invalid("_id with a space", json!({"_id": "hit 1"}), "/_id", "format"),
        invalid("_id as a number", json!({"_id": 1}), "/_id", "type"),
        invalid(
            "latitude beyond the pole",
            json!({"placeContext": {"geo": {"_schema": {"latitude": 91, "longitude": 8}}}}),
            "/placeContext/geo/_schema/latitude",
            "maximum",
        ),
        invalid("unknown name at the top", json!({"pageName": "home"}), "", "additionalProperties"),
        Case {
            class: Class::Profile,
            entity: json!({"person": {"gender": "F"}}),
            ..invalid("gender F", json!({}), "/person/gender", "enum")
        },
    ]
}
