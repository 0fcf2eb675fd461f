//! Disks of a node, and what is kept on them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ImagePath, Invalid};

/// A disk to mount: a line of fstab.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mount {
    /// The file system: `UUID=…`, `LABEL=…`, `PARTUUID=…`, or a device.
    pub source: String,
    /// Where it is mounted.
    pub target: ImagePath,
    /// File system type.
    #[serde(default = "default_type", rename = "type")]
    pub kind: String,
    /// Mount options.
    #[serde(default = "default_options")]
    pub options: String,
    /// Whether the node must not start its work without it.
    #[serde(default = "default_required")]
    pub required: bool,
    /// Whether the node makes the file system itself the first time, on a disk that holds nothing: no file system, no
    /// partition table, no RAID. Such a disk has no UUID or label yet, so `source` is a path in `/dev`.
    #[serde(default)]
    pub format_if_blank: bool,
}

/// A directory that lives elsewhere: a bind mount.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bind {
    /// The path programs use: `/var/lib/etcd`.
    pub path: ImagePath,
    /// Where it really is, usually below a mount: `/mnt/root/var/lib/etcd`.
    pub on: ImagePath,
}

fn default_type() -> String {
    "ext4".into()
}

fn default_options() -> String {
    "defaults".into()
}

fn default_required() -> bool {
    true
}

impl Mount {
    /// Whether every value can stand in fstab; an error names the setting of the mount.
    pub fn check(&self) -> Result<(), Invalid> {
        for (key, value) in [("source", &self.source), ("type", &self.kind), ("options", &self.options)] {
            if value.is_empty() || value.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return Err(Invalid::new(key, format!("`{value}` must be one word, as in fstab")));
            }
        }
        if self.format_if_blank && !self.source.starts_with("/dev/") {
            let message = "a blank disk has no UUID or label: give `source` as /dev/disk/by-id/…";
            return Err(Invalid::new("format-if-blank", message));
        }
        if self.format_if_blank && self.kind != "ext4" {
            return Err(Invalid::new("format-if-blank", format!("ext4 is made, not {}", self.kind)));
        }
        Ok(())
    }
}
