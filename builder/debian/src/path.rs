//! Paths inside a root file system, as bytes.

use std::fmt::{self, Write};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Detail, Error, Result};
use crate::escape;
use crate::shown::Shown;

/// As the kernel limits one component and a whole path (bytes).
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4095;

#[derive(Debug, thiserror::Error)]
#[error("path {path:?}: {why}")]
struct Kind {
    path: String,
    why: &'static str,
}

/// An absolute path inside a root file system: `/` or `/a/b`, never with `.`, `..`, empty components, NUL or newline.
///
/// Paths are bytes because file names are. Ordering is bytewise.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreePath(Vec<u8>);

impl TreePath {
    /// The root itself.
    pub fn root() -> Self {
        TreePath(b"/".to_vec())
    }

    /// Reads an absolute path, as the dpkg database writes it.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is not absolute, climbs with `..`, or has a component no Linux file can have.
    pub fn from_absolute(path: &[u8]) -> Result<Self> {
        match path.strip_prefix(b"/") {
            Some(relative) => Self::from_relative(relative),
            None => Err(fail(path, "is not absolute")),
        }
    }

    /// Reads a path relative to the root, as archives write it: `./usr/bin/`, `usr/bin`.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is absolute, climbs with `..`, or has a component no Linux file can have.
    pub fn from_relative(path: &[u8]) -> Result<Self> {
        if path.starts_with(b"/") {
            return Err(fail(path, "is absolute"));
        }
        let mut whole = TreePath::root();
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty() && *name != b".") {
            match name {
                b".." => return Err(fail(path, "climbs with `..`")),
                name if name.len() > NAME_MAX => return Err(fail(path, "has a name longer than 255 bytes")),
                name if name.iter().any(|byte| b"\0\n".contains(byte)) => {
                    return Err(fail(path, "has a NUL or newline in a name"));
                }
                name => whole = whole.join(name),
            }
        }
        if whole.0.len() > PATH_MAX { Err(fail(path, "is longer than 4095 bytes")) } else { Ok(whole) }
    }

    /// The bytes, starting with `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0 == b"/"
    }

    /// The names from the root down; none for the root.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
    }

    /// The directory that holds it; none for the root.
    pub fn parent(&self) -> Option<TreePath> {
        let slash = self.0.iter().rposition(|&byte| byte == b'/').filter(|_| !self.is_root())?;
        Some(TreePath(self.0.get(..slash.max(1)).unwrap_or_default().to_vec()))
    }

    /// The directories above, nearest first, ending with the root.
    pub fn ancestors(&self) -> impl Iterator<Item = TreePath> {
        std::iter::successors(self.parent(), TreePath::parent)
    }

    /// The last name; empty for the root.
    pub fn name(&self) -> &[u8] {
        self.names().next_back().unwrap_or_default()
    }

    /// The path with `suffix` appended to its last name, as in `/etc/a.conf` + `.dpkg-new`.
    pub fn with_suffix(&self, suffix: &str) -> TreePath {
        TreePath([&self.0, suffix.as_bytes()].concat())
    }

    /// The path of `name` in this directory. `name` must be one component.
    pub(crate) fn join(&self, name: &[u8]) -> TreePath {
        let slash: &[u8] = if self.is_root() { b"" } else { b"/" };
        TreePath([&self.0, slash, name].concat())
    }
}

fn fail(path: &[u8], why: &'static str) -> Error {
    let shown = String::from_utf8_lossy(path.get(..200).unwrap_or(path)).into_owned();
    Error::Malformed(Detail::new(Kind { path: shown, why }))
}

impl Serialize for TreePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        escape::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for TreePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        TreePath::from_absolute(&escape::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl fmt::Display for TreePath {
    /// Bytes that are not UTF-8 are shown as replacement characters, control characters as escapes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(f).write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn archive_names_become_absolute_paths() {
        for (written, path) in [("./", "/"), ("./usr/bin/", "/usr/bin"), ("usr//./x", "/usr/x")] {
            assert_eq!(TreePath::from_relative(written.as_bytes()).unwrap().as_bytes(), path.as_bytes());
        }
    }

    #[test]
    fn hostile_names_are_refused() {
        let long = "x".repeat(256);
        let deep = "x/".repeat(2100);
        for path in ["/etc", "../x", "a/../../x", "a\0b", "a\nb", &long, &deep] {
            assert!(TreePath::from_relative(path.as_bytes()).is_err(), "{path:?}");
        }
        assert!(TreePath::from_absolute(b"etc").is_err());
    }

    #[test]
    fn ancestors_end_at_the_root() {
        let path = TreePath::from_absolute(b"/a/b/c").unwrap();
        let above: Vec<String> = path.ancestors().map(|path| path.to_string()).collect();
        assert_eq!(above, ["/a/b", "/a", "/"]);
        assert_eq!(path.name(), b"c");
        assert_eq!(TreePath::root().parent(), None);
    }

    proptest! {
        #[test]
        fn accepted_paths_read_back(bytes in "[a./\\x00\\n]{0,12}") {
            if let Ok(path) = TreePath::from_relative(bytes.as_bytes()) {
                prop_assert_eq!(TreePath::from_absolute(path.as_bytes()).unwrap(), path);
            }
        }
    }
}
