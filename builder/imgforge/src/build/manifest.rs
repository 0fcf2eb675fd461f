//! The manifest: what an image is made of, in a file beside it. The same inputs give the same manifest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    build::layer::Layered,
    catalogue::artifact::Artifact,
    image::{
        change::{Action, Change, Volume},
        partitions::Partitions,
    },
    image_path::ImagePath,
    plan::Request,
    supply::{
        lock::{Added, LockedPackage, LockedRepository},
        oci::LockedImage,
        store::Record,
    },
    target::node::Role,
};

/// Version of this format. A reader refuses a newer one.
pub const FORMAT: u32 = 1;

/// Everything about an image that can be checked later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// The imgforge that built it.
    pub imgforge: String,
    /// The board.
    pub board: String,
    /// The node's role.
    pub role: Role,
    /// The node's host name.
    pub hostname: String,
    /// Seconds since 1970 that stand for the time of the build.
    pub epoch: i64,
    /// Whether the image holds secrets and must not be published.
    pub secrets: bool,
    /// What it was made from.
    pub base: BaseEntry,
    /// What came out.
    pub image: ImageEntry,
    /// Where the packages come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<LockedRepository>,
    /// The packages that were added, in the order in which they were unpacked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<LockedPackage>,
    /// The files and tarballs that were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// The container images that it carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<LockedImage>,
    /// Every path that differs from the base, in order.
    pub changes: Vec<ChangeEntry>,
}

/// The base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BaseEntry {
    /// The vendor's URL, or the name of the file.
    pub origin: String,
    /// SHA-256 of the file as published.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of the disk image in it.
    pub image_sha256: String,
    /// Its size in bytes.
    pub image_size: u64,
}

impl BaseEntry {
    /// The entry of the base that came from `origin`.
    pub fn new(origin: &str, record: &Record) -> Self {
        Self {
            origin: origin.to_owned(),
            sha256: record.sha256.clone(),
            size: record.size,
            image_sha256: record.image_sha256.clone(),
            image_size: record.image_size,
        }
    }
}

/// The image, decompressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ImageEntry {
    /// SHA-256 of the whole disk image.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Number of the partition with the root file system.
    pub root_partition: u32,
    /// Number of the boot partition, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_partition: Option<u32>,
}

/// One path that differs from the base.
// No `deny_unknown_fields`: serde cannot combine it with `flatten`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangeEntry {
    /// The file system.
    pub volume: Volume,
    /// The path.
    pub path: String,
    /// What is there.
    #[serde(flatten)]
    pub state: State,
    /// Who asked for it.
    pub origins: Vec<String>,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum State {
    /// A regular file.
    File {
        /// Size in bytes.
        size: u64,
        /// SHA-256 of the content.
        sha256: String,
        /// Permission bits, octal.
        mode: String,
        /// `uid:gid`.
        owner: String,
        /// Extended attributes, in hexadecimal digits.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        xattrs: BTreeMap<String, String>,
    },
    /// A directory.
    Directory {
        /// Permission bits, octal.
        mode: String,
        /// `uid:gid`.
        owner: String,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points.
        target: String,
    },
    /// One more name of a file.
    HardLink {
        /// The file.
        target: String,
    },
    /// Nothing any more.
    Absent,
}

impl ChangeEntry {
    /// Describes how each path will be: one that is taken away and put again is there.
    pub fn all(changes: &[Change]) -> std::io::Result<Vec<Self>> {
        let is_put_again = |removed: &Change| {
            let same = |c: &Change| c.volume == removed.volume && c.path == removed.path;
            changes.iter().any(|change| same(change) && !matches!(change.action, Action::Remove))
        };
        let last = |change: &&Change| !matches!(change.action, Action::Remove) || !is_put_again(change);
        changes.iter().filter(last).map(Self::new).collect()
    }

    /// Describes `change`, reading its content once.
    pub fn new(change: &Change) -> std::io::Result<Self> {
        let owner = |access: &crate::image::change::Access| format!("{}:{}", access.uid, access.gid);
        let mode = |access: &crate::image::change::Access| format!("{:04o}", access.mode);
        let state = match &change.action {
            Action::File { bytes, attributes } => State::File {
                size: bytes.content.len(),
                sha256: bytes.sha256()?,
                mode: mode(&attributes.access),
                owner: owner(&attributes.access),
                xattrs: attributes.xattrs.iter().map(|(name, value)| (name.clone(), hex(value))).collect(),
            },
            Action::Directory { attributes } => {
                State::Directory { mode: mode(&attributes.access), owner: owner(&attributes.access) }
            }
            Action::Symlink { target, .. } => {
                State::Symlink { target: String::from_utf8_lossy(target).into_owned() }
            }
            Action::HardLink { target } => State::HardLink { target: target.to_string() },
            Action::Remove => State::Absent,
        };
        let origins = change.origins.iter().map(ToString::to_string).collect();
        Ok(Self { volume: change.volume, path: change.path.to_string(), state, origins })
    }

    /// The path as one of the image.
    pub fn image_path(&self) -> Result<ImagePath, crate::image_path::InvalidPath> {
        ImagePath::new(&self.path)
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of all of `content`, lower-case hexadecimal.
pub fn sha256_of(content: &dyn imgforge_ext4::Content) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; (1 << 20).min(content.len() as usize)];
    let mut at = 0;
    while at < content.len() {
        let length = (content.len() - at).min(piece.len() as u64) as usize;
        let part = piece.get_mut(..length).unwrap_or_default();
        content.read_at(at, part)?;
        hasher.update(part);
        at += length as u64;
    }
    Ok(hex(hasher.finalize()))
}

impl Manifest {
    /// The manifest of `layered`, made of `base` as `request` asks, with what was `added`; the image's digest and size are
    /// filled in when it is written.
    pub fn new(request: &Request, layered: &Layered, base: BaseEntry, added: Added) -> Self {
        let Partitions { root, boot } = &layered.partitions;
        let Added { repositories, packages, artifacts, images } = added;
        Self {
            format: FORMAT,
            imgforge: env!("CARGO_PKG_VERSION").to_owned(),
            board: request.profile.board.clone(),
            role: request.role,
            hostname: request.hostname(),
            epoch: request.epoch,
            secrets: layered.secrets,
            base,
            image: ImageEntry {
                sha256: String::new(),
                size: 0,
                root_partition: root.number,
                boot_partition: boot.as_ref().map(|boot| boot.number),
            },
            repositories,
            packages,
            artifacts,
            images,
            changes: layered.changes.clone(),
        }
    }

    /// The manifest as its file has it.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::change::{Access, Bytes, Origin};
    use std::sync::Arc;

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        let change = Change {
            volume: Volume::Root,
            path: ImagePath::new("/etc/hostname").unwrap(),
            action: Action::File {
                bytes: Bytes { content: Arc::new(b"abc".to_vec()), sha256: None },
                attributes: Access::root(0o640).into(),
            },
            origins: vec![Origin::Node("hostname")],
            secret: false,
        };
        let entry = ChangeEntry::new(&change).unwrap();
        let State::File { sha256, mode, .. } = &entry.state else { panic!("{entry:?}") };
        assert_eq!(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(mode, "0640");
        let json = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<ChangeEntry>(&json).unwrap(), entry);
    }
}
