//! Sums that may be missing, as hexadecimal digits.

/// For `#[serde(with = "crate::hex::optional")]`.
pub(crate) mod optional {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use imgforge_spec::Hex;

    pub(crate) fn serialize<const N: usize, S: Serializer>(
        bytes: &Option<[u8; N]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.collect_str(&Hex(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, const N: usize, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<[u8; N]>, D::Error> {
        let read = |text: String| {
            Hex::decode(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not {} digits", 2 * N)))
        };
        Option::<String>::deserialize(deserializer)?.map(read).transpose()
    }
}
