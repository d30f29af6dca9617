//! Why something was refused.
//!
//! A [`Fault`] is a reason with a stable code and the path of the value that caused it. The path is
//! put together while the error travels up, part by part, so work that succeeds pays nothing for it.

use crate::json;

/// One row per reason: variant, code, and what to do. The text follows the path in a sentence:
/// `xdmBeacon: 'xdm.identityMap.CRM[0].id' must be a string`.
macro_rules! reasons {
    ($($variant:ident $code:literal $text:literal;)*) => {
        /// Why something was refused.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Reason {
            $(#[doc = $text] $variant,)*
        }

        impl Reason {
            /// Every reason there is, for tables in tests and documentation.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)*];

            /// The stable name: once published, a code keeps its meaning.
            pub fn code(self) -> &'static str {
                match self {
                    $(Reason::$variant => $code,)*
                }
            }

            /// What the person should do, as the end of a sentence that starts with the path.
            pub fn text(self) -> &'static str {
                match self {
                    $(Reason::$variant => $text,)*
                }
            }
        }
    };
}

reasons! {
    NotAString "not-a-string" "must be a string";
    NotAnObject "not-an-object" "must be an object";
    NotABoolean "not-a-boolean" "must be true or false";
    NotAnArray "not-an-array" "must be an array";
    NotAUrl "not-a-url" "must be a whole URL of plain characters, like https://dcs.adobedc.net/collection/1a2b";
    NotJson "not-json" "must be JSON";
    Missing "missing" "is required";
    Empty "empty" "must not be empty";
    NotConfigured "not-configured" "must be configured first: call 'configure' before";
    ConfiguredTwice "configured-twice" "may only be configured once: remove the second call";
    UnknownCommand "unknown-command" "is not a command: use configure, sendEvent, sendProfile, setConsent, getIdentity, appendIdentityToUrl, flush, getStatus, setDebug or getLibraryInfo";
    UnknownOption "unknown-option" "is not an option of this version: remove it or check its spelling";
    NotHttps "not-https" "must start with https:// (http:// is for this machine alone)";
    NotAnOrg "not-an-org" "must be an organisation id that ends in @AdobeOrg";
    NotAContext "not-a-context" "must be \"web\", \"device\", \"environment\", \"placeContext\", \"implementationDetails\" or \"highEntropyUserAgentHints\"";
    NotAHost "not-a-host" "must be a host such as shop.example, without scheme, port or path; in ASCII (xn--…) where it has other letters";
    NotTracked "not-tracked" "must be \"pageViews\", \"clicks\", \"forms\", \"engagement\", \"errors\" or \"webVitals\"";
    NotADataLayer "not-a-data-layer" "must be \"acdl\" or \"array\"";
    NotASource "not-a-source" "must be a path into what is pushed, a number, true, false, or {\"value\": …} for anything else that is always the same";
    NotATransport "not-a-transport" "must be \"auto\", \"beacon\" or \"fetch\"";
    NotAMode "not-a-mode" "must be \"balanced\", \"atLeastOnce\" or \"atMostOnce\"";
    NotAConsent "not-a-consent" "must be \"in\", \"out\" or \"pending\"";
    NotAVendor "not-a-vendor" "must be a number of the IAB's list of vendors, 1 to 65535 (Adobe's is 565)";
    NotAStandard "not-a-standard" "must be \"Adobe\" or \"IAB TCF\"";
    NotAVersion "not-a-version" "must be \"1.0\" or \"2.0\" of Adobe, or \"2.0\" to \"2.3\" of IAB TCF";
    NotInOrOut "not-in-or-out" "must be \"in\" or \"out\"";
    NotYesOrNo "not-yes-or-no" "must be \"y\" or \"n\"";
    NotATcString "not-a-tc-string" "must be a TC string of version 2, as the consent manager gives it in 'tcString'";
    OutOfRange "out-of-range" "must be a whole number, 1 to 2147483647";
    NotAStorage "not-a-storage" "must be \"cookie\", \"localStorage\" or \"serverCookie\"";
    NotAPrimary "not-a-primary" "must be \"ecid\", \"firstParty\" or \"none\"";
    NotADomain "not-a-domain" "must be a domain of this site, like shop.example";
    ReservedNamespace "reserved-namespace" "is the namespace of ids that Adobe makes: use one of your own";
    NotAPattern "not-a-pattern" "must be a regular expression that does not match an empty text";
    NotAPriority "not-a-priority" "must be \"high\", \"normal\" or \"low\"";
    NotMilliseconds "not-milliseconds" "must be a whole number of milliseconds, 0 to 2147483647";
    NoProfileDataset "no-profile-dataset" "is required: name it here or set 'profile' in 'configure'";
    UnknownKey "unknown-key" "is not a known key: remove it or check its spelling";
    TooDeep "too-deep" "is nested more than 32 levels deep: flatten it";
    TooLarge "too-large" "is larger than 1 MB: send less";
    EmptyElement "empty-element" "is an empty array element: give it a value or remove it";
    UnsafeKey "unsafe-key" "uses __proto__, constructor or prototype: choose another name";
    EmptySegment "empty-segment" "has an empty part: write it like a.b[0].c";
    BadIndex "bad-index" "has a bad array index: write a whole number up to 9999 in brackets, like a[0]";
    IndexGap "index-gap" "leaves an array index before it unset: number the elements from 0 without gaps";
    PathConflict "path-conflict" "contradicts another path, which has a value, an object or an array in the same place";
    DuplicatePath "duplicate-path" "is set twice: keep one of the two";
    NoNamespace "no-namespace" "has an identity namespace without a name: use the code that the platform knows it by";
    TwoPrimaries "two-primaries" "is a second primary identity: only one may be primary";
    TooManyIdentities "too-many-identities" "holds more than 20 identities: remove some";
    NotAnAuthenticatedState "not-an-authenticated-state" "must be \"ambiguous\", \"authenticated\" or \"loggedOut\"";
    NotATimestamp "not-a-timestamp" "must be a time like 2026-11-24T03:49:50.123Z or 2026-11-24T04:49:50+01:00";
    NoIdentity "no-identity" "is required, since a record belongs to somebody: add it, or name the schema's own identity field in 'profile.identityPath'";
    NotAFunction "not-a-function" "must be a function";
    CallbackFailed "callback-failed" "failed, so this event was not sent: mend it";
    CallbackAsync "callback-async" "gave back a promise, so this event was not sent: it must decide at once";
    NotAnId "not-an-id" "must hold only characters that a URI may have (no spaces; a colon only after a scheme)";
}

/// A refusal: the reason, and the path of the value that caused it, such as
/// `xdm.identityMap.CRM[0].id`. An empty path means the whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Why.
    pub reason: Reason,
    /// Where; empty for the whole.
    pub path: String,
}

impl Fault {
    /// A fault of the whole value.
    pub fn new(reason: Reason) -> Fault {
        Fault { reason, path: String::new() }
    }

    /// A fault of the value at `path`.
    pub fn at(reason: Reason, path: &str) -> Fault {
        Fault { reason, path: String::from(path) }
    }

    /// The same fault, seen from the object that holds the value under `key`.
    pub fn in_key(self, key: &str) -> Fault {
        self.under(String::from(key))
    }

    /// The same fault, seen from the array that holds the value at `index`.
    pub fn in_index(self, index: usize) -> Fault {
        let mut path = String::from("[");
        json::push_int(&mut path, i64::try_from(index).unwrap_or(i64::MAX));
        path.push(']');
        self.under(path)
    }

    fn under(self, mut path: String) -> Fault {
        if !path.is_empty() && !self.path.is_empty() && !self.path.starts_with('[') {
            path.push('.');
        }
        path.push_str(&self.path);
        Fault { reason: self.reason, path }
    }

    /// The sentence for people: `xdmBeacon: 'xdm.identityMap.CRM[0].id' must be a string`, or
    /// `xdmBeacon: must be an object` without a path. `instance` is the name of the function called.
    pub fn message(&self, instance: &str) -> String {
        let mut text = String::from(instance);
        text.push_str(": ");
        if !self.path.is_empty() {
            text.push('\'');
            text.push_str(&self.path);
            text.push_str("' ");
        }
        text.push_str(self.reason.text());
        text
    }
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Fault {
        Fault::new(reason)
    }
}
