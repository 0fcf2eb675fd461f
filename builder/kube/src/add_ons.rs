//! What runs in the cluster from the start: manifests of others, pinned by their hash, and small ones of our own.

mod flannel;
mod lan_dns;
mod metallb;
pub mod monitoring;

use std::collections::BTreeMap;

use imgforge_spec::Sha256;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    cluster::{Cluster, NetworkPlugin},
    version::Version,
};

/// A manifest as its project publishes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// Name of the add-on; the file's name without `.yaml`.
    pub name: String,
    /// Its release.
    pub version: String,
    /// Where the manifest is.
    pub url: String,
    /// SHA-256 of the manifest, in hexadecimal digits.
    pub sha256: Sha256,
    /// Whether its images exist for 32-bit Arm too.
    #[serde(default)]
    pub runs_on_32_bit: bool,
}

/// The manifests that are known, by the add-on's name.
pub type Manifests = BTreeMap<String, Manifest>;

/// <https://github.com/flannel-io/flannel>
const FLANNEL: &str = "flannel";
/// <https://github.com/projectcalico/calico>. Takes the pods' network from kubeadm's configuration.
const CALICO: &str = "calico";
/// <https://github.com/metallb/metallb>
const METALLB: &str = "metallb";

/// Why an add-on cannot be put in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The manifest was not given.
    #[error("the manifest of {name} {version} is not at hand; fetch {url}")]
    Missing {
        /// The add-on.
        name: String,
        /// Its release.
        version: String,
        /// Where it is.
        url: String,
    },
    /// Nothing is known of the add-on.
    #[error("nothing is known of the add-on {name}; write add-ons/{name}.yaml beside the board profiles")]
    Unknown {
        /// The add-on.
        name: &'static str,
    },
    /// The manifest is not the pinned one.
    #[error(
        "the manifest of {name} has the hash {found}, not {expected}: it was changed since it was pinned; do not use it"
    )]
    Changed {
        /// The add-on.
        name: String,
        /// The pinned hash.
        expected: Sha256,
        /// The hash of what was given.
        found: Sha256,
    },
    /// The place of a setting is not in the manifest.
    #[error(
        "the manifest of {name} {version} does not have `{setting}` exactly once; this release is not supported"
    )]
    Unfamiliar {
        /// The add-on.
        name: String,
        /// Its release.
        version: String,
        /// What was looked for.
        setting: &'static str,
    },
    /// It is not known which image of CoreDNS goes with the release.
    #[error(
        "the tag of CoreDNS' image for Kubernetes {version} is not known; give `images: {{ coredns: … }}`"
    )]
    UnknownImage {
        /// The release.
        version: Version,
    },
    /// A manifest of our own could not be written.
    #[error("cannot write the manifest {name}: {reason}")]
    Write {
        /// The manifest.
        name: &'static str,
        /// Why.
        reason: String,
    },
}

/// A manifest as it goes into the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddOn {
    /// File name; the names' order is the order in which they are applied.
    pub name: String,
    /// The manifest.
    pub content: String,
}

impl Manifest {
    /// The text of the manifest, if `bytes` are the pinned ones.
    pub fn checked(&self, bytes: &[u8]) -> Result<String, Error> {
        let found = Sha256::of(bytes);
        let text = String::from_utf8(bytes.to_vec()).ok().filter(|_| found == self.sha256);
        let (name, expected) = (self.name.clone(), self.sha256);
        text.ok_or(Error::Changed { name, expected, found })
    }
}

/// The folder on the first master whose manifests are applied.
pub const FOLDER: &str = "/etc/imgforge/addons";

/// The file of the manifest of `name` that has this `index` in [`needed`], below [`FOLDER`].
pub fn file_name(index: usize, name: &str) -> String {
    format!("{index}0-{name}.yaml")
}

/// The file of the user's manifest number `index`, called `name`: behind all add-ons of ours.
pub fn own_file_name(index: usize, name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    format!("own-{index:03}-{}.yaml", name.chars().map(plain).collect::<String>())
}

/// The add-ons of `cluster` whose manifests are to be fetched before a build, by name.
pub fn needed(cluster: &Cluster) -> Vec<&'static str> {
    let network = match cluster.add_ons.network {
        NetworkPlugin::Flannel if cluster.engine.has_network() => None,
        NetworkPlugin::Flannel => Some(FLANNEL),
        NetworkPlugin::Calico => Some(CALICO),
        NetworkPlugin::None => None,
    };
    network.into_iter().chain(cluster.add_ons.load_balancer.as_ref().map(|_| METALLB)).collect()
}

/// The manifests for the first master of `cluster`, with the cluster's settings. `fetched` gives the bytes of a
/// pinned one.
pub fn add_ons(
    cluster: &Cluster,
    manifests: &Manifests,
    fetched: &dyn Fn(&Manifest) -> Option<Vec<u8>>,
) -> Result<Vec<AddOn>, Error> {
    let mut add_ons = Vec::new();
    for (index, name) in needed(cluster).into_iter().enumerate() {
        let manifest = manifests.get(name).ok_or(Error::Unknown { name })?;
        let Manifest { name, version, url, .. } = manifest.clone();
        let bytes = fetched(manifest).ok_or(Error::Missing { name, version, url })?;
        let text = manifest.checked(&bytes)?;
        let content = match manifest.name.as_str() {
            FLANNEL => flannel::adapted(manifest, &text, cluster)?,
            METALLB => metallb::adapted(manifest, &text, cluster)?,
            _ => text,
        };
        add_ons.push(AddOn { name: file_name(index, &manifest.name), content });
    }
    if let Some(balancer) = &cluster.add_ons.load_balancer {
        add_ons
            .push(AddOn { name: metallb::FILE.into(), content: metallb::address_pool(&balancer.addresses)? });
    }
    if let Some(settings) = &cluster.add_ons.lan_dns {
        add_ons.push(AddOn { name: lan_dns::FILE.into(), content: lan_dns::manifest(cluster, settings)? });
    }
    if let Some(settings) = &cluster.add_ons.monitoring {
        let content = monitoring::manifest(cluster, settings)?;
        add_ons.push(AddOn { name: monitoring::FILE.into(), content });
    }
    Ok(add_ons)
}

/// The one place of `setting` in `text`, as what stands before and after it.
fn once<'a>(manifest: &Manifest, text: &'a str, setting: &'static str) -> Result<(&'a str, &'a str), Error> {
    match text.split_once(setting) {
        Some((before, after)) if !after.contains(setting) => Ok((before, after)),
        _ => {
            let (name, version) = (manifest.name.clone(), manifest.version.clone());
            Err(Error::Unfamiliar { name, version, setting })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(text: &str) -> Cluster {
        serde_yaml::from_str(text).unwrap()
    }

    fn flannel() -> Manifest {
        let sum = Sha256::of(b"");
        let text =
            format!("{{ name: flannel, version: v1, url: https://flannel.example/v1.yml, sha256: {sum} }}");
        serde_yaml::from_str(&text).unwrap()
    }

    #[test]
    fn manifests_are_the_pinned_ones_or_nothing() {
        let manifest = Manifest { sha256: Sha256::of(b"abc"), ..flannel() };
        assert_eq!(manifest.checked(b"abc").unwrap(), "abc");
        assert!(matches!(manifest.checked(b"abd"), Err(Error::Changed { .. })));
    }

    #[test]
    fn a_manifest_that_is_not_known_or_not_at_hand_is_named() {
        let error = |manifests| add_ons(&cluster("{}"), &manifests, &|_| None).unwrap_err().to_string();
        assert_eq!(
            error(Manifests::new()),
            "nothing is known of the add-on flannel; write add-ons/flannel.yaml beside the board profiles"
        );
        assert_eq!(
            error(Manifests::from([("flannel".into(), flannel())])),
            "the manifest of flannel v1 is not at hand; fetch https://flannel.example/v1.yml"
        );
    }
}
