//! References to images, `registry.k8s.io/pause:3.9`, in the full form under which container runtimes know them.
//! <https://github.com/distribution/reference>

use std::{fmt, str::FromStr};

use super::document::Digest;

/// Where images are whose reference names no registry.
const DEFAULT_REGISTRY: &str = "docker.io";
/// The server of that registry.
const DEFAULT_SERVER: &str = "registry-1.docker.io";
/// The folder there of images without one.
const DEFAULT_FOLDER: &str = "library";
const DEFAULT_TAG: &str = "latest";

/// Longer ones are nothing a registry takes.
const MOST_BYTES: usize = 255;
/// Longest tag.
const MOST_TAG: usize = 128;

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reference {
    registry: String,
    repository: String,
    version: Version,
}

/// Which of a repository's images.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    Tag(String),
    Digest(Digest),
}

/// A text that is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no reference to a container image, such as registry.k8s.io/pause:3.9")]
pub struct InvalidReference(String);

impl Reference {
    /// Registry and repository: `registry.k8s.io/pause`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The tag, unless it is pinned by its digest.
    pub(crate) fn tag(&self) -> Option<&str> {
        match &self.version {
            Version::Tag(tag) => Some(tag),
            Version::Digest(_) => None,
        }
    }

    /// The digest, where the reference pins one.
    pub(crate) fn digest(&self) -> Option<&Digest> {
        match &self.version {
            Version::Tag(_) => None,
            Version::Digest(digest) => Some(digest),
        }
    }

    /// The URL of what the reference names: an image, or an index of images.
    pub fn url(&self) -> String {
        match &self.version {
            Version::Tag(tag) => self.manifest_url(tag),
            Version::Digest(digest) => self.manifest_url(digest),
        }
    }

    /// The URL of the manifest called `version` in the same repository.
    pub(crate) fn manifest_url(&self, version: impl fmt::Display) -> String {
        format!("{}/manifests/{version}", self.base())
    }

    /// The URL of a blob of the same repository.
    pub(crate) fn blob_url(&self, digest: &Digest) -> String {
        format!("{}/blobs/{digest}", self.base())
    }

    fn base(&self) -> String {
        let server = if self.registry == DEFAULT_REGISTRY { DEFAULT_SERVER } else { &self.registry };
        format!("https://{server}/v2/{}", self.repository)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        match &self.version {
            Version::Tag(tag) => write!(f, ":{tag}"),
            Version::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    /// Short forms are completed: `busybox` is `docker.io/library/busybox:latest`. Beside a digest, a tag says nothing.
    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        parse(text).ok_or_else(|| InvalidReference(text.chars().take(MOST_BYTES).collect()))
    }
}

fn parse(text: &str) -> Option<Reference> {
    if text.len() > MOST_BYTES {
        return None;
    }
    let (named, digest) = match text.split_once('@') {
        Some((named, digest)) => (named, Some(digest.parse().ok()?)),
        None => (text, None),
    };
    // The first part is a registry only if it could be no folder.
    let (registry, rest) = match named.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => (DEFAULT_REGISTRY, named),
    };
    let (repository, tag) = match rest.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (rest, None),
    };
    let tag = tag.unwrap_or(DEFAULT_TAG);
    if !is_registry(registry) || !repository.split('/').all(is_component) || !is_tag(tag) {
        return None;
    }
    let is_short = registry == DEFAULT_REGISTRY && !repository.contains('/');
    let repository = if is_short { format!("{DEFAULT_FOLDER}/{repository}") } else { repository.to_owned() };
    let version = digest.map_or_else(|| Version::Tag(tag.to_owned()), Version::Digest);
    Some(Reference { registry: registry.to_owned(), repository, version })
}

/// A host name or IPv4 address, and perhaps a port.
fn is_registry(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "443"));
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(is_label) && port.parse::<u16>().is_ok()
}

/// A part of a repository's name: `a-z`, `0-9`, and inner `.`, `_`, `-`.
fn is_component(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends_well = |byte: Option<u8>| byte.is_some_and(is_plain);
    ends_well(text.bytes().next())
        && ends_well(text.bytes().last())
        && text.bytes().all(|byte| is_plain(byte) || b"._-".contains(&byte))
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= MOST_TAG
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || b".-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_completed_as_runtimes_do() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, full) in [
            ("busybox", "docker.io/library/busybox:latest".to_owned()),
            ("calico/node:v3", "docker.io/calico/node:v3".into()),
            ("registry.k8s.io/coredns/coredns:v1.9.3", "registry.k8s.io/coredns/coredns:v1.9.3".into()),
            ("localhost:5000/a", "localhost:5000/a:latest".into()),
            (&format!("quay.io/a/b:v1@{digest}"), format!("quay.io/a/b@{digest}")),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), full);
            assert_eq!(full.parse::<Reference>().unwrap().to_string(), full);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let long = "a".repeat(256);
        for text in [
            "",
            "a b",
            "UPPER/case",
            "a//b",
            "a:",
            "a:-x",
            "../a",
            "a@sha256:12",
            "a@md5:00",
            "x.y:99999/a",
            &long,
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn urls_are_those_of_the_distribution_api() {
        let reference: Reference = "registry.k8s.io/pause:3.9".parse().unwrap();
        assert_eq!(reference.url(), "https://registry.k8s.io/v2/pause/manifests/3.9");
        let digest: Digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
        assert_eq!(reference.blob_url(&digest), format!("https://registry.k8s.io/v2/pause/blobs/{digest}"));
        let docker: Reference = "busybox:1".parse().unwrap();
        assert_eq!(docker.url(), "https://registry-1.docker.io/v2/library/busybox/manifests/1");
    }
}
