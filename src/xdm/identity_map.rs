//! `identityMap`: who an event is about, as `{namespace: [{id, authenticatedState?, primary?}]}`.

use super::limits::MAX_IDENTITIES;
use crate::fault::{Fault, Reason};
use crate::json::{
    Kind, Layer, boolean, elements, find, is_empty, kind, members, push_string, string, unescape,
};

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

/// An identity that the library knows by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known<'a> {
    /// Its namespace; empty for one that is not wanted.
    pub namespace: &'a str,
    /// Its id; empty while it is not known.
    pub id: &'a str,
    /// Whether it becomes primary where there is no primary one, and none before it does.
    pub may_be_primary: bool,
}

/// Which of `known` the caller's sources leave room for, a bit for each, the first the lowest: those whose
/// namespace no source has, be it with an empty list, as long as none takes the whole map away.
pub fn room(known: &[Known], layers: &[Layer]) -> u8 {
    let mut room = 0;
    for (place, known) in known.iter().enumerate() {
        room |= u8::from(!known.namespace.is_empty()) << place;
    }
    for map in layers.iter().filter_map(|layer| layer.get(IDENTITY_MAP)) {
        if kind(map) != Kind::Object {
            return 0;
        }
        for (place, known) in known.iter().enumerate() {
            room &= !(u8::from(find(map, known.namespace).is_some()) << place);
        }
    }
    room
}

/// Adds those of `known` that there is [`room`] for, and that an entity (which has members) still has no
/// namespace of, to its identities; `None` when there is nothing to add. The first that may becomes primary, unless one is already.
/// An entity that would get too many stays as it is.
pub fn complete(entity: &str, known: &[Known], room: u8) -> Option<String> {
    let map = find(entity, IDENTITY_MAP).unwrap_or("{}");
    let mut added = lacking(map, known, room)?;
    let (before, key, members, after) = match find(entity, IDENTITY_MAP) {
        Some(map) => {
            let start = map.as_ptr() as usize - entity.as_ptr() as usize;
            let members = map.trim_start().strip_prefix('{')?;
            (entity.get(..start)?, "", members, entity.get(start + map.len()..)?)
        }
        None => (entity.trim_end().strip_suffix('}')?, ",\"identityMap\":", "}", "}"),
    };
    if !is_empty(map) {
        added.push(',');
    }
    let mut whole = String::with_capacity(entity.len() + added.len() + 20);
    for part in [before, key, "{", &added, members, after] {
        whole.push_str(part);
    }
    Some(whole)
}

/// The identities that are known, as a map.
pub fn of(known: &[Known]) -> String {
    let mut map = String::from("{");
    map.push_str(&lacking("{}", known, u8::MAX).unwrap_or_default());
    map.push('}');
    map
}

/// Those of `known` that a map has room for, as members of it; `None` without any.
fn lacking(map: &str, known: &[Known], room: u8) -> Option<String> {
    let (mut identities, mut primary) = (0, false);
    for member in members(map) {
        for identity in elements(member.ok()?.1) {
            identities += 1;
            primary |= find(identity.ok()?, "primary").and_then(boolean) == Some(true);
        }
    }
    let mut added = String::new();
    for (place, known) in known.iter().enumerate() {
        if room >> place & 1 == 0 || known.id.is_empty() || find(map, known.namespace).is_some() {
            continue;
        }
        identities += 1;
        if !added.is_empty() {
            added.push(',');
        }
        push_string(&mut added, known.namespace);
        added.push_str(":[{\"id\":");
        push_string(&mut added, known.id);
        if known.may_be_primary && !primary {
            primary = true;
            added.push_str(",\"primary\":true");
        }
        added.push_str("}]");
    }
    (!added.is_empty() && identities <= MAX_IDENTITIES).then_some(added)
}

/// The member of an entity that holds its identities.
pub(super) const IDENTITY_MAP: &str = "identityMap";

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
