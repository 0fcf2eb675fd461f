//! How dpkg's work on a system stands.

use super::look::{Look, shown};
use crate::image::read::Error;

/// What dpkg's status file says.
#[derive(Debug, Clone, Default)]
pub struct Packages {
    /// How many packages are installed.
    pub(crate) installed: usize,
    /// Those whose installation or configuration is not finished.
    pub(crate) unfinished: Vec<Unfinished>,
}

/// A package that is not quite installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its name.
    pub name: String,
    /// Its state as dpkg calls it: `half-configured`.
    pub(crate) state: String,
}

impl Packages {
    pub(super) fn of(root: Look<'_>) -> Result<Self, Error> {
        let status = root.text("/var/lib/dpkg/status")?.unwrap_or_default();
        let mut packages = Self::default();
        let mut name = "";
        for line in status.lines() {
            if let Some(value) = line.strip_prefix("Package:") {
                name = value.trim();
            }
            let Some(state) = line.strip_prefix("Status:").and_then(|value| value.split_whitespace().last())
            else {
                continue;
            };
            match state {
                "installed" => packages.installed += 1,
                "half-installed" | "unpacked" | "half-configured" => {
                    packages.unfinished.push(Unfinished { name: shown(name), state: state.to_owned() })
                }
                _ => {}
            }
        }
        Ok(packages)
    }
}
