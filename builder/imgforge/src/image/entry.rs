//! What an image holds at the paths that a build changes: the manifest tells it, the read-back holds the image to it.

use std::collections::BTreeMap;

use imgforge_spec::{Hex, ImagePath, InvalidPath, Sha256};
use serde::{Deserialize, Serialize};

use super::change::{Access, Action, Change, Volume};

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
        sha256: Sha256,
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
        let owner = |access: &Access| format!("{}:{}", access.uid, access.gid);
        let mode = |access: &Access| format!("{:04o}", access.mode);
        let state = match &change.action {
            Action::File { bytes, attributes } => State::File {
                size: bytes.content.len(),
                sha256: bytes.sha256()?,
                mode: mode(&attributes.access),
                owner: owner(&attributes.access),
                xattrs: attributes
                    .xattrs
                    .iter()
                    .map(|(name, value)| (name.clone(), Hex(value).to_string()))
                    .collect(),
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
    pub fn image_path(&self) -> Result<ImagePath, InvalidPath> {
        ImagePath::new(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::change::{Bytes, Origin};
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
        assert_eq!(*sha256, Sha256::of(b"abc"));
        assert_eq!(mode, "0640");
        let json = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<ChangeEntry>(&json).unwrap(), entry);
    }
}
