//! What an image holds at the paths that a build changes: the manifest tells it, the read-back holds the image to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use imgforge_spec::{ImagePath, Octets, Sha256};
use serde::{Deserialize, Serialize};

use super::change::{Access, Action, Attributes, Change, Volume};

/// One path that differs from the base.
// No `deny_unknown_fields`: serde cannot combine it with `flatten`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangeEntry {
    /// The file system.
    pub volume: Volume,
    /// The path.
    pub path: ImagePath,
    /// What is there.
    #[serde(flatten)]
    pub(crate) state: State,
    /// Who asked for it.
    pub origins: Vec<String>,
}

/// What is at a path. What a manifest of format 1 does not tell is `None`, and nobody holds an image to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub(crate) enum State {
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
        /// Time of modification, in seconds since 1970. FAT keeps it in the time of some place, so there it is not told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mtime: Option<i64>,
        /// SHA-256 of the value of each extended attribute, by name.
        #[serde(default, rename = "xattr-sha256", skip_serializing_if = "BTreeMap::is_empty")]
        xattrs: BTreeMap<String, Sha256>,
    },
    /// A directory. Its time is that of the last change in it, and nobody's wish.
    Directory {
        /// Permission bits, octal.
        mode: String,
        /// `uid:gid`.
        owner: String,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points.
        target: Octets,
        /// `uid:gid`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// Time of modification, in seconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mtime: Option<i64>,
    },
    /// One more name of a file: the same inode.
    HardLink {
        /// The file.
        target: ImagePath,
    },
    /// Nothing any more.
    Absent,
}

impl ChangeEntry {
    /// Describes how each path will be once `changes` are made by a build whose time is `epoch` (seconds since 1970): one
    /// that is taken away and put again is there.
    pub fn all(changes: &[Change], epoch: i64) -> io::Result<Vec<Self>> {
        let is_removal = |change: &Change| matches!(change.action, Action::Remove);
        let put: BTreeSet<_> =
            changes.iter().filter(|change| !is_removal(change)).map(|c| (c.volume, &c.path)).collect();
        let last = |change: &&Change| !is_removal(change) || !put.contains(&(change.volume, &change.path));
        changes.iter().filter(last).map(|change| Self::new(change, epoch)).collect()
    }

    /// Describes `change`, reading its content once.
    pub fn new(change: &Change, epoch: i64) -> io::Result<Self> {
        let owner = |access: &Access| format!("{}:{}", access.uid, access.gid);
        let mode = |access: &Access| format!("{:04o}", access.mode);
        let mtime = |attributes: &Attributes| {
            (change.volume == Volume::Root).then(|| attributes.mtime.unwrap_or(epoch))
        };
        let state = match &change.action {
            Action::File { bytes, attributes } => State::File {
                size: bytes.content.len(),
                sha256: bytes.sha256()?,
                mode: mode(&attributes.access),
                owner: owner(&attributes.access),
                mtime: mtime(attributes),
                xattrs: digests(&attributes.xattrs),
            },
            Action::Directory { attributes } => {
                State::Directory { mode: mode(&attributes.access), owner: owner(&attributes.access) }
            }
            Action::Symlink { target, attributes } => State::Symlink {
                target: Octets(target.clone()),
                owner: Some(owner(&attributes.access)),
                mtime: mtime(attributes),
            },
            Action::HardLink { target } => State::HardLink { target: target.clone() },
            Action::Remove => State::Absent,
        };
        let origins = change.origins.iter().map(ToString::to_string).collect();
        Ok(Self { volume: change.volume, path: change.path.clone(), state, origins })
    }
}

fn digests(xattrs: &[(String, Vec<u8>)]) -> BTreeMap<String, Sha256> {
    xattrs.iter().map(|(name, value)| (name.clone(), Sha256::of(value))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::image::change::{Bytes, Origin};

    fn change(path: &[u8], action: Action) -> Change {
        let origins = vec![Origin::Node("hostname")];
        Change { volume: Volume::Root, path: ImagePath::new(path).unwrap(), action, origins, secret: false }
    }

    fn file(content: &[u8]) -> Action {
        let xattrs = vec![("user.a".to_owned(), b"value".to_vec())];
        Action::File {
            bytes: Bytes { content: Arc::new(content.to_vec()), sha256: None },
            attributes: Attributes { access: Access::root(0o640), mtime: None, xattrs },
        }
    }

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        let link = Action::Symlink { target: b"caf\xe9".to_vec(), attributes: Access::root(0o777).into() };
        for action in [file(b"abc"), link, Action::Remove] {
            let entry = ChangeEntry::new(&change(b"/etc/caf\xe9", action), 7).unwrap();
            let json = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<ChangeEntry>(&json).unwrap(), entry);
        }
    }

    #[test]
    fn an_entry_tells_all_that_an_image_holds() {
        let entry = ChangeEntry::new(&change(b"/etc/hostname", file(b"abc")), 7).unwrap();
        let expected = State::File {
            size: 3,
            sha256: Sha256::of(b"abc"),
            mode: "0640".into(),
            owner: "0:0".into(),
            mtime: Some(7),
            xattrs: BTreeMap::from([("user.a".into(), Sha256::of(b"value"))]),
        };
        assert_eq!(entry.state, expected);
    }

    #[test]
    fn manifests_of_format_1_are_read() {
        let text = r#"{"volume":"root","path":"/a","is":"file","size":1,"sha256":"SUM","mode":"0644","owner":"0:0",
            "xattrs":{"user.a":"6162"},"origins":[]}"#;
        let text = text.replace("SUM", &Sha256::of(b"x").to_string());
        let entry: ChangeEntry = serde_json::from_str(&text).unwrap();
        assert!(matches!(entry.state, State::File { mtime: None, xattrs, .. } if xattrs.is_empty()));
    }

    #[test]
    fn what_is_taken_away_and_put_again_is_there() {
        let changes =
            [change(b"/a", Action::Remove), change(b"/b", Action::Remove), change(b"/a", file(b"x"))];
        let entries = ChangeEntry::all(&changes, 7).unwrap();
        let told: Vec<_> = entries.iter().map(|e| (e.path.to_string(), e.state == State::Absent)).collect();
        assert_eq!(told, [("/b".to_owned(), true), ("/a".to_owned(), false)]);
    }
}
