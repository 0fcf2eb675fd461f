//! Platforms of images: operating system, instruction set and its variant.
//! <https://github.com/opencontainers/image-spec/blob/main/image-index.md>

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use imgforge_spec::Architecture;

/// What an image runs on, in Go's words: `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Platform {
    /// Instruction set.
    pub architecture: String,
    /// Operating system.
    pub os: String,
    /// Level of the instruction set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<String>,
}

impl Platform {
    /// The platform of a board.
    pub fn of(architecture: Architecture) -> Self {
        let (architecture, variant) = match architecture {
            Architecture::Arm64 => ("arm64", None),
            Architecture::Armv7 => ("arm", Some("v7")),
            Architecture::Armv6 => ("arm", Some("v6")),
        };
        Self { architecture: architecture.into(), os: "linux".into(), variant: variant.map(Into::into) }
    }

    /// How well an image for `other` suits this board: 0 best, `None` not at all. A 32-bit board runs what is made for
    /// an older level; a 64-bit one need not run 32-bit programs.
    pub(crate) fn suits(&self, other: &Self) -> Option<u32> {
        if (&self.os, &self.architecture) != (&other.os, &other.architecture) {
            return None;
        }
        self.level()?.checked_sub(other.level()?)
    }

    /// The level of the instruction set; where it is not said, the one that is meant.
    fn level(&self) -> Option<u32> {
        match (self.architecture.as_str(), self.variant.as_deref()) {
            ("arm64", None | Some("")) => Some(8),
            ("arm", None | Some("")) => Some(7),
            (_, variant) => variant?.strip_prefix('v')?.parse().ok(),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant
            .iter()
            .filter(|variant| !variant.is_empty())
            .try_for_each(|variant| write!(f, "/{variant}"))
    }
}

/// A text that names no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no platform, such as linux/arm64")]
pub(crate) struct InvalidPlatform(String);

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, InvalidPlatform> {
        let mut words = text.split('/').map(str::to_owned);
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(os), Some(architecture), variant, None) => Ok(Self { architecture, os, variant }),
            _ => Err(InvalidPlatform(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_read_back_as_they_are_written() {
        for text in ["linux/arm64", "linux/arm/v7"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        assert!("linux".parse::<Platform>().is_err() && "a/b/c/d".parse::<Platform>().is_err());
    }

    #[test]
    fn a_board_runs_its_own_and_older_levels() {
        for (board, image, suits) in [
            (Architecture::Arm64, "linux/arm64", Some(0)),
            (Architecture::Arm64, "linux/arm64/v8", Some(0)),
            (Architecture::Arm64, "linux/arm64/v9", None),
            (Architecture::Arm64, "linux/arm/v7", None),
            (Architecture::Arm64, "linux/amd64", None),
            (Architecture::Arm64, "windows/arm64", None),
            (Architecture::Armv7, "linux/arm", Some(0)),
            (Architecture::Armv7, "linux/arm/v7", Some(0)),
            (Architecture::Armv7, "linux/arm/v6", Some(1)),
            (Architecture::Armv7, "linux/arm/v8", None),
            (Architecture::Armv7, "linux/arm64", None),
            (Architecture::Armv6, "linux/arm", None),
            (Architecture::Armv6, "linux/arm/v5", Some(1)),
        ] {
            assert_eq!(Platform::of(board).suits(&image.parse().unwrap()), suits, "{board} {image}");
        }
    }
}
