//! What tells one package from another.

use crate::control::{Fields, Paragraph};
use crate::dependency::is_package_name;
use crate::error::{Detail, Error, Result};
use crate::version::Version;

#[derive(Debug, thiserror::Error)]
#[error("{field} {value:?} is not acceptable")]
struct Kind {
    field: &'static str,
    value: String,
}

/// The `Multi-Arch` field: <https://wiki.ubuntu.com/MultiarchSpec>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MultiArch {
    /// Usable only by packages of its own architecture.
    #[default]
    No,
    /// Co-installable with itself for other architectures.
    Same,
    /// Serves packages of every architecture.
    Foreign,
    /// Serves other architectures where the relation says `:any`.
    Allowed,
}

/// Name, version and architecture of a binary package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `Package`; safe as part of a file name.
    pub name: String,
    /// `Version`
    pub version: Version,
    /// `Architecture`: `all` or a Debian architecture; safe as part of a file name.
    pub architecture: String,
    /// `Multi-Arch`
    pub multi_arch: MultiArch,
}

impl Identity {
    /// Reads it from a control paragraph, a `Packages` entry or a status stanza.
    ///
    /// # Errors
    /// [`Error::Malformed`] if a field is missing or not what Debian allows.
    pub fn from_paragraph(paragraph: &Paragraph) -> Result<Self> {
        Self::from_fields(paragraph)
    }

    pub(crate) fn from_fields(fields: &impl Fields) -> Result<Self> {
        let word = |field: &'static str| {
            let value = fields.required(field)?;
            if is_package_name(value) {
                Ok(value.to_owned())
            } else {
                Err(Error::Malformed(Detail::new(Kind { field, value: value.to_owned() })))
            }
        };
        let multi_arch = match fields.field("Multi-Arch") {
            None | Some("no") => MultiArch::No,
            Some("same") => MultiArch::Same,
            Some("foreign") => MultiArch::Foreign,
            Some("allowed") => MultiArch::Allowed,
            Some(other) => {
                return Err(Error::Malformed(Detail::new(Kind {
                    field: "Multi-Arch",
                    value: other.to_owned(),
                })));
            }
        };
        let version = fields.required("Version")?.parse()?;
        Ok(Identity { name: word("Package")?, version, architecture: word("Architecture")?, multi_arch })
    }

    /// The stem of its files under `/var/lib/dpkg/info` and its name in trigger files: `name`, or `name:architecture`
    /// for `Multi-Arch: same`.
    pub fn info_name(&self) -> String {
        match self.multi_arch {
            MultiArch::Same => format!("{}:{}", self.name, self.architecture),
            _ => self.name.clone(),
        }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.name, self.version, self.architecture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(text: &str) -> Result<Identity> {
        Identity::from_paragraph(&Paragraph::parse(text.as_bytes())?)
    }

    #[test]
    fn same_packages_carry_their_architecture_in_file_names() {
        let text = "Package: libc6\nVersion: 2\nArchitecture: arm64\n";
        assert_eq!(identity(text).unwrap().info_name(), "libc6");
        assert_eq!(identity(&format!("{text}Multi-Arch: same\n")).unwrap().info_name(), "libc6:arm64");
    }

    #[test]
    fn names_that_would_leave_the_info_directory_are_refused() {
        for name in ["../x", "a/b", "", ".x", "a b"] {
            assert!(
                identity(&format!("Package: {name}\nVersion: 1\nArchitecture: all\n")).is_err(),
                "{name}"
            );
        }
        assert!(identity("Package: a\nVersion: 1\nArchitecture: ../x\n").is_err());
    }
}
