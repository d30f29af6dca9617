//! Which of Adobe's standard field groups brings a path, so that a violation can say what to add to the schema.
//!
//! The table holds the paths of the two classes a page writes to. A path that the class itself brings
//! (`_id`, `timestamp`, `personID`, …) has no group, nor has a deprecated one: nobody should add those.

/// A standard field group as the schema editor lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldGroup {
    /// Its name in the schema editor.
    pub title: &'static str,
    /// Its `$id`, as it stands in the `meta:extends` of a schema that has it.
    pub id: &'static str,
}

/// The field group of `class` (a `meta:class` `$id`) that brings the longest beginning of `pointer`
/// (a JSON pointer into the entity, such as `/web/webPageDetails/name`).
///
/// The answer is about the class, not about one schema: where the schema's `meta:extends` names the
/// group already, the field is not missing but misspelt.
pub fn group_for(class: &str, pointer: &str) -> Option<FieldGroup> {
    let (_, groups) = CLASSES.iter().find(|(id, _)| *id == class)?;
    groups
        .iter()
        .flat_map(|(group, paths)| paths.iter().map(move |path| (group, path)))
        .filter(|(_, path)| begins_with(pointer, path))
        .max_by_key(|(_, path)| path.len())
        .map(|(group, _)| *group)
}

/// Whether `pointer` is `path` or lies below it: whole segments, so `/webinar` is not in `/web`.
fn begins_with(pointer: &str, path: &str) -> bool {
    pointer.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A group and the paths it brings.
type Brings = (FieldGroup, &'static [&'static str]);

const fn group(title: &'static str, id: &'static str) -> FieldGroup {
    FieldGroup { title, id }
}

const CLASSES: [(&str, &[Brings]); 2] = [
    ("https://ns.adobe.com/xdm/context/experienceevent", EVENT),
    ("https://ns.adobe.com/xdm/context/profile", PROFILE),
];

const DEMOGRAPHIC: FieldGroup =
    group("Demographic Details", "https://ns.adobe.com/xdm/context/profile-person-details");
const PERSONAL_CONTACT: FieldGroup =
    group("Personal Contact Details", "https://ns.adobe.com/xdm/context/profile-personal-details");
const PERSONAL_CONTACT_PATHS: &[&str] = &[
    "/personalEmail",
    "/homeAddress",
    "/shippingAddress",
    "/billingAddress",
    "/mailingAddress",
    "/homePhone",
    "/mobilePhone",
    "/faxPhone",
    "/shippingAddressPhone",
    "/billingAddressPhone",
];

const EVENT: &[Brings] = &[
    (group("Web Details", "https://ns.adobe.com/xdm/context/experienceevent-web"), &["/web"]),
    (
        group("Environment Details", "https://ns.adobe.com/xdm/context/experienceevent-environment-details"),
        &["/environment", "/device", "/placeContext"],
    ),
    (
        group(
            "Implementation Details",
            "https://ns.adobe.com/xdm/context/experienceevent-implementation-details",
        ),
        &["/implementationDetails"],
    ),
    (
        group("Commerce Details", "https://ns.adobe.com/xdm/context/experienceevent-commerce"),
        &["/commerce", "/productListItems"],
    ),
    (
        group("Campaign Marketing Details", "https://ns.adobe.com/xdm/context/experienceevent-marketing"),
        &["/marketing"],
    ),
    (group("Channel Details", "https://ns.adobe.com/xdm/context/experienceevent-channel"), &["/channel"]),
    (
        group("End User ID Details", "https://ns.adobe.com/xdm/context/experienceevent-enduserids"),
        &["/endUserIDs"],
    ),
    (
        group("Site Search", "https://ns.adobe.com/xdm/mixins/experienceevent-site-search"),
        &["/siteSearch", "/searchRequest", "/searchResponse"],
    ),
    (group("Search Details", "https://ns.adobe.com/xdm/context/experienceevent-search"), &["/search"]),
    (
        group("Application Details", "https://ns.adobe.com/xdm/context/experienceevent-application"),
        &["/application"],
    ),
    (
        group("IAB TCF 2.0 Consent Details", "https://ns.adobe.com/xdm/context/experienceevent-privacy"),
        &["/consentStrings"],
    ),
    (
        group(
            "MediaAnalytics Interaction Details",
            "https://ns.adobe.com/xdm/mixins/experienceevent-media-analytics",
        ),
        &["/mediaCollection", "/mediaReporting", "/mediaDownloadedEvents"],
    ),
    // These two are made for both classes.
    (DEMOGRAPHIC, &["/person"]),
    (PERSONAL_CONTACT, PERSONAL_CONTACT_PATHS),
];

/// The experimental Phone Number Details brings four phones as well; the stable groups stand for them.
const PROFILE: &[Brings] = &[
    (group("IdentityMap", "https://ns.adobe.com/xdm/context/identitymap"), &["/identityMap"]),
    (DEMOGRAPHIC, &["/person"]),
    (PERSONAL_CONTACT, PERSONAL_CONTACT_PATHS),
    (
        group("Work Contact Details", "https://ns.adobe.com/xdm/context/profile-work-details"),
        &["/workEmail", "/workAddress", "/workPhone", "/organizations"],
    ),
    (
        group("Preference Details", "https://ns.adobe.com/xdm/context/profile-preferences-details"),
        &["/preferredLanguage", "/timeZone", "/profilePictureLink", "/emailFormat"],
    ),
    (
        group("Consent and Preference Details", "https://ns.adobe.com/xdm/mixins/profile-consents"),
        &["/consents"],
    ),
];

#[cfg(test)]
mod tests {
    use super::group_for;

    const EVENT: &str = "https://ns.adobe.com/xdm/context/experienceevent";
    const PROFILE: &str = "https://ns.adobe.com/xdm/context/profile";

    fn title(class: &str, pointer: &str) -> Option<&'static str> {
        group_for(class, pointer).map(|group| group.title)
    }

    #[test]
    fn a_path_at_any_depth_finds_its_group() {
        for (class, pointer, expected) in [
            (EVENT, "/web", "Web Details"),
            (EVENT, "/web/webPageDetails/name", "Web Details"),
            (EVENT, "/placeContext/geo", "Environment Details"),
            (EVENT, "/productListItems/0/SKU", "Commerce Details"),
            (EVENT, "/search/keywords", "Search Details"),
            (EVENT, "/searchRequest/value", "Site Search"),
            (EVENT, "/mediaCollection/playhead", "MediaAnalytics Interaction Details"),
            (EVENT, "/person/name", "Demographic Details"),
            (PROFILE, "/identityMap", "IdentityMap"),
            (PROFILE, "/workPhone/number", "Work Contact Details"),
            (PROFILE, "/mobilePhone", "Personal Contact Details"),
            (PROFILE, "/consents/collect/val", "Consent and Preference Details"),
        ] {
            assert_eq!(title(class, pointer), Some(expected), "{pointer}");
        }
    }

    #[test]
    fn the_longest_path_wins_and_segments_are_whole() {
        assert_eq!(title(PROFILE, "/shippingAddressPhone/number"), Some("Personal Contact Details"));
        assert_eq!(title(EVENT, "/webinar"), None);
        assert_eq!(title(EVENT, "/searches"), None);
        assert_eq!(title(PROFILE, "/personID"), None);
    }

    #[test]
    fn what_the_class_brings_or_another_class_or_nobody_has_no_group() {
        for (class, pointer) in [
            (EVENT, ""),
            (EVENT, "/timestamp"),
            (EVENT, "/identityMap/ECID/0"),
            (EVENT, "/consents/collect"),
            (EVENT, "/_xdmbeacon/form"),
            (PROFILE, "/_repo/createDate"),
            (PROFILE, "/web/webPageDetails"),
            (PROFILE, "/optInOut"),
            ("https://ns.adobe.com/xdm/classes/product", "/web"),
        ] {
            assert_eq!(title(class, pointer), None, "{class} {pointer}");
        }
    }
}
