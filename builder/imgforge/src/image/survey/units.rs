//! Which units systemd starts and which it must not, by the links that `systemctl enable` and `mask` make.

use std::collections::BTreeSet;

use super::look::Look;
use crate::image::read::{Error, Kind};

/// Where the administrator's units lie, and the links of `enable` and `mask`.
const OWN: &str = "/etc/systemd/system";

/// Where units lie, in systemd's order of precedence (systemd.unit(5)).
const FOLDERS: [&str; 3] = [OWN, "/usr/lib/systemd/system", "/lib/systemd/system"];

/// The units that are enabled or masked.
#[derive(Debug, Clone, Default)]
pub struct Units {
    enabled: BTreeSet<String>,
    masked: BTreeSet<String>,
}

impl Units {
    pub(super) fn of(root: Look<'_>) -> Result<Self, Error> {
        let mut units = Self::default();
        for name in root.names(OWN)? {
            if is_masked(root, &format!("{OWN}/{name}"))? {
                units.masked.insert(name);
            }
        }
        for folder in FOLDERS {
            for name in root.names(folder)? {
                if name.ends_with(".wants") || name.ends_with(".requires") {
                    units.enabled.extend(root.names(&format!("{folder}/{name}"))?);
                }
            }
        }
        let mut absent = Vec::new();
        for unit in units.enabled.difference(&units.masked) {
            if !is_there(root, unit)? {
                absent.push(unit.clone());
            }
        }
        units.enabled.retain(|unit| !units.masked.contains(unit) && !absent.contains(unit));
        Ok(units)
    }

    /// Whether `unit` is started by some target.
    pub(crate) fn is_enabled(&self, unit: &str) -> bool {
        self.enabled.contains(unit)
    }

    /// Whether `unit` must never start.
    pub(crate) fn is_masked(&self, unit: &str) -> bool {
        self.masked.contains(unit)
    }
}

/// A masked unit is a link to /dev/null, or an empty file.
fn is_masked(root: Look<'_>, path: &str) -> Result<bool, Error> {
    if root.target(path)?.as_deref() == Some("/dev/null") {
        return Ok(true);
    }
    Ok(root.entry(path)?.is_some_and(|entry| entry.kind == Kind::File && entry.size == 0))
}

/// Whether there is a file for `unit`, or for its template: a link to a unit that is gone starts nothing.
fn is_there(root: Look<'_>, unit: &str) -> Result<bool, Error> {
    let template = unit.split_once('@').and_then(|(name, rest)| Some((name, rest.rsplit_once('.')?.1)));
    let template = template.map(|(name, kind)| format!("{name}@.{kind}"));
    for name in [Some(unit.to_owned()), template].into_iter().flatten() {
        for folder in FOLDERS {
            if root.has(&format!("{folder}/{name}"))? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
