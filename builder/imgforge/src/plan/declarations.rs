//! `overlay.yaml`: what the files of an overlay cannot say by themselves.

use std::collections::BTreeMap;

use imgforge_spec::ImagePath;
use schemars::JsonSchema;
use serde::Deserialize;

/// `overlay.yaml`: what the files of the folder cannot say.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Declarations {
    /// What the overlay is for.
    #[serde(default)]
    pub description: String,
    /// Files that are not plain 0644 files of root's, by their path below `root/`.
    #[serde(default)]
    pub files: BTreeMap<ImagePath, FileDeclaration>,
    /// Directories to make, or whose access differs from 0755 and root's.
    #[serde(default)]
    pub directories: BTreeMap<ImagePath, AccessDeclaration>,
    /// Links to make, with where they point.
    #[serde(default)]
    pub(crate) symlinks: BTreeMap<ImagePath, String>,
    /// Paths to take away; each component may hold `*`. Nothing there is fine.
    #[serde(default)]
    pub remove: Vec<ImagePath>,
    /// What is to be done in the boot partition, where there is one.
    #[serde(default)]
    pub boot: BootDeclarations,
    /// Packages the node needs, as relations in a `Depends` field.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Units to enable by their own `[Install]` section. `?` at the end: only if there is such a unit.
    #[serde(default)]
    pub enable: Vec<String>,
    /// Units that must never start. `?` at the end: only if there is such a unit.
    #[serde(default)]
    pub(crate) mask: Vec<String>,
    /// Accounts of the base whose password is locked, by their names, which may hold `*`. A node's users are not meant.
    #[serde(default)]
    pub(crate) lock_passwords: Vec<String>,
    /// Assignments in the vendor's files, by path. `?` at the end of the path: only if there is such a file.
    #[serde(default)]
    pub edit: BTreeMap<String, Vec<Assignment>>,
}

/// What is done in the boot partition besides putting the files of `boot/` there.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BootDeclarations {
    /// Paths to take away, whatever their case; each component may hold `*`. Nothing there is fine.
    #[serde(default)]
    pub remove: Vec<ImagePath>,
}

/// How a file goes in.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileDeclaration {
    /// Permission bits in octal, `"0755"`.
    #[serde(default)]
    pub mode: Option<String>,
    /// Numeric `uid:gid`.
    #[serde(default)]
    pub owner: Option<String>,
    /// Whether the file is a template.
    #[serde(default)]
    pub template: bool,
    /// A variable of templates: the file goes in only where it has a value.
    #[serde(default)]
    pub when: Option<String>,
}

/// Mode and owner of a directory.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AccessDeclaration {
    /// Permission bits in octal, `"0755"`.
    #[serde(default)]
    pub mode: Option<String>,
    /// Numeric `uid:gid`.
    #[serde(default)]
    pub owner: Option<String>,
}

/// A line `KEY=value` to set in a file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Assignment {
    /// The key.
    pub set: String,
    /// Its value, a template.
    pub value: String,
    /// What stands between them.
    #[serde(default = "default_separator")]
    pub(crate) separator: String,
}

fn default_separator() -> String {
    "=".into()
}

impl Assignment {
    /// `text` with the assignment of `value` in place of the first line for its key, commented out or not; else at the end.
    pub(crate) fn apply(&self, text: &str, value: &str) -> String {
        let line = format!("{}{}{value}", self.set, self.separator);
        let separator = self.separator.trim();
        let assigns = |candidate: &str| {
            let rest = candidate.trim_start().strip_prefix(&self.set);
            rest.is_some_and(|rest| rest.trim_start().starts_with(separator))
        };
        let mut lines: Vec<&str> = text.lines().collect();
        let active = lines.iter().position(|candidate| assigns(candidate));
        let place = active.or_else(|| {
            lines.iter().position(|candidate| candidate.trim_start().strip_prefix('#').is_some_and(assigns))
        });
        match place {
            Some(at) => lines[at] = &line,
            None => lines.push(&line),
        }
        lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(value: &str, text: &str) -> String {
        Assignment { set: "SWAP".into(), value: String::new(), separator: "=".into() }.apply(text, value)
    }

    #[test]
    fn an_assignment_replaces_the_vendors_line() {
        assert_eq!(assigned("false", "ENABLED=true\nSWAP=true\n"), "ENABLED=true\nSWAP=false\n");
        assert_eq!(assigned("false", "# SWAP=true\nSIZE=1\n"), "SWAP=false\nSIZE=1\n");
        assert_eq!(assigned("false", "SWAPFILE=x\n"), "SWAPFILE=x\nSWAP=false\n");
    }
}
