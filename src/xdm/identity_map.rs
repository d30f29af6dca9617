//! `identityMap`: who an event is about, as `{namespace: [{id, authenticatedState?, primary?}]}`.

use super::limits::MAX_IDENTITIES;
use crate::fault::{Fault, Reason};
use crate::json::{boolean, elements, is_empty, members, string, unescape};

/// Accepts an identity map that the platform accepts: every identity with a non-empty `id`, the
/// states `ambiguous`, `authenticated` and `loggedOut`, `primary` as a boolean and on one identity
/// at most, 20 identities at most, and no other key. Empty values (null, `""`, `{}`, `[]`) in place of the
/// map, of a namespace's list or of an optional field are accepted, since they are left out later.
pub fn check(text: &str) -> Result<(), Fault> {
    if is_empty(text) {
        return Ok(());
    }
    let mut found = Found::default();
    for member in members(text) {
        let (namespace, identities) = member?;
        let namespace = unescape(namespace);
        if namespace.trim().is_empty() {
            return Err(Reason::NoNamespace.into());
        }
        found.list(identities).map_err(|fault| fault.in_key(&namespace))?;
    }
    if found.identities > MAX_IDENTITIES {
        return Err(Reason::TooManyIdentities.into());
    }
    Ok(())
}

/// What has been counted over all namespaces.
#[derive(Default)]
struct Found {
    identities: usize,
    primary: bool,
}

impl Found {
    fn list(&mut self, identities: &str) -> Result<(), Fault> {
        if is_empty(identities) {
            return Ok(());
        }
        for (index, identity) in elements(identities).enumerate() {
            self.identities += 1;
            self.identity(identity?).map_err(|fault| fault.in_index(index))?;
        }
        Ok(())
    }

    fn identity(&mut self, identity: &str) -> Result<(), Fault> {
        let mut id = Some(Reason::Missing);
        for field in members(identity) {
            let (key, value) = field?;
            let key = unescape(key);
            let refused = match &*key {
                "id" => {
                    id = id_refused(value);
                    id
                }
                "authenticatedState" => state_refused(value),
                "primary" => self.primary_refused(value),
                _ => Some(Reason::UnknownKey),
            };
            if let Some(reason) = refused {
                return Err(Fault::at(reason, &key));
            }
        }
        match id {
            Some(reason) => Err(Fault::at(reason, "id")),
            None => Ok(()),
        }
    }

    fn primary_refused(&mut self, value: &str) -> Option<Reason> {
        match boolean(value) {
            Some(true) if std::mem::replace(&mut self.primary, true) => Some(Reason::TwoPrimaries),
            None if !is_empty(value) => Some(Reason::NotABoolean),
            _ => None,
        }
    }
}

fn id_refused(value: &str) -> Option<Reason> {
    match string(value) {
        Some(id) if id.is_empty() => Some(Reason::Empty),
        Some(_) => None,
        None => Some(Reason::NotAString),
    }
}

fn state_refused(value: &str) -> Option<Reason> {
    match string(value).as_deref() {
        Some("ambiguous" | "authenticated" | "loggedOut") => None,
        _ if is_empty(value) => None,
        _ => Some(Reason::NotAnAuthenticatedState),
    }
}
