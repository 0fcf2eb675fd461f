//! The networks of pods and of Services: of one family of addresses, or of both.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeSeq};

use super::{Cidr, Family};

/// One network, or one of each family: `10.244.0.0/16`, `[10.244.0.0/16, fd00:10:244::/56]`. The first one's family is
/// the cluster's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnets {
    /// The first, and in most clusters the only one.
    pub first: Cidr,
    /// The one of the other family.
    pub second: Option<Cidr>,
}

impl Subnets {
    /// The networks, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Cidr> {
        std::iter::once(self.first).chain(self.second)
    }

    /// Their families, in their order.
    pub fn families(&self) -> Vec<Family> {
        self.iter().map(|subnet| Family::of(subnet.address)).collect()
    }

    /// The network of `family`.
    pub fn of(&self, family: Family) -> Option<Cidr> {
        self.iter().find(|subnet| Family::of(subnet.address) == family)
    }
}

impl From<Cidr> for Subnets {
    fn from(first: Cidr) -> Self {
        Self { first, second: None }
    }
}

/// As kubeadm writes them.
impl fmt::Display for Subnets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.second {
            None => write!(f, "{}", self.first),
            Some(second) => write!(f, "{},{second}", self.first),
        }
    }
}

impl Serialize for Subnets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(second) = self.second else { return self.first.serialize(serializer) };
        let mut list = serializer.serialize_seq(Some(2))?;
        list.serialize_element(&self.first)?;
        list.serialize_element(&second)?;
        list.end()
    }
}

impl<'de> Deserialize<'de> for Subnets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrTwo)
    }
}

struct OneOrTwo;

impl<'de> de::Visitor<'de> for OneOrTwo {
    type Value = Subnets;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a network, such as 10.244.0.0/16, or one of each family: [10.244.0.0/16, fd00:10:244::/56]",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Subnets, E> {
        let (first, second) = match text.split_once(',') {
            Some((first, second)) => (first, Some(second)),
            None => (text, None),
        };
        let parse = |text: &str| text.trim().parse::<Cidr>().map_err(E::custom);
        Ok(Subnets { first: parse(first)?, second: second.map(parse).transpose()? })
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Subnets, A::Error> {
        let first = list.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
        let second = list.next_element()?;
        match list.next_element::<Cidr>()? {
            None => Ok(Subnets { first, second }),
            Some(_) => Err(de::Error::invalid_length(3, &self)),
        }
    }
}

impl JsonSchema for Subnets {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Subnets".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let cidr = generator.subschema_for::<Cidr>();
        json_schema!({
            "description": "One network, or one of each family of addresses.",
            "anyOf": [cidr, { "type": "array", "items": cidr, "minItems": 1, "maxItems": 2 }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnets(text: &str) -> Result<Subnets, serde_yaml::Error> {
        serde_yaml::from_str(text)
    }

    #[test]
    fn one_network_or_one_of_each_family() {
        let one = subnets("10.244.0.0/16").unwrap();
        assert_eq!((one.to_string().as_str(), one.families()), ("10.244.0.0/16", vec![Family::V4]));
        assert_eq!(subnets("[10.244.0.0/16]").unwrap(), one);
        let both = subnets("[10.244.0.0/16, 'fd00:10:244::/56']").unwrap();
        assert_eq!(subnets("10.244.0.0/16, fd00:10:244::/56").unwrap(), both, "kubeadm's form");
        assert_eq!(both.to_string(), "10.244.0.0/16,fd00:10:244::/56");
        assert_eq!(both.of(Family::V6), both.second);
        let written = serde_yaml::to_string(&both).unwrap();
        assert_eq!(subnets(&written).unwrap(), both);
    }

    #[test]
    fn anything_else_is_told() {
        for bad in ["[]", "5", "{}", "10.244.0.0", "[a]", "[10.0.0.0/8, 10.1.0.0/16, 10.2.0.0/16]"] {
            assert!(subnets(bad).is_err(), "{bad}");
        }
        let message = subnets("[10.0.0.0/8, 10.1.0.0/16, 10.2.0.0/16]").unwrap_err().to_string();
        assert!(message.contains("one of each family"), "{message}");
    }
}
