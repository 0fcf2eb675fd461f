//! The number of a Kubernetes release.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::text;

/// A release of Kubernetes: `1.36.4`. The major number has been 1 for ever, so it is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(into = "String")]
#[schemars(with = "String")]
pub struct Version {
    /// The 36 of `1.36.4`.
    pub minor: u16,
    /// The 4 of `1.36.4`.
    pub patch: u16,
}

/// A text that names no release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no Kubernetes release; write all three numbers, such as 1.36.4")]
pub struct InvalidVersion(String);

impl Version {
    /// Release 1.`minor`.`patch`.
    pub const fn new(minor: u16, patch: u16) -> Self {
        Self { minor, patch }
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    /// Reads `1.36.4` or `v1.36.4`.
    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let invalid = || InvalidVersion(text.to_owned());
        let numbers =
            text.strip_prefix('v').unwrap_or(text).split('.').map(number).collect::<Option<Vec<_>>>();
        match numbers.as_deref() {
            Some([1, minor, patch]) => Ok(Self::new(*minor, *patch)),
            _ => Err(invalid()),
        }
    }
}

/// Digits only and no leading zero: `str::parse` alone would take `+1` and `01`.
fn number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}.{}", self.minor, self.patch)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "a Kubernetes release with all three numbers, such as 1.36.4")
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_three_numbers() {
        assert_eq!("1.36.4".parse(), Ok(Version::new(36, 4)));
        assert_eq!("v1.26.15".parse(), Ok(Version::new(26, 15)));
        for bad in ["", "1", "1.36", "2.0.0", "1.36.4.1", "1.36.x", "1.+3.4", "1.036.4", "1.99999.0"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }

    #[test]
    fn releases_are_ordered_as_numbers() {
        assert!(Version::new(9, 0) < Version::new(10, 0));
        assert_eq!(Version::new(36, 10).to_string(), "1.36.10");
    }
}
