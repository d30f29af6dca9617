//! Pure: what a person has decided, in the words of the standards that pages use.
//!
//! One question is settled here: may events be collected? `setConsent` answers it, in the words of Adobe
//! 1.0, Adobe 2.0 or the IAB's TCF; until then the answer of an earlier visit does, and without one the
//! default. What follows from the answer is [`crate::command`]'s and [`crate::delivery`]'s.

mod tcf;

pub use tcf::allows;

use crate::delivery::Consent;
use crate::fault::{Fault, Reason};
use crate::json::{self, Kind};
use crate::settings::{boolean, each, each_element, required, string};

/// The number of Adobe in the IAB's list of vendors.
const ADOBE: u16 = 565;
const KEY: &str = "xdm-beacon.consent.";

/// `consent` of `configure`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// What holds until somebody decides.
    pub default: Consent,
    /// Where the decision is kept in `localStorage`; instances with the same key share it.
    pub storage_key: Option<String>,
    /// Whether the browser's Global Privacy Control makes `out` of the default.
    pub privacy_control: bool,
    /// Whether the page's consent manager is followed.
    pub follow: bool,
    /// The vendor that a TC string must name.
    pub vendor_id: u16,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            default: Consent::In,
            storage_key: None,
            privacy_control: false,
            follow: false,
            vendor_id: ADOBE,
        }
    }
}

impl Options {
    /// Reads `{default?, storageKey?, globalPrivacyControl?, tcf?: {follow?, vendorId?}}`.
    ///
    /// # Errors
    /// The first option that is unknown or of the wrong kind, with its path.
    pub fn parse(raw: &str) -> Result<Options, Fault> {
        let mut options = Options::default();
        each(raw, |key, raw| {
            match key {
                "default" => {
                    options.default = match json::string(raw).as_deref() {
                        Some("in") => Consent::In,
                        Some("out") => Consent::Out,
                        Some("pending") => Consent::Pending,
                        _ => return Err(Fault::new(Reason::NotAConsent)),
                    };
                }
                "storageKey" => options.storage_key = Some(string(raw)?),
                "globalPrivacyControl" => options.privacy_control = boolean(raw)?,
                "tcf" => each(raw, |key, raw| {
                    match key {
                        "follow" => options.follow = boolean(raw)?,
                        "vendorId" => {
                            options.vendor_id = json::integer(raw)
                                .and_then(|id| u16::try_from(id).ok())
                                .filter(|id| *id > 0)
                                .ok_or(Reason::NotAVendor)?;
                        }
                        _ => return Err(Fault::new(Reason::UnknownOption)),
                    }
                    Ok(())
                })?,
                _ => return Err(Fault::new(Reason::UnknownOption)),
            }
            Ok(())
        })?;
        Ok(options)
    }

    /// Where the decision is kept.
    pub fn key(&self, org_id: &str) -> String {
        match &self.storage_key {
            Some(key) => key.clone(),
            None => {
                let mut key = String::from(KEY);
                key.push_str(org_id);
                key
            }
        }
    }

    /// What holds where nobody has decided. Global Privacy Control is a wish for all sites alike: it makes
    /// `out` of the default, and a decision on this very site counts more.
    pub fn undecided(&self, wishes_privacy: bool) -> Consent {
        if self.privacy_control && wishes_privacy { Consent::Out } else { self.default }
    }
}

/// A decision as it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record {
    /// Given.
    In,
    /// Refused, and what was stored before is gone.
    Out,
    /// Refused, and what was stored before may not be gone yet: whoever reads this sees to it.
    Purge,
}

impl Record {
    /// What is kept; anything else is no decision.
    pub fn read(text: &str) -> Option<Record> {
        [Record::In, Record::Out, Record::Purge].into_iter().find(|record| record.text() == text)
    }

    /// As it is kept.
    pub fn text(self) -> &'static str {
        match self {
            Record::In => "in",
            Record::Out => "out",
            Record::Purge => "out purge",
        }
    }

    /// What it says.
    pub fn consent(self) -> Consent {
        if self == Record::In { Consent::In } else { Consent::Out }
    }
}

/// Whether the options of `setConsent` allow collection: `{consent: [{standard, version, value, …}, …]}`.
/// Each entry is checked, and all of them have to allow it.
///
/// # Errors
/// The first thing wrong, with its path, e.g. `consent[0].value.collect.val`.
pub fn decision(options: &str, vendor_id: u16) -> Result<bool, Fault> {
    let mut allowed = None;
    each(options, |key, raw| match key {
        "consent" => entries(raw, vendor_id).map(|all| allowed = Some(all)),
        _ => Err(Fault::new(Reason::UnknownOption)),
    })?;
    required(allowed, "consent")
}

fn entries(raw: &str, vendor_id: u16) -> Result<bool, Fault> {
    let mut all = None;
    each_element(raw, &mut |raw| {
        let allowed = entry(raw, vendor_id)?;
        all = Some(allowed && all.unwrap_or(true));
        Ok(())
    })?;
    all.ok_or(Fault::new(Reason::Empty))
}

fn entry(raw: &str, vendor_id: u16) -> Result<bool, Fault> {
    let (mut standard, mut version, mut value, mut gdpr_applies) = (None, None, "", true);
    each(raw, |key, raw| {
        // What is null was left out.
        if json::kind(raw) == Kind::Null {
            return Ok(());
        }
        match key {
            "standard" => standard = Some(string(raw)?),
            "version" => version = Some(string(raw)?),
            "value" => value = raw,
            // What a consent manager does not know yet it leaves out, and then the regulation may apply.
            "gdprApplies" => gdpr_applies = boolean(raw)?,
            // Alloy has it, too. Nothing here depends on it.
            "gdprContainsPersonalData" => _ = boolean(raw)?,
            _ => return Err(Fault::new(Reason::UnknownKey)),
        }
        Ok(())
    })?;
    let (standard, version) = (required(standard, "standard")?, required(version, "version")?);
    let is_tcf = match (standard.as_str(), version.as_str()) {
        ("Adobe", "1.0" | "2.0") => false,
        ("IAB TCF", "2.0" | "2.1" | "2.2" | "2.3") => true,
        ("Adobe" | "IAB TCF", _) => return Err(Fault::at(Reason::NotAVersion, "version")),
        _ => return Err(Fault::at(Reason::NotAStandard, "standard")),
    };
    if value.is_empty() && gdpr_applies {
        return Err(Fault::at(Reason::Missing, "value"));
    }
    let allowed = match (is_tcf, version.as_str()) {
        (true, _) => tc_string(value, gdpr_applies, vendor_id),
        (false, "1.0") => adobe_1(value),
        _ => adobe_2(value),
    };
    allowed.map_err(|fault| fault.in_key("value"))
}

/// Where the regulation does not apply there need be no TC string.
fn tc_string(value: &str, gdpr_applies: bool, vendor_id: u16) -> Result<bool, Fault> {
    if value.is_empty() {
        return Ok(true);
    }
    let text = json::string(value).ok_or(Reason::NotAString)?;
    if !gdpr_applies {
        return Ok(true);
    }
    tcf::allows(&text, vendor_id).ok_or(Fault::new(Reason::NotATcString))
}

/// `{general: "in"}`
fn adobe_1(value: &str) -> Result<bool, Fault> {
    let mut allowed = None;
    each(value, |key, raw| match key {
        "general" => word(raw, "in", "out", Reason::NotInOrOut).map(|yes| allowed = Some(yes)),
        _ => Err(Fault::new(Reason::UnknownKey)),
    })?;
    required(allowed, "general")
}

/// `{collect: {val: "y"}}`. What else there is (sharing, marketing, time) is for others to honour.
fn adobe_2(value: &str) -> Result<bool, Fault> {
    let mut allowed = None;
    each(value, |key, raw| match key {
        "collect" => each(raw, |key, raw| match key {
            "val" => word(raw, "y", "n", Reason::NotYesOrNo).map(|yes| allowed = Some(yes)),
            _ => Ok(()),
        }),
        _ => Ok(()),
    })?;
    required(allowed, "collect.val")
}

fn word(raw: &str, yes: &str, no: &str, reason: Reason) -> Result<bool, Fault> {
    let word = json::string(raw);
    match word.as_deref() {
        Some(word) if word == yes => Ok(true),
        Some(word) if word == no => Ok(false),
        _ => Err(Fault::new(reason)),
    }
}
