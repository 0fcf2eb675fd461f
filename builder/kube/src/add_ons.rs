//! What runs in the cluster from the start: manifests of others, pinned by their hash, and small ones of our own.

mod lan_dns;
mod metallb;

use sha2::{Digest, Sha256};

use crate::{
    cluster::{Cluster, NetworkPlugin},
    text::hex,
    version::Version,
};

/// A manifest as its project publishes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manifest {
    /// Name of the add-on.
    pub name: &'static str,
    /// Its release.
    pub version: &'static str,
    /// Where the manifest is.
    pub url: &'static str,
    /// SHA-256 of the manifest, in hexadecimal digits.
    pub sha256: &'static str,
    /// Whether its images exist for 32-bit Arm too.
    pub runs_on_32_bit: bool,
}

/// <https://github.com/flannel-io/flannel>
pub const FLANNEL: Manifest = Manifest {
    name: "flannel",
    version: "v0.28.9",
    url: "https://raw.githubusercontent.com/flannel-io/flannel/v0.28.9/Documentation/kube-flannel.yml",
    sha256: "e875824be2f552b45711dbda91af81b17eb961d00025d914d9fef18fad8f09c0",
    runs_on_32_bit: true,
};

/// <https://github.com/projectcalico/calico>. Takes the pods' network from kubeadm's configuration.
pub const CALICO: Manifest = Manifest {
    name: "calico",
    version: "v3.32.1",
    url: "https://raw.githubusercontent.com/projectcalico/calico/v3.32.1/manifests/calico.yaml",
    sha256: "a1df919d9721cf667accdc3e72848911b0cb25cfab7d2478ad0c996302c95744",
    runs_on_32_bit: false,
};

/// <https://github.com/metallb/metallb>
pub const METALLB: Manifest = Manifest {
    name: "metallb",
    version: "v0.16.1",
    url: "https://raw.githubusercontent.com/metallb/metallb/v0.16.1/config/manifests/metallb-native.yaml",
    sha256: "bf25feebb7582ca7df845efd52ffbc2960d6cbf4cfc972f47fded9f788b67f0b",
    runs_on_32_bit: true,
};

/// Why an add-on cannot be put in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The manifest was not given.
    #[error("the manifest of {name} {version} is not at hand; fetch {url}")]
    Missing {
        /// The add-on.
        name: &'static str,
        /// Its release.
        version: &'static str,
        /// Where it is.
        url: &'static str,
    },
    /// The manifest is not the pinned one.
    #[error(
        "the manifest of {name} has the hash {found}, not {expected}: it was changed since it was pinned; do not use it"
    )]
    Changed {
        /// The add-on.
        name: &'static str,
        /// The pinned hash.
        expected: &'static str,
        /// The hash of what was given.
        found: String,
    },
    /// The place of a setting is not in the manifest.
    #[error(
        "the manifest of {name} {version} does not have `{setting}` exactly once; this release is not supported"
    )]
    Unfamiliar {
        /// The add-on.
        name: &'static str,
        /// Its release.
        version: &'static str,
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
        let found = hex(&Sha256::digest(bytes));
        let text = String::from_utf8(bytes.to_vec()).ok().filter(|_| found == self.sha256);
        text.ok_or(Error::Changed { name: self.name, expected: self.sha256, found })
    }
}

/// The folder on the first master whose manifests are applied.
pub const FOLDER: &str = "/etc/imgforge/addons";

/// The file of the pinned manifest that has this `index` in [`pinned`], below [`FOLDER`].
pub fn file_name(index: usize, manifest: &Manifest) -> String {
    format!("{index}0-{}.yaml", manifest.name)
}

/// The manifests that `cluster` needs, to be fetched before a build.
pub fn pinned(cluster: &Cluster) -> Vec<&'static Manifest> {
    let network = match cluster.add_ons.network {
        NetworkPlugin::Flannel => Some(&FLANNEL),
        NetworkPlugin::Calico => Some(&CALICO),
        NetworkPlugin::None => None,
    };
    network.into_iter().chain(cluster.add_ons.load_balancer.as_ref().map(|_| &METALLB)).collect()
}

/// The manifests for the first master of `cluster`, with the cluster's settings. `fetched` gives the bytes of a
/// pinned one.
pub fn add_ons(
    cluster: &Cluster,
    fetched: &dyn Fn(&Manifest) -> Option<Vec<u8>>,
) -> Result<Vec<AddOn>, Error> {
    let mut add_ons = Vec::new();
    for (index, manifest) in pinned(cluster).into_iter().enumerate() {
        let Manifest { name, version, url, .. } = *manifest;
        let bytes = fetched(manifest).ok_or(Error::Missing { name, version, url })?;
        let text = manifest.checked(&bytes)?;
        let content = if *manifest == FLANNEL { with_pod_network(manifest, &text, cluster)? } else { text };
        add_ons.push(AddOn { name: file_name(index, manifest), content });
    }
    if let Some(balancer) = &cluster.add_ons.load_balancer {
        add_ons
            .push(AddOn { name: metallb::FILE.into(), content: metallb::address_pool(&balancer.addresses)? });
    }
    if let Some(settings) = &cluster.add_ons.lan_dns {
        add_ons.push(AddOn { name: lan_dns::FILE.into(), content: lan_dns::manifest(cluster, settings)? });
    }
    Ok(add_ons)
}

/// Flannel has the pods' network in its own configuration.
fn with_pod_network(manifest: &Manifest, text: &str, cluster: &Cluster) -> Result<String, Error> {
    const SETTING: &str = r#""Network": "10.244.0.0/16""#;
    match text.split_once(SETTING) {
        Some((before, after)) if !after.contains(SETTING) => {
            Ok(format!(r#"{before}"Network": "{}"{after}"#, cluster.networking.pod_subnet))
        }
        _ => Err(Error::Unfamiliar { name: manifest.name, version: manifest.version, setting: SETTING }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(text: &str) -> Cluster {
        serde_yaml::from_str(text).unwrap()
    }

    #[test]
    fn flannel_gets_the_clusters_pod_network() {
        let cluster = cluster("networking: { pod-subnet: 172.20.0.0/16 }");
        let text = "  net-conf.json: |\n    {\n      \"Network\": \"10.244.0.0/16\",\n";
        let adapted = with_pod_network(&FLANNEL, text, &cluster).unwrap();
        assert_eq!(adapted, "  net-conf.json: |\n    {\n      \"Network\": \"172.20.0.0/16\",\n");
        let twice = [text, text].concat();
        for strange in ["", &twice] {
            let error = with_pod_network(&FLANNEL, strange, &cluster).unwrap_err();
            assert!(matches!(error, Error::Unfamiliar { name: "flannel", .. }));
        }
    }

    #[test]
    fn manifests_are_the_pinned_ones_or_nothing() {
        const SHA256_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let manifest = Manifest { sha256: SHA256_OF_ABC, ..FLANNEL };
        assert_eq!(manifest.checked(b"abc").unwrap(), "abc");
        assert!(matches!(manifest.checked(b"abd"), Err(Error::Changed { .. })));
    }

    #[test]
    fn a_manifest_that_is_not_at_hand_is_named_with_its_address() {
        let message = add_ons(&cluster("{}"), &|_| None).unwrap_err().to_string();
        assert!(
            message.starts_with("the manifest of flannel v0.28.9 is not at hand; fetch https://"),
            "{message}"
        );
    }
}
