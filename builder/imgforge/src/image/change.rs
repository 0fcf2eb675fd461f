//! What a build does to an image, as values: every source of content yields [`Change`]s, one place applies them.

use std::{fmt, sync::Arc};

use imgforge_disk::sha256_of;
use imgforge_ext4::Content;
use serde::{Deserialize, Serialize};

use imgforge_spec::{ImagePath, Sha256};

/// Which file system of the image a change goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Volume {
    /// The FAT partition the board's firmware reads.
    Boot,
    /// The ext4 root file system.
    Root,
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Volume::Boot => "boot",
            Volume::Root => "root",
        })
    }
}

/// Permission bits (as in `chmod`, up to 0o7777) and numeric owner of a file. FAT keeps neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Permission bits including setuid, setgid and sticky.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Access {
    /// Owned by root, with permission bits `mode`.
    pub const fn root(mode: u16) -> Self {
        Self { mode, uid: 0, gid: 0 }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o} {}:{}", self.mode, self.uid, self.gid)
    }
}

/// What a file, directory or link has besides its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// Mode and owner.
    pub access: Access,
    /// Time of modification, seconds since 1970; `None` is the time of the build.
    pub mtime: Option<i64>,
    /// Extended attributes by name, such as `security.capability`.
    pub(crate) xattrs: Vec<(String, Vec<u8>)>,
}

impl From<Access> for Attributes {
    fn from(access: Access) -> Self {
        Self { access, mtime: None, xattrs: Vec::new() }
    }
}

/// The bytes of a file.
#[derive(Debug, Clone)]
pub struct Bytes {
    /// All of them.
    pub content: Arc<dyn Content>,
    /// Their SHA-256, where it is known already. The read-back holds the image to it.
    pub sha256: Option<Sha256>,
}

impl Bytes {
    /// The SHA-256, computed if it is not known.
    pub fn sha256(&self) -> std::io::Result<Sha256> {
        self.sha256.map_or_else(|| sha256_of(&*self.content), Ok)
    }
}

impl From<Arc<dyn Content>> for Bytes {
    fn from(content: Arc<dyn Content>) -> Self {
        Self { content, sha256: None }
    }
}

/// What is at a path once the change is made.
#[derive(Debug, Clone)]
pub enum Action {
    /// A regular file, created or replaced.
    File {
        /// Its bytes.
        bytes: Bytes,
        /// Mode, owner, time.
        attributes: Attributes,
    },
    /// A directory; one that exists keeps what is in it.
    Directory {
        /// Mode, owner, time.
        attributes: Attributes,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points, as it is written.
        target: Vec<u8>,
        /// Owner and time; a link's mode has no meaning.
        attributes: Attributes,
    },
    /// One more name of a file.
    HardLink {
        /// The file; no link itself.
        target: ImagePath,
    },
    /// Nothing: the file, or the directory with all in it, is gone.
    Remove,
}

/// Where a change comes from: what to look at, or to alter, when it is not wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file, link or rule of an overlay folder, named from the overlays' root: `common`, `roles/master`.
    Overlay(String),
    /// A setting of the node: `hostname`, `mounts`, `users`, …
    Node(&'static str),
    /// A rule of the vendor's description.
    Vendor(String),
    /// The board's profile.
    Board(String),
    /// A package: name, version and architecture.
    Package(String),
    /// What dpkg keeps of the packages.
    PackageDatabase,
    /// A pinned file or tarball: its URL.
    Artifact(String),
    /// A container image: its reference.
    ContainerImage(String),
    /// The cluster file: the cluster's name.
    Cluster(String),
    /// What the image was made as.
    Record,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Overlay(name) => write!(f, "overlay {name}"),
            Origin::Node(setting) => write!(f, "node {setting}"),
            Origin::Vendor(name) => write!(f, "vendor {name}"),
            Origin::Board(name) => write!(f, "board {name}"),
            Origin::Package(identity) => write!(f, "package {identity}"),
            Origin::PackageDatabase => f.write_str("package database"),
            Origin::Artifact(url) => write!(f, "artifact {url}"),
            Origin::ContainerImage(reference) => write!(f, "container image {reference}"),
            Origin::Cluster(name) => write!(f, "cluster {name}"),
            Origin::Record => f.write_str("record"),
        }
    }
}

/// One path of the image that will differ from the base.
#[derive(Debug, Clone)]
pub struct Change {
    /// The file system.
    pub volume: Volume,
    /// The path in it; its parent holds no symbolic link.
    pub path: ImagePath,
    /// What will be there.
    pub action: Action,
    /// Who asked for it, first to last when several had a say.
    pub origins: Vec<Origin>,
    /// Whether an image with it must not be published.
    pub secret: bool,
}
