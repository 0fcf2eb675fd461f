//! Boards, as far as rules of Kubernetes and of programs are concerned. Profiles have more.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::as_text;

/// The name of a board: a-z, 0-9 and inner hyphens, at most 56. It is a file's, and part of a host name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoardName(String);

/// A text that is no board's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name of a board: a-z, 0-9 and inner hyphens, at most 56")]
pub struct InvalidBoardName(String);

impl BoardName {
    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BoardName {
    type Err = InvalidBoardName;

    fn from_str(text: &str) -> Result<Self, InvalidBoardName> {
        let is_good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = (1..=56).contains(&text.len())
            && text.chars().all(is_good)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidBoardName(text.to_owned())) }
    }
}

impl fmt::Display for BoardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BoardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

as_text!(BoardName, "a board's name");

/// Instruction sets of the boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// 64-bit, ARMv8-A or newer.
    Arm64,
    /// 32-bit ARMv7-A with hard float: Debian's armhf.
    Armv7,
    /// 32-bit ARMv6 with VFPv2: Raspberry Pi 1 and Zero. No Kubernetes runs there.
    Armv6,
}

impl Architecture {
    /// The name used in profiles.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Arm64 => "arm64",
            Architecture::Armv7 => "armv7",
            Architecture::Armv6 => "armv6",
        }
    }

    /// Whether registers are 32 bits wide.
    pub fn is_32_bit(self) -> bool {
        self != Architecture::Arm64
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The hardware of a board, as far as Kubernetes is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardFacts {
    /// Instruction set.
    pub architecture: Architecture,
    /// CPU cores.
    pub cores: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// Whether it has a wired network.
    pub wired: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boards_name_is_a_label() {
        for good in ["rk3328", "bananapi-m1", "4", &"b".repeat(56)] {
            assert_eq!(good.parse::<BoardName>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "Rpi4", "a_b", "a.b", "a/b", "../a", &"b".repeat(57)] {
            assert!(bad.parse::<BoardName>().is_err(), "{bad}");
        }
    }
}
