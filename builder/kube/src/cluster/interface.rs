//! Which of a board's network cards is meant.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::text;

/// A network card: its name, such as `end0`, or its hardware address, such as `02:00:5e:10:00:01`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "String")]
#[schemars(with = "String")]
pub enum Interface {
    /// The name that the system gives it.
    Name(String),
    /// The address that the card has.
    Hardware([u8; 6]),
}

/// A text that is neither a name nor a hardware address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no network card: give its name, such as end0, or its hardware address, such as 02:00:5e:10:00:01"
)]
pub struct InvalidInterface(String);

impl FromStr for Interface {
    type Err = InvalidInterface;

    fn from_str(text: &str) -> Result<Self, InvalidInterface> {
        let read = || match text.contains(':') {
            true => hardware(text).map(Interface::Hardware),
            false => is_name(text).then(|| Interface::Name(text.to_owned())),
        };
        read().ok_or_else(|| InvalidInterface(text.to_owned()))
    }
}

/// Six pairs of hexadecimal digits.
fn hardware(text: &str) -> Option<[u8; 6]> {
    let is_pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
    let byte = |pair: &str| u8::from_str_radix(pair, 16).ok().filter(|_| is_pair(pair));
    text.split(':').map(byte).collect::<Option<Vec<u8>>>()?.try_into().ok()
}

/// At most 15 characters as Linux has it; none that mean something in a pattern.
fn is_name(text: &str) -> bool {
    let good = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    (1..=15).contains(&text.len()) && text.bytes().all(good) && !matches!(text, "." | "..")
}

/// Why a static address cannot be in the virtual network `vlan` (IEEE 802.1Q) behind the card `interface`, if so.
pub fn unfit_vlan(vlan: u16, interface: Option<&Interface>) -> Option<String> {
    if !(1..=4094).contains(&vlan) {
        return Some(format!("{vlan} is no VLAN: 1 to 4094"));
    }
    interface
        .is_none()
        .then(|| "a VLAN is behind one network card: give `interface`, such as end0".to_owned())
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Interface::Name(name) => f.write_str(name),
            Interface::Hardware([a, b, c, d, e, g]) => {
                write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
            }
        }
    }
}

impl<'de> Deserialize<'de> for Interface {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "the name or the hardware address of a network card")
    }
}

impl From<Interface> for String {
    fn from(interface: Interface) -> String {
        interface.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_has_a_name_or_a_hardware_address() {
        for (text, shown) in
            [("end0", "end0"), ("enx0200.5e", "enx0200.5e"), ("02:00:5E:10:00:01", "02:00:5e:10:00:01")]
        {
            assert_eq!(text.parse::<Interface>().unwrap().to_string(), shown);
        }
        for bad in [
            "",
            "..",
            "eth*",
            "eth0 eth1",
            "a/b",
            "0123456789abcdef",
            "02:00:5e:10:00",
            "2:0:5e:10:0:1",
            "eth0:1",
        ] {
            assert!(bad.parse::<Interface>().is_err(), "{bad}");
        }
    }
}
