//! A kubeconfig among others in one file, as `kubectl` has them in `~/.kube/config`. What is others' stays as it is.

use serde_yaml::{Mapping, Value};

use super::Kubeconfig;
use crate::{pki::Secret, yaml};

/// Why nothing can be put into a file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read as YAML.
    #[error("it is no YAML: {}", place(source))]
    Syntax {
        /// Why; it may quote what is there, so only its place is told.
        source: serde_yaml::Error,
    },
    /// It is something else.
    #[error("it is no kubeconfig: {0}")]
    Foreign(&'static str),
    /// Another cluster has the name there.
    #[error("it has another cluster called {name}, with another authority")]
    OtherCluster {
        /// The name.
        name: String,
    },
    /// It cannot be written.
    #[error("it cannot be written as YAML")]
    Unwritable(#[source] serde_yaml::Error),
}

fn place(error: &serde_yaml::Error) -> String {
    error.location().map_or("it cannot be read".into(), |place| format!("line {}", place.line()))
}

/// The text of a file that has what `there` has, and `ours`: its entries replace those of the same names. The context that is used
/// stays the one that is used, where there is one. Another cluster of the same name is replaced only if `force`.
pub fn merge(there: &str, ours: &Kubeconfig, force: bool) -> Result<Secret, Error> {
    let mut file = match serde_yaml::from_str(there).map_err(|source| Error::Syntax { source })? {
        Value::Null => Mapping::new(),
        Value::Mapping(file) => file,
        _ => return Err(Error::Foreign("it is no mapping")),
    };
    let ours: Mapping = match serde_yaml::to_value(ours).map_err(Error::Unwritable)? {
        Value::Mapping(ours) => ours,
        _ => Mapping::new(),
    };
    for (key, wanted) in [("apiVersion", "v1"), ("kind", "Config")] {
        match file.get(key) {
            None => drop(file.insert(key.into(), wanted.into())),
            Some(found) if found == wanted => {}
            Some(_) => return Err(Error::Foreign("`apiVersion` and `kind` are not `v1` and `Config`")),
        }
    }
    for list in ["clusters", "contexts", "users"] {
        let slot = file.entry(list.into()).or_insert(Value::Null);
        if slot.is_null() {
            *slot = Value::Sequence(Vec::new());
        }
        let Value::Sequence(entries) = slot else {
            return Err(Error::Foreign("`clusters`, `contexts` or `users` is no list"));
        };
        if entries.iter().any(|entry| name(entry).is_none()) {
            return Err(Error::Foreign("an entry has no name"));
        }
        for ours in ours.get(list).and_then(Value::as_sequence).into_iter().flatten() {
            match entries.iter_mut().find(|entry| name(entry) == name(ours)) {
                Some(there) if list == "clusters" && !force && authority(there) != authority(ours) => {
                    return Err(Error::OtherCluster { name: name(ours).unwrap_or_default().to_owned() });
                }
                Some(there) => *there = ours.clone(),
                None => entries.push(ours.clone()),
            }
        }
    }
    let is_chosen = file.get("current-context").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    if !is_chosen && let Some(context) = ours.get("current-context") {
        file.insert("current-context".into(), context.clone());
    }
    yaml::to_string(&file).map(Secret::new).map_err(Error::Unwritable)
}

fn name(entry: &Value) -> Option<&str> {
    entry.get("name")?.as_str()
}

fn authority(entry: &Value) -> Option<&Value> {
    entry.get("cluster")?.get("certificate-authority-data")
}
