//! Objects of manifests, applied on the server's side: it knows who set which field, takes away what a manifest no longer has, and
//! refuses what somebody else has set. <https://kubernetes.io/docs/reference/using-api/server-side-apply/>

use std::{cell::RefCell, collections::BTreeMap, thread, time::Duration};

use imgforge_kube::{
    add_ons::AddOn,
    objects::{Object, objects},
};
use serde_json::Value;

use super::Manner;
use crate::running::{
    Error,
    kubernetes::{Api, Kind, version_path},
};

/// As whom the fields are set: the first boot applies the same manifests under this name.
const MANAGER: &str = "imgforge";
/// A kind that a manifest brings, or a webhook, is there a moment later.
const ROUNDS: usize = 12;
const PAUSE: Duration = Duration::from_secs(5);
/// What changes with each write, whatever is written.
const PASSING: [&str; 3] = ["managedFields", "resourceVersion", "generation"];

/// Applies the objects of `add_ons`, in their order; returns how many changed.
pub(super) fn apply(
    api: &Api,
    add_ons: &[AddOn],
    manner: Manner,
    tell: &dyn Fn(&str),
) -> Result<usize, Error> {
    let mut left = Vec::new();
    for AddOn { name, content } in add_ons {
        let found = objects(content).map_err(|source| Error::Manifest { manifest: name.clone(), source })?;
        left.extend(found.into_iter().map(|object| (format!("{name}: {}", object.described()), object)));
    }
    let server = Server { api, manner, kinds: RefCell::default() };
    let mut refused = Vec::new();
    let mut count = 0;
    for round in 1.. {
        let mut waiting = Vec::new();
        for (name, object) in left {
            match server.apply(&object) {
                Ok(None) => {}
                Ok(Some(change)) => {
                    tell(&format!("{name} {change}"));
                    count += 1;
                }
                Err(error) if is_passing(&error) && round < ROUNDS => waiting.push((name, object)),
                Err(error) if error.is_silence() => return Err(error),
                Err(error) => refused.push((name, error)),
            }
        }
        if waiting.is_empty() {
            break;
        }
        left = waiting;
        thread::sleep(PAUSE);
    }
    if refused.is_empty() { Ok(count) } else { Err(Error::NotApplied { objects: refused }) }
}

/// Whether the object may be taken a moment later: its kind or namespace has just been made, or who judges it has.
fn is_passing(error: &Error) -> bool {
    error.is_passing() || is_too_early(error)
}

fn is_too_early(error: &Error) -> bool {
    error.is_absence() || matches!(error, Error::UnknownKind { .. })
}

struct Server<'a> {
    api: &'a Api,
    manner: Manner,
    /// By the version of the API.
    kinds: RefCell<BTreeMap<String, Vec<Kind>>>,
}

impl Server<'_> {
    /// What has become of `object`; nothing if it was so before.
    fn apply(&self, object: &Object) -> Result<Option<&'static str>, Error> {
        let Manner { dry_run, force } = self.manner;
        let path = match self.path(object) {
            // It comes with something that is not there yet either.
            Err(error) if dry_run && is_too_early(&error) => return Ok(Some("is made")),
            path => path?,
        };
        let before = self.api.object(&path)?;
        let dry = if dry_run { "&dryRun=All" } else { "" };
        let after =
            self.api.apply(&format!("{path}?fieldManager={MANAGER}&force={force}{dry}"), &object.text);
        match (before, after) {
            (None, Err(error)) if dry_run && is_too_early(&error) => Ok(Some("is made")),
            (_, Err(error)) => Err(error),
            (None, Ok(_)) => Ok(Some("is made")),
            (Some(before), Ok(after)) => Ok((lasting(before) != lasting(after)).then_some("is changed")),
        }
    }

    /// Where it is, or is to be.
    fn path(&self, object: &Object) -> Result<String, Error> {
        let Kind { name: plural, namespaced, .. } = self.kind(object)?;
        let namespace = object.namespace.as_deref().unwrap_or("default");
        let namespace =
            if namespaced { format!("/namespaces/{}", escaped(namespace)) } else { String::new() };
        let version = version_path(&object.api_version);
        Ok(format!("{version}{namespace}/{}/{}", escaped(&plural), escaped(&object.name)))
    }

    fn kind(&self, object: &Object) -> Result<Kind, Error> {
        let Object { api_version, kind, .. } = object;
        let unknown = || Error::UnknownKind { kind: kind.clone(), api_version: api_version.clone() };
        let find = |kinds: &Vec<Kind>| kinds.iter().find(|known| known.kind == *kind).cloned();
        if let Some(found) = self.kinds.borrow().get(api_version).and_then(find) {
            return Ok(found);
        }
        if !api_version.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'/')) {
            return Err(unknown());
        }
        let kinds = match self.api.kinds(api_version) {
            Err(error) if error.is_absence() => return Err(unknown()),
            kinds => kinds?,
        };
        let found = find(&kinds);
        self.kinds.borrow_mut().insert(api_version.clone(), kinds);
        found.ok_or_else(unknown)
    }
}

/// The object without what changes with each write.
fn lasting(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        PASSING.iter().for_each(|field| drop(metadata.remove(*field)));
    }
    object
}

/// A name as one segment of a path (RFC 3986, 2.3): those of roles have colons.
fn escaped(name: &str) -> String {
    let escape = |c: u8| match c {
        b'-' | b'.' | b'_' | b'~' => char::from(c).to_string(),
        c if c.is_ascii_alphanumeric() => char::from(c).to_string(),
        c => format!("%{c:02X}"),
    };
    name.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_one_segment() {
        assert_eq!(escaped("system:a.b-c"), "system%3Aa.b-c");
        assert_eq!(escaped("../../nodes?x"), "..%2F..%2Fnodes%3Fx");
    }

    #[test]
    fn what_changes_with_each_write_is_no_change() {
        let object = |version: &str, data: &str| {
            lasting(
                json!({ "metadata": { "name": "a", "resourceVersion": version, "managedFields": [version] }, "data": data }),
            )
        };
        assert_eq!(object("1", "x"), object("2", "x"));
        assert_ne!(object("1", "x"), object("1", "y"));
    }
}
