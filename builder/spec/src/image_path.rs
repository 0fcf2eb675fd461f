//! Absolute paths inside an image. They are bytes, as the kernel has them; they never meet the host's paths.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::octets;

/// An absolute, normalised path in a file system of the image: `/etc/fstab`. No `.`, `..`, empty or NUL-holding component.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImagePath(Vec<u8>);

/// Why a text is no path in an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// A component is `..`.
    #[error("`{0}` climbs with `..`; write the path as it is in the image")]
    Climbs(String),
    /// There is a NUL byte in it.
    #[error("`{0}` holds a NUL byte")]
    Nul(String),
    /// A component is longer than a directory can record (255 bytes).
    #[error("`{0}` has a component of more than 255 bytes")]
    TooLong(String),
}

impl ImagePath {
    /// The root of the file system.
    pub fn root() -> Self {
        Self(b"/".to_vec())
    }

    /// Normalises `path`: a leading `/` is added, empty and `.` components go.
    pub fn new(path: impl AsRef<[u8]>) -> Result<Self, InvalidPath> {
        let path = path.as_ref();
        let text = || String::from_utf8_lossy(path).into_owned();
        let mut normal = Vec::with_capacity(path.len() + 1);
        for component in path.split(|&byte| byte == b'/').filter(|c| !c.is_empty() && *c != b".") {
            match component {
                b".." => return Err(InvalidPath::Climbs(text())),
                c if c.contains(&0) => return Err(InvalidPath::Nul(text())),
                c if c.len() > 255 => return Err(InvalidPath::TooLong(text())),
                c => {
                    normal.push(b'/');
                    normal.extend_from_slice(c);
                }
            }
        }
        if normal.is_empty() {
            return Ok(Self::root());
        }
        Ok(Self(normal))
    }

    /// The bytes, beginning with `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path of `name` below this one. `name` may have several components.
    pub fn join(&self, name: impl AsRef<[u8]>) -> Result<Self, InvalidPath> {
        let mut bytes = self.0.clone();
        bytes.push(b'/');
        bytes.extend_from_slice(name.as_ref());
        Self::new(bytes)
    }

    /// The directory the path lies in; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        match self.split()? {
            (b"", _) => Some(Self::root()),
            (parent, _) => Some(Self(parent.to_vec())),
        }
    }

    /// The last component; empty for the root.
    pub fn name(&self) -> &[u8] {
        self.split().map_or(b"", |(_, name)| name)
    }

    /// All directories above the path, outermost first, without the root.
    pub fn ancestors(&self) -> Vec<Self> {
        let ends = self.0.iter().enumerate().skip(1).filter(|&(_, &byte)| byte == b'/').map(|(at, _)| at);
        ends.map(|end| Self(self.0[..end].to_vec())).collect()
    }

    /// Whether the path is `other`, or lies below it.
    pub fn is_below(&self, other: &Self) -> bool {
        let rest = self.0.strip_prefix(other.0.strip_suffix(b"/").unwrap_or(&other.0));
        rest.is_some_and(|rest| rest.first().is_none_or(|&byte| byte == b'/'))
    }

    /// The components, outermost first.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|c| !c.is_empty())
    }

    fn split(&self) -> Option<(&[u8], &[u8])> {
        let slash = self.0.iter().rposition(|&byte| byte == b'/')?;
        (self.0.len() > 1).then(|| (&self.0[..slash], &self.0[slash + 1..]))
    }
}

impl fmt::Display for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        octets::show(&self.0, f)
    }
}

impl fmt::Debug for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for ImagePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        octets::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for ImagePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(octets::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ImagePath {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ImagePath".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "A path inside the image." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ImagePath {
        ImagePath::new(text).unwrap()
    }

    #[test]
    fn paths_are_absolute_and_normal() {
        assert_eq!(path("etc//./fstab").as_bytes(), b"/etc/fstab");
        assert_eq!(path("/").as_bytes(), b"/");
        assert_eq!(path("").as_bytes(), b"/");
    }

    #[test]
    fn paths_never_climb() {
        assert_eq!(ImagePath::new("/etc/../x"), Err(InvalidPath::Climbs("/etc/../x".into())));
        assert_eq!(ImagePath::new("a\0b"), Err(InvalidPath::Nul("a\0b".into())));
    }

    #[test]
    fn parents_and_names() {
        assert_eq!(path("/etc/fstab").parent(), Some(path("/etc")));
        assert_eq!(path("/etc").parent(), Some(path("/")));
        assert_eq!(path("/").parent(), None);
        assert_eq!(path("/etc/fstab").name(), b"fstab");
        assert_eq!(path("/a/b/c").ancestors(), vec![path("/a"), path("/a/b")]);
    }

    #[test]
    fn a_path_is_below_itself_and_what_is_above_it() {
        for (below, above) in [("/var/lib/etcd", "/var"), ("/var", "/var"), ("/var", "/"), ("/", "/")] {
            assert!(path(below).is_below(&path(above)), "{below} {above}");
        }
        for (beside, other) in [("/variety", "/var"), ("/var", "/var/lib"), ("/", "/var")] {
            assert!(!path(beside).is_below(&path(other)), "{beside} {other}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_escaped() {
        assert_eq!(ImagePath::new(b"/a\xff/b").unwrap().to_string(), "/a\\xff/b");
    }
}
