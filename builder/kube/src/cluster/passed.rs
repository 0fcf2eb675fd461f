//! Settings that imgforge does not know, and passes on: to the kubelet, to kubeadm, to the control plane's components; and
//! those of the way to container images.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_yaml::{Mapping, Value};

/// Fields of somebody else's configuration, by their names there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Fields(pub Mapping);

impl<'de> Deserialize<'de> for Fields {
    /// Fields that come by a merge key (`<<: *common`) are in their place.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Value::Mapping(Mapping::deserialize(deserializer)?);
        fields.apply_merge().map_err(de::Error::custom)?;
        Ok(Self(fields.as_mapping().cloned().unwrap_or_default()))
    }
}

impl Fields {
    /// Puts the fields into `document`, the fields of fields too; what stands there already gives way.
    pub fn merge_into(&self, document: &mut Value) {
        self.merge(document, Lists::Replaced);
    }

    /// The same, but a list that stands there already goes on with what it does not have yet.
    pub fn extend(&self, document: &mut Value) {
        self.merge(document, Lists::Joined);
    }

    fn merge(&self, document: &mut Value, lists: Lists) {
        if !self.0.is_empty() {
            merge(document, &Value::Mapping(self.0.clone()), lists);
        }
    }

    /// Whether nothing is passed on.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(Value::as_str)
    }
}

/// What becomes of a list that stands in a document already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lists {
    Replaced,
    Joined,
}

fn merge(document: &mut Value, fields: &Value, lists: Lists) {
    match (document, fields) {
        (Value::Mapping(document), Value::Mapping(fields)) => {
            for (key, value) in fields {
                match document.get_mut(key) {
                    Some(old) => merge(old, value, lists),
                    None => drop(document.insert(key.clone(), value.clone())),
                }
            }
        }
        (Value::Sequence(document), Value::Sequence(values)) if lists == Lists::Joined => {
            for value in values {
                if !document.contains(value) {
                    document.push(value.clone());
                }
            }
        }
        (document, value) => *document = value.clone(),
    }
}

impl JsonSchema for Fields {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Fields of somebody else's configuration, by their names there.",
            "type": "object"
        })
    }
}

/// A component of the control plane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Component {
    /// Options of its command line, without the hyphens before them: `{ event-ttl: 24h }`.
    #[serde(deserialize_with = "words")]
    pub extra_args: BTreeMap<String, String>,
}

/// Values that are written as numbers and switches are words here: `{ v: 4 }`.
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let word = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Number(number) => Ok((name, number.to_string())),
        Value::Bool(switch) => Ok((name, switch.to_string())),
        _ => Err(de::Error::custom(format!("the value of `{name}` is no single word"))),
    };
    BTreeMap::<String, Value>::deserialize(deserializer)?.into_iter().map(word).collect()
}

/// Where containerd gets the images of a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Registry {
    /// Servers that are asked first, in this order: `https://nas.home.example:5000`. Only `http://` is asked without TLS.
    pub mirrors: Vec<String>,
    /// The certificate of the authority that the servers are known by, in PEM.
    pub ca: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merge_keys_are_read() {
        let both: BTreeMap<String, Fields> =
            serde_yaml::from_str("{ all: &all { a: 1, b: 2 }, one: { <<: *all, b: 3 } }").unwrap();
        assert_eq!(both["one"].0, serde_yaml::from_str::<Mapping>("{ b: 3, a: 1 }").unwrap());
    }

    #[test]
    fn fields_go_in_beside_others_and_in_their_place() {
        let fields: Fields = serde_yaml::from_str("{ a: { b: 5 }, c: [1, 3], d: {} }").unwrap();
        let document: Value = serde_yaml::from_str("{ a: { x: 1, b: 2 }, c: [2, 3], e: 1 }").unwrap();
        for (put, list) in
            [(Fields::merge_into as fn(&Fields, &mut Value), "[1, 3]"), (Fields::extend, "[2, 3, 1]")]
        {
            let mut merged = document.clone();
            put(&fields, &mut merged);
            let expected = format!("{{ a: {{ x: 1, b: 5 }}, c: {list}, e: 1, d: {{}} }}");
            assert_eq!(merged, serde_yaml::from_str::<Value>(&expected).unwrap());
        }
    }
}
