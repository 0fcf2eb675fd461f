//! Board profiles: `board-profiles/<board>.yaml` describes a board, the vendor's image for it, and how that is laid out.

use std::path::{Path, PathBuf};

use imgforge_spec::{Architecture, BoardName, ImagePath, Sha256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Error, kubernetes};

/// A board: its hardware, the vendor's image for it and how that image is laid out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// Name used on the command line; the file's name without `.yaml`.
    pub board: BoardName,
    /// Full name of the hardware.
    pub name: String,
    /// Other names the board is asked for by.
    #[serde(default)]
    pub(crate) aliases: Vec<String>,
    /// Whose image it is; names a file in `vendors/`.
    pub vendor: String,
    /// Instruction set the board can run.
    pub architecture: Architecture,
    /// CPU cores.
    pub cores: u32,
    /// Memory of the smallest variant, in MiB.
    pub memory: u32,
    /// Whether it has a wired network.
    #[serde(default = "default_wired")]
    pub wired: bool,
    /// The vendor's image.
    pub base: BaseImage,
    /// How the image is partitioned.
    pub layout: Layout,
    /// Free space, in MiB, that the root file system keeps beyond what the build puts in.
    #[serde(default = "default_reserve")]
    pub(crate) reserve: u32,
    /// Words added to the kernel's command line on this board.
    #[serde(default)]
    pub(crate) kernel_arguments: Vec<String>,
    /// The Kubernetes its masters and workers get; without it, they bring none.
    #[serde(default)]
    pub kubernetes: Option<kubernetes::Choice>,
    /// What Raspberry Pi Imager calls the boards that start this image: the `tags` of its list of devices.
    #[serde(default)]
    pub(crate) imager_devices: Vec<String>,
    /// What a user of the board should know.
    #[serde(default)]
    pub notes: Vec<String>,
}

fn default_wired() -> bool {
    true
}

fn default_reserve() -> u32 {
    256
}

/// Where the vendor's image is and what it must be. The two hashes are of two different things: the file that is
/// downloaded, and the disk image that comes out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BaseImage {
    /// Where the vendor publishes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A file made on this machine instead, relative to the folder above the profiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// How to make that file when it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) made_by: Option<String>,
    /// Size of the file as published, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// SHA-256 of the file as published (compressed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// What is appended to the file's name for the vendor's own checksum file, where the profile has no hash: `.sha`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checksum_file: Option<String>,
    /// What is appended to the file's name for the vendor's OpenPGP signature of it: `.asc`. It must be by one of the
    /// vendor's `image-signers` before a hash from the checksum file is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signature_file: Option<String>,
    /// Whether the vendor takes the image away again within weeks. Only the store keeps such an image.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) perishable: bool,
    /// In a lock: the fingerprint of the key whose signature was found when the hash was pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signer: Option<String>,
    /// Size of the disk image inside, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image_size: Option<u64>,
    /// SHA-256 of the disk image inside (decompressed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_sha256: Option<Sha256>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Partition table and the partitions imgforge works on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Layout {
    /// Kind of partition table.
    pub(crate) table: TableKind,
    /// Number of the partition with the ext4 root file system.
    pub root: u32,
    /// The FAT partition the firmware reads, where there is one.
    #[serde(default)]
    pub boot: Option<BootPartition>,
}

/// Kind of partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TableKind {
    /// Master boot record.
    Mbr,
    /// GUID partition table.
    Gpt,
}

/// The FAT partition the firmware reads.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BootPartition {
    /// Its number.
    pub(crate) partition: u32,
    /// Where the running system mounts it.
    pub(crate) mount: ImagePath,
}

impl BootPartition {
    /// Where the running system's `path` is in the partition; `None` where it is elsewhere.
    pub fn inside(&self, path: &ImagePath) -> Option<ImagePath> {
        let rest = path.as_bytes().strip_prefix(self.mount.as_bytes())?;
        let is_inside = rest.len() > 1 && path.is_below(&self.mount);
        is_inside.then(|| ImagePath::new(rest).ok()).flatten()
    }
}

impl Profile {
    /// Every name the board is asked for by.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.aliases.iter().map(String::as_str).chain([self.board.as_str()])
    }

    /// Whether what it says holds together; `path` is the file it was read from.
    pub(super) fn check(&self, path: &Path) -> Result<(), Error> {
        let fail = |message: String| Err(Error::Inconsistent { path: path.to_owned(), message });
        if path.file_stem().and_then(|stem| stem.to_str()) != Some(self.board.as_str()) {
            return fail(format!("describes the board `{}`; name the file {0}.yaml", self.board));
        }
        if self.base.url.is_some() == self.base.file.is_some() {
            return fail("base: exactly one of `url` and `file` says where the image is".into());
        }
        if self.base.sha256.is_none() && self.base.checksum_file.is_none() {
            return fail(
                "base: give `sha256`, or `checksum-file` where the vendor publishes one beside the image"
                    .into(),
            );
        }
        Ok(())
    }
}
