//! All files that make a node a member of its cluster, by their paths in its image. The first boot's contract with them: `docs/first-boot.md`.

use std::fmt;

use crate::{
    add_ons::{self, Manifest, Manifests},
    cluster::{Family, Role},
    containerd,
    kubeadm::kubelet_configuration,
    member::Member,
    pki::{self, Secrets},
    proxy,
    version::Version,
};

/// A file of a node.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeFile {
    /// Absolute path on the node.
    pub path: String,
    /// Permissions.
    pub mode: u32,
    /// What is in it.
    pub content: String,
    /// Whether it must not be seen: an image with such a file is for its owner only.
    pub secret: bool,
}

impl fmt::Debug for NodeFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = if self.secret { "(secret)" } else { &self.content };
        write!(f, "{} {:04o} {content:?}", self.path, self.mode)
    }
}

impl NodeFile {
    pub(crate) fn public(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self { path: path.into(), mode: 0o644, content: content.into(), secret: false }
    }

    pub(crate) fn secret(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self { path: path.into(), mode: 0o600, content: content.into(), secret: true }
    }
}

/// What a node's files are made from besides the cluster file.
pub struct Sources<'a> {
    /// The cluster's secrets. Without them the node gets all that is no secret, and cannot join.
    pub secrets: Option<&'a Secrets>,
    /// The containerd on the node.
    pub containerd: containerd::Runtime<'a>,
    /// The add-ons' manifests that are known.
    pub manifests: &'a Manifests,
    /// The bytes of a pinned manifest.
    pub manifest: &'a dyn Fn(&Manifest) -> Option<Vec<u8>>,
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("containerd", &self.containerd).finish_non_exhaustive()
    }
}

/// Why a node's files cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The secrets are unusable.
    #[error(transparent)]
    Secrets(#[from] pki::Error),
    /// An add-on's manifest is missing or not the pinned one.
    #[error(transparent)]
    AddOn(#[from] add_ons::Error),
    /// The node's kubelet and its containerd do not understand each other.
    #[error(
        "{hostname}: Kubernetes {version} does not work with containerd {series}; choose packages of the other series"
    )]
    Runtime {
        /// The node.
        hostname: String,
        /// Its release of Kubernetes.
        version: Version,
        /// Its series of containerd.
        series: containerd::Series,
    },
    /// A document could not be written.
    #[error("cannot write {path}")]
    Document {
        /// Where it would go.
        path: String,
        /// Why.
        source: serde_yaml::Error,
    },
}

/// The files of `member`, sorted by path; those that the cluster file itself brings are not among them.
pub fn node_files(member: &Member<'_>, sources: &Sources<'_>) -> Result<Vec<NodeFile>, Error> {
    let mut files = Vec::new();
    if member.node.role != Role::Base {
        files.extend(forwarding(member));
        files.extend(kernel_defaults(member)?);
        files.extend(proxy::drop_ins(member).into_iter().map(|(path, text)| NodeFile::public(path, text)));
        files.extend(member.cluster.engine.files(member, sources)?);
        if member.is_first_master() {
            let add_ons = add_ons::add_ons(member.cluster, sources.manifests, sources.manifest)?;
            files.extend(
                add_ons
                    .into_iter()
                    .map(|a| NodeFile::public(format!("{}/{}", add_ons::FOLDER, a.name), a.content)),
            );
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The node routes between pods of IPv6, too; kubeadm looks whether it does. Only where it has to: a node that forwards
/// listens to routers in another way.
fn forwarding(member: &Member<'_>) -> Option<NodeFile> {
    let setting = "# Made by imgforge: pods have addresses of IPv6.\nnet.ipv6.conf.all.forwarding = 1\n";
    let pods = &member.cluster.networking.pod_subnet;
    pods.of(Family::V6).map(|_| NodeFile::public("/etc/sysctl.d/90-imgforge-ipv6.conf", setting))
}

/// What a kubelet makes of the kernel, and with `protectKernelDefaults` wants to find: settings of sysctl(8).
/// <https://pkg.go.dev/k8s.io/component-helpers/node/util/sysctl>
pub const KERNEL_DEFAULTS: [(&str, &str); 6] = [
    ("kernel.keys.root_maxbytes", "25000000"),
    ("kernel.keys.root_maxkeys", "1000000"),
    ("kernel.panic", "10"),
    ("kernel.panic_on_oops", "1"),
    ("vm.overcommit_memory", "1"),
    ("vm.panic_on_oom", "0"),
];

/// The file that sets it.
pub const KERNEL_DEFAULTS_FILE: &str = "/etc/sysctl.d/90-imgforge-kubelet.conf";

fn kernel_defaults(member: &Member<'_>) -> Result<Option<NodeFile>, Error> {
    let configuration = kubelet_configuration(member)
        .map_err(|source| Error::Document { path: KERNEL_DEFAULTS_FILE.into(), source })?;
    let is_protected = configuration.get("protectKernelDefaults").and_then(serde_yaml::Value::as_bool);
    if is_protected != Some(true) {
        return Ok(None);
    }
    let settings = KERNEL_DEFAULTS.map(|(name, value)| format!("{name} = {value}\n"));
    let first = "# Made by imgforge from `protectKernelDefaults`: what the kubelet would set.\n";
    Ok(Some(NodeFile::public(KERNEL_DEFAULTS_FILE, format!("{first}{}", settings.concat()))))
}
