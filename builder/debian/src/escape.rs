//! Bytes as text for [`serde`] formats that know only Unicode: what is UTF-8 stays readable, a backslash is doubled, any
//! other byte is written `\xHH`. Made for `#[serde(with = "crate::escape")]`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

use imgforge_spec::Hex;

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', r"\\"));
        text.extend(chunk.invalid().iter().map(|byte| format!(r"\x{byte:02x}")));
    }
    text
}

/// `None` for a backslash that starts neither `\\` nor `\xHH`.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend(plain.bytes());
        rest = if let Some(after) = escape.strip_prefix('\\') {
            bytes.push(b'\\');
            after
        } else {
            let (digits, after) = escape.strip_prefix('x')?.split_at_checked(2)?;
            bytes.extend(Hex::decode::<1>(digits)?);
            after
        };
    }
    bytes.extend(rest.bytes());
    Some(bytes)
}

pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&encode(bytes))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    decode(&text).ok_or_else(|| D::Error::custom(format!("broken escape in {text:?}")))
}

/// The same for named values: `#[serde(with = "crate::escape::pairs")]`.
pub(crate) mod pairs {
    use super::*;

    #[derive(serde::Serialize, Deserialize)]
    #[serde(transparent)]
    struct Escaped(#[serde(with = "super")] Vec<u8>);

    pub(crate) fn serialize<S: Serializer>(pairs: &[(String, Vec<u8>)], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(pairs.iter().map(|(name, value)| (name, encode(value))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<(String, Vec<u8>)>, D::Error> {
        let pairs = Vec::<(String, Escaped)>::deserialize(from)?;
        Ok(pairs.into_iter().map(|(name, Escaped(value))| (name, value)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_stays_readable() {
        assert_eq!(encode("é\\n\n".as_bytes()), "é\\\\n\n");
        assert_eq!(encode(b"a\xff\xc3z"), r"a\xff\xc3z");
        for broken in [r"\", r"\n", r"\x", r"\x1", r"\xg0", r"\xé"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn every_byte_survives(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
    }
}
