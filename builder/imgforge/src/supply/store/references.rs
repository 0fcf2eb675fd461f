//! What lock files name: every SHA-256 of a published file, under a key `sha256`, wherever it stands in the document.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use imgforge_spec::Sha256;
use serde_yaml::{Mapping, Value};

use super::Error;

use crate::yaml;

/// The files that locks name, by hash, with what they are called there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References(BTreeMap<Sha256, BTreeSet<String>>);

impl References {
    /// Reads locks, or profiles that pin their base themselves. One that names nothing is an error: it is no lock.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        let mut references = Self::default();
        for path in paths {
            let mut of_file = Self::default();
            of_file.collect(&yaml::read(path)?, "");
            if of_file.0.is_empty() {
                return Err(Error::NoReferences { path: path.clone() });
            }
            for (sha256, names) in of_file.0 {
                references.0.entry(sha256).or_default().extend(names);
            }
        }
        Ok(references)
    }

    /// Whether a file with this hash is named.
    pub fn contains(&self, sha256: Sha256) -> bool {
        self.0.contains_key(&sha256)
    }

    /// The hashes, in order, each with the names.
    pub fn iter(&self) -> impl Iterator<Item = (Sha256, &BTreeSet<String>)> {
        self.0.iter().map(|(sha256, names)| (*sha256, names))
    }

    /// What a file is called.
    pub fn names(&self, sha256: Sha256) -> impl Iterator<Item = &str> {
        self.0.get(&sha256).into_iter().flatten().map(String::as_str)
    }

    /// Looks through `value`, which stands under `key`. The parser bounds the depth.
    fn collect(&mut self, value: &Value, key: &str) {
        match value {
            Value::Mapping(mapping) => {
                if let Some(sha256) =
                    text(mapping, "sha256").and_then(|text| text.parse().ok()).filter(|_| !is_local(mapping))
                {
                    self.0.entry(sha256).or_default().insert(name(mapping, key));
                }
                // The parts of a container image are called by its reference.
                let image = text(mapping, "reference");
                for (key, value) in mapping {
                    self.collect(value, image.or_else(|| key.as_str()).unwrap_or_default());
                }
            }
            Value::Sequence(values) => values.iter().for_each(|value| self.collect(value, key)),
            Value::Tagged(tagged) => self.collect(&tagged.value, key),
            _ => {}
        }
    }
}

fn text<'a>(mapping: &'a Mapping, key: &str) -> Option<&'a str> {
    mapping.get(key).and_then(Value::as_str)
}

/// Whether it is a base given as a file of this machine, which the store never held.
fn is_local(mapping: &Mapping) -> bool {
    text(mapping, "file").is_some() && text(mapping, "url").is_none()
}

/// What a pinned file is called: by its name and version, else as its URL ends, else by the key it stands under.
fn name(mapping: &Mapping, key: &str) -> String {
    let file = || text(mapping, "url").and_then(|url| url.rsplit('/').next());
    match (text(mapping, "name"), text(mapping, "version")) {
        (Some(name), Some(version)) => format!("{name} {version}"),
        (Some(name), None) => name.to_owned(),
        (None, _) => file().unwrap_or(key).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_hash_in_a_lock_counts_and_has_a_name() {
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|digit| digit.repeat(64).parse::<Sha256>().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("x.lock.yaml");
        let text = format!(
            "base: {{ url: 'https://x/y/image.xz', sha256: {a}, image-sha256: {d} }}\n\
             packages:\n- {{ name: runc, version: '1.1', sha256: {b} }}\n- {{ name: again, sha256: {b} }}\n\
             local: {{ file: own.img.xz, sha256: {d} }}\n\
             tools: {{ crictl: {{ sha256: {c} }}, other: {{ sha256: short }} }}\n"
        );
        fs::write(&lock, text).unwrap();
        let references = References::read(&[lock]).unwrap();
        let found: Vec<_> = references
            .iter()
            .map(|(hash, names)| (hash, Vec::from_iter(names.iter().map(String::as_str))))
            .collect();
        assert_eq!(found, [(a, vec!["image.xz"]), (b, vec!["again", "runc 1.1"]), (c, vec!["crictl"])]);
        assert!(references.contains(a) && !references.contains(d));
    }

    #[test]
    fn a_base_given_as_a_file_is_not_named() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("x.lock.yaml");
        let [a, b] = ["a", "b"].map(|digit| digit.repeat(64).parse::<Sha256>().unwrap());
        fs::write(
            &lock,
            format!("base: {{ file: my.img, sha256: {a} }}\npackages: [{{ name: b, sha256: {b} }}]\n"),
        )
        .unwrap();
        let references = References::read(&[lock]).unwrap();
        assert!(references.contains(b) && !references.contains(a));
    }

    #[test]
    fn a_file_without_hashes_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("x.yaml");
        fs::write(&lock, "board: x\n").unwrap();
        assert!(matches!(References::read(&[lock]), Err(Error::NoReferences { .. })));
    }
}
