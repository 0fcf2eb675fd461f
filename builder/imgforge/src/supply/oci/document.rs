//! What a registry says of an image: index, manifest and configuration, in Docker's words or the OCI's.
//! <https://github.com/opencontainers/image-spec/blob/main/manifest.md>,
//! <https://github.com/distribution/distribution/blob/main/docs/content/spec/manifest-v2-2.md>

use std::{fmt, io, str::FromStr};

use imgforge_debian::Compression;
use imgforge_spec::Sha256;
use serde::{Deserialize, Serialize};

use super::Platform;

/// A larger manifest or configuration is none. Registries need not take more either.
pub(crate) const MOST_BYTES: u64 = 4 << 20;
/// More layers cannot be mounted on each other.
const MOST_LAYERS: usize = 128;

/// The OCI's index of images.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The OCI's manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// What a registry is told we understand (RFC 9110, Accept).
pub(crate) const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// The kinds of configuration that images to be run have.
const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
/// The kinds of layers containerd unpacks.
const LAYERS: [(&str, Compression); 5] = [
    ("application/vnd.oci.image.layer.v1.tar", Compression::None),
    ("application/vnd.oci.image.layer.v1.tar+gzip", Compression::Gzip),
    ("application/vnd.oci.image.layer.v1.tar+zstd", Compression::Zstd),
    ("application/vnd.docker.image.rootfs.diff.tar", Compression::None),
    ("application/vnd.docker.image.rootfs.diff.tar.gzip", Compression::Gzip),
];

/// The SHA-256 of something in a registry, written `sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    sha256: Sha256,
}

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self { sha256: Sha256::of(bytes) }
    }

    /// The SHA-256 itself.
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }
}

impl FromStr for Digest {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let sha256 = text.strip_prefix("sha256:").and_then(|digits| digits.parse().ok());
        let digest = sha256.map(|sha256| Self { sha256 });
        digest.ok_or_else(|| Malformed::Digest(text.chars().take(200).collect()))
    }
}

impl TryFrom<String> for Digest {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.sha256)
    }
}

/// Why bytes are no document of an image that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// No JSON of that shape.
    #[error("it is no document of an image")]
    Json(#[from] serde_json::Error),
    /// The first schema does not name its configuration by digest.
    #[error("it is of schema {0}, which was given up in 2017; only schema 2 can be pinned")]
    Schema(u64),
    /// Neither index nor manifest, or both.
    #[error("it is neither an image nor an index of images")]
    Neither,
    /// A digest that is none.
    #[error("`{0}` is no SHA-256 digest")]
    Digest(String),
    /// An artifact that is no image, or layers that cannot be unpacked.
    #[error("it holds `{0}`, which no container runtime unpacks")]
    Kind(String),
    /// More layers than can be.
    #[error("it has {0} layers; at most {MOST_LAYERS} can be mounted on each other")]
    Layers(usize),
    /// A layer that cannot be unpacked.
    #[error("its layer {digest} cannot be unpacked")]
    Layer {
        /// The layer.
        digest: Digest,
        /// What is wrong.
        source: io::Error,
    },
    /// A document or a sum of sizes without measure.
    #[error("it has {0} bytes, which is absurdly much")]
    Size(u64),
}

/// Something in a registry by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub(crate) media_type: String,
    /// Digest of its bytes.
    pub(crate) digest: Digest,
    /// Their number.
    pub size: u64,
    /// Of an image in an index, what it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<Platform>,
}

impl Descriptor {
    /// How a layer is compressed; `None` if it is no layer that can be unpacked.
    pub(crate) fn compression(&self) -> Option<Compression> {
        LAYERS.iter().find(|(kind, _)| *kind == self.media_type).map(|(_, compression)| *compression)
    }
}

/// An image for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its own kind.
    pub(crate) media_type: String,
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, the lowest first.
    pub layers: Vec<Descriptor>,
}

/// What a reference may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// Images, one a platform.
    Index(Vec<Descriptor>),
    /// One image.
    Manifest(Manifest),
}

/// The members that tell index and manifest apart: the member `mediaType` may be missing, and could lie.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    schema_version: u64,
    media_type: Option<String>,
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
}

impl Document {
    /// Reads the document `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let size = bytes.len() as u64;
        if size > MOST_BYTES {
            return Err(Malformed::Size(size));
        }
        let raw: Raw = serde_json::from_slice(bytes)?;
        if raw.schema_version != 2 {
            return Err(Malformed::Schema(raw.schema_version));
        }
        match (raw.manifests, raw.config, raw.layers) {
            (Some(manifests), None, None) => Ok(Document::Index(manifests)),
            (None, Some(config), Some(layers)) => {
                let media_type = raw.media_type.unwrap_or_else(|| MANIFEST.to_owned());
                Manifest { media_type, config, layers }.checked().map(Document::Manifest)
            }
            _ => Err(Malformed::Neither),
        }
    }
}

impl Manifest {
    fn checked(self) -> Result<Self, Malformed> {
        if self.layers.len() > MOST_LAYERS {
            return Err(Malformed::Layers(self.layers.len()));
        }
        let strange_config = Some(&self.config).filter(|config| !CONFIGS.contains(&&*config.media_type));
        let strange_layer = || self.layers.iter().find(|layer| layer.compression().is_none());
        if let Some(strange) = strange_config.or_else(strange_layer) {
            return Err(Malformed::Kind(strange.media_type.chars().take(200).collect()));
        }
        match self.config.size {
            0..=MOST_BYTES => Ok(self),
            size => Err(Malformed::Size(size)),
        }
    }
}

/// What the configuration `bytes` say the image runs on.
pub(crate) fn platform_of(bytes: &[u8]) -> Result<Platform, Malformed> {
    Ok(serde_json::from_slice(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(kind: &str, size: u64) -> String {
        format!(r#"{{"mediaType":"{kind}","digest":"sha256:{}","size":{size}}}"#, "a".repeat(64))
    }

    fn manifest(config: &str, layer: &str) -> String {
        format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]}}"#)
    }

    #[test]
    fn both_dialects_are_read() {
        for (config, layer) in [(CONFIGS[0], LAYERS[1].0), (CONFIGS[1], LAYERS[4].0)] {
            let text = manifest(&descriptor(config, 7), &descriptor(layer, 9));
            let Document::Manifest(manifest) = Document::decode(text.as_bytes()).unwrap() else {
                panic!("{text}")
            };
            assert_eq!((manifest.media_type.as_str(), manifest.layers[0].size), (MANIFEST, 9));
        }
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, descriptor(MANIFEST, 7));
        assert!(
            matches!(Document::decode(text.as_bytes()), Ok(Document::Index(images)) if images.len() == 1)
        );
    }

    #[test]
    fn what_is_no_image_is_refused_with_the_reason() {
        let config = descriptor(CONFIGS[0], 7);
        let layer = descriptor(LAYERS[0].0, 7);
        let foreign = descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", 7);
        let helm = descriptor("application/vnd.cncf.helm.config.v1+json", 7);
        let many = vec![layer.as_str(); 200].join(",");
        for (text, reason) in [
            ("[".to_owned(), "it is no document of an image"),
            (r#"{"schemaVersion":1}"#.into(), "it is of schema 1"),
            (r#"{"schemaVersion":2}"#.into(), "it is neither an image nor an index"),
            (
                format!(r#"{{"schemaVersion":2,"manifests":[],"config":{config},"layers":[]}}"#),
                "it is neither",
            ),
            (manifest(&config, &foreign), "it holds `application/vnd.docker.image.rootfs.foreign"),
            (manifest(&helm, &layer), "it holds `application/vnd.cncf.helm"),
            (manifest(&config, &many), "it has 200 layers"),
            (manifest(&descriptor(CONFIGS[0], 5 << 20), &layer), "it has 5242880 bytes"),
            (manifest(&config.replace("sha256", "sha512"), &layer), "it is no document of an image"),
        ] {
            let error = Document::decode(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(reason), "{text}: {error}");
        }
    }
}
