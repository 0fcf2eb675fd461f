//! Bytes that are text almost always: names in a file system. Nothing of them is lost in a file.
//!
//! As text where they are UTF-8: `"/etc/fstab"`; else in hexadecimal digits: `{ "hex": "2f636166e9" }`.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeMap,
};

use crate::Hex;

/// Some bytes, shown as text with `\xNN` for what is none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Octets(pub Vec<u8>);

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&self.0, f)
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}

/// Writes `bytes` as text, with `\xNN` for what is no UTF-8 and for control characters.
pub(crate) fn show(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                control if control.is_control() => {
                    let mut buffer = [0; 4];
                    hexadecimal(control.encode_utf8(&mut buffer).as_bytes(), f)?;
                }
                character => fmt::Write::write_char(f, character)?,
            }
        }
        hexadecimal(chunk.invalid(), f)?;
    }
    Ok(())
}

fn hexadecimal(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
}

pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    match str::from_utf8(bytes) {
        Ok(text) => serializer.serialize_str(text),
        Err(_) => {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(KEY, &Hex(bytes).to_string())?;
            map.end()
        }
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_any(Form)
}

/// The key before hexadecimal digits.
const KEY: &str = "hex";

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "text, or `{KEY}` with hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        Ok(text.as_bytes().to_vec())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<u8>, A::Error> {
        let entry: Option<(String, String)> = map.next_entry()?;
        let digits = entry.filter(|(key, _)| key == KEY).map(|(_, digits)| digits);
        let bytes = digits.and_then(|digits| {
            let pairs = digits.as_bytes().chunks(2);
            pairs.map(|pair| Hex::decode::<1>(str::from_utf8(pair).ok()?).map(|[byte]| byte)).collect()
        });
        bytes.ok_or_else(|| de::Error::custom(format!("`{KEY}` takes pairs of hexadecimal digits")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_as_it_was_written() {
        for (bytes, json) in [
            (&b"/etc/fstab"[..], r#""/etc/fstab""#),
            (b"/a\\x2d", r#""/a\\x2d""#),
            (b"/caf\xe9", r#"{"hex":"2f636166e9"}"#),
            ("/caf\u{e9}".as_bytes(), "\"/caf\u{e9}\""),
        ] {
            let octets = Octets(bytes.to_vec());
            assert_eq!(serde_json::to_string(&octets).unwrap(), json);
            assert_eq!(serde_json::from_str::<Octets>(json).unwrap(), octets);
        }
        for bad in [r#"{"hex":"2f6"}"#, r#"{"hex":"zz"}"#, "7"] {
            assert!(serde_json::from_str::<Octets>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_text_is_shown_escaped() {
        assert_eq!(Octets(b"/a\xff\x1b[31m/\n".to_vec()).to_string(), "/a\\xff\\x1b[31m/\\x0a");
    }
}
