//! The objects of a manifest, as far as they have to be told apart: what each is, and its text, which goes to Kubernetes as it stands.
//! Their YAML is read by Kubernetes' own reader in the end, so nothing of it is written anew.

use serde::Deserialize;
use serde_yaml::Value;

/// One object of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// `v1`, `apps/v1`.
    pub api_version: String,
    /// `ConfigMap`.
    pub kind: String,
    /// The namespace that it names.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its document, in YAML.
    pub text: String,
}

/// A document that is no object of Kubernetes.
#[derive(Debug, thiserror::Error)]
pub enum InvalidObject {
    /// It is no YAML.
    #[error("document {number} is no YAML")]
    Yaml {
        /// Which, from 1.
        number: usize,
        /// Why.
        source: serde_yaml::Error,
    },
    /// It lacks what every object has.
    #[error("document {number} is no object of Kubernetes: {problem}")]
    Form {
        /// Which, from 1.
        number: usize,
        /// What is wrong.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: String,
    kind: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: Option<String>,
}

impl Object {
    /// In words: `ConfigMap kube-flannel/kube-flannel-cfg`.
    pub fn described(&self) -> String {
        let Self { kind, name, .. } = self;
        match &self.namespace {
            Some(namespace) => format!("{kind} {namespace}/{name}"),
            None => format!("{kind} {name}"),
        }
    }
}

/// The objects of the manifest `text`, in its order. Documents without anything in them are none.
pub fn objects(text: &str) -> Result<Vec<Object>, InvalidObject> {
    let numbered = documents(text).into_iter().zip(1..);
    numbered.filter_map(|(text, number)| object(text, number).transpose()).collect()
}

fn object(text: String, number: usize) -> Result<Option<Object>, InvalidObject> {
    let value: Value =
        serde_yaml::from_str(&text).map_err(|source| InvalidObject::Yaml { number, source })?;
    if value.is_null() {
        return Ok(None);
    }
    let form = |problem: String| InvalidObject::Form { number, problem };
    if value.get("items").is_some() {
        return Err(form("it is a list; write each object as a document of its own".into()));
    }
    let head: Head = serde_yaml::from_value(value).map_err(|error| form(error.to_string()))?;
    // Of dots alone is no name: in a path it leads elsewhere.
    let is_name = |word: &str| word.bytes().any(|c| c != b'.');
    let words = [&head.kind, &head.metadata.name].into_iter().chain(&head.metadata.namespace);
    if !words.map(String::as_str).chain(head.api_version.split('/')).all(is_name) {
        return Err(form("apiVersion, kind, name or namespace is no name".into()));
    }
    let Metadata { name, namespace } = head.metadata;
    Ok(Some(Object { api_version: head.api_version, kind: head.kind, namespace, name, text }))
}

/// The documents of a stream, split where Kubernetes splits it: at lines that begin with three dashes. What follows on such a
/// line belongs to the next.
fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        let rest = line.strip_prefix("---");
        if rest.is_some() {
            documents.push(String::new());
        }
        if let Some(last) = documents.last_mut() {
            *last += rest.unwrap_or(line);
            last.push('\n');
        }
    }
    documents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_taken_apart_and_its_text_stays() {
        let text = "# of a project\n---\napiVersion: v1\nkind: Namespace\nmetadata: { name: a }\n--- # next\n\
                    kind: ConfigMap\napiVersion: v1\nmetadata:\n  namespace: a\n  name: b\ndata:\n  x: |\n    ---\n    yes: 017\n---\n";
        let found = objects(text).unwrap();
        assert_eq!(found.iter().map(Object::described).collect::<Vec<_>>(), ["Namespace a", "ConfigMap a/b"]);
        assert_eq!(
            found[1].text,
            " # next\nkind: ConfigMap\napiVersion: v1\nmetadata:\n  namespace: a\n  name: b\ndata:\n  x: |\n    ---\n    yes: 017\n"
        );
    }

    #[test]
    fn what_is_no_object_is_said() {
        for (bad, expected) in [
            ("a: [", "document 1 is no YAML"),
            ("---\nkind: X\n", "document 2 is no object of Kubernetes: missing field `apiVersion`"),
            ("hello\n", "document 1 is no object of Kubernetes: invalid type"),
            ("{ apiVersion: v1, kind: List, items: [] }", "it is a list"),
            ("{ apiVersion: v1, kind: Pod, metadata: {} }", "missing field `name`"),
            ("{ apiVersion: v1, kind: '', metadata: { name: a } }", "is no name"),
            ("{ apiVersion: v1, kind: Pod, metadata: { name: .. } }", "is no name"),
            ("{ apiVersion: ../v1, kind: Pod, metadata: { name: a } }", "is no name"),
        ] {
            let error = objects(bad).unwrap_err().to_string();
            assert!(error.contains(expected), "{bad}: {error}");
        }
    }
}
