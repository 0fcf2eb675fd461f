//! All files of a node, by their paths in its image. The first boot's contract with them: `docs/first-boot.md`.

use std::fmt;

use crate::{
    add_ons::{self, Manifest, Manifests},
    cluster::{Backups, Family, Role, Runtime},
    containerd, docker, kube_vip, kubeadm,
    member::Member,
    patches,
    pki::{self, Secrets},
    proxy, registries,
    version::Version,
};

/// The folder whose content the first boot copies to `/etc/kubernetes` before each of kubeadm's attempts.
const KUBERNETES: &str = "/etc/imgforge/kubeadm/kubernetes";

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
    fn public(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self { path: path.into(), mode: 0o644, content: content.into(), secret: false }
    }

    fn secret(path: impl Into<String>, content: impl Into<String>) -> Self {
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

/// The files of `member`, sorted by path.
pub fn node_files(member: &Member<'_>, sources: &Sources<'_>) -> Result<Vec<NodeFile>, Error> {
    let mut files = extra_files(member);
    if member.node.role != Role::Base {
        files.extend(forwarding(member));
        files.extend(proxy::drop_ins(member).into_iter().map(|(path, text)| NodeFile::public(path, text)));
        if member.runtime() == Runtime::Containerd {
            let registries = registries::files(member.cluster).into_iter();
            files.extend(registries.map(|(path, text)| NodeFile::public(path, text)));
        }
        files.extend(runtime(member, sources.containerd)?);
        files.extend(patch_files(member)?);
        files.extend(backups(member));
        if let Some(secrets) = sources.secrets {
            files.extend(documents(member, secrets)?);
            files.extend(shared_secrets(member, secrets)?);
        }
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

/// Files from the cluster file. A wrong mode was told by [`crate::check`]; here it becomes the strictest.
fn extra_files(member: &Member<'_>) -> Vec<NodeFile> {
    let file = |file: &crate::cluster::ExtraFile| NodeFile {
        mode: file.permissions().unwrap_or(0o600),
        ..NodeFile::public(&file.path, &file.content)
    };
    member.node.files.iter().map(file).collect()
}

/// The node routes between pods of IPv6, too; kubeadm looks whether it does. Only where it has to: a node that forwards
/// listens to routers in another way.
fn forwarding(member: &Member<'_>) -> Option<NodeFile> {
    let setting = "# Made by imgforge: pods have addresses of IPv6.\nnet.ipv6.conf.all.forwarding = 1\n";
    let pods = &member.cluster.networking.pod_subnet;
    pods.of(Family::V6).map(|_| NodeFile::public("/etc/sysctl.d/90-imgforge-ipv6.conf", setting))
}

/// What the runtime and its client for people are told. Docker's containerd is out of the kubelet's sight.
fn runtime(member: &Member<'_>, containerd: containerd::Runtime<'_>) -> Result<[NodeFile; 2], Error> {
    let (version, series, pause) = (member.version(), containerd.series, &member.pause_image);
    let settings = match member.runtime() {
        Runtime::Containerd if !series.suits(version) => {
            return Err(Error::Runtime { hostname: member.node.hostname.clone(), version, series });
        }
        Runtime::Containerd => {
            let has_registries = !member.cluster.registries.is_empty();
            NodeFile::public(containerd::PATH, containerd::config(containerd, pause, has_registries))
        }
        Runtime::Docker => NodeFile::public(docker::PATH, docker::settings(pause)),
    };
    let endpoint = format!("runtime-endpoint: {}\n", member.runtime().socket());
    Ok([settings, NodeFile::public("/etc/crictl.yaml", endpoint)])
}

/// How often the master takes a snapshot of etcd (in seconds), and how many it keeps.
fn backups(member: &Member<'_>) -> Option<NodeFile> {
    let Backups { keep, every } = member.cluster.backups_of(member.node)?;
    Some(NodeFile::public("/etc/imgforge/backups", format!("keep={keep}\nevery={}\n", every.0)))
}

fn patch_files(member: &Member<'_>) -> Result<Vec<NodeFile>, Error> {
    let folder = format!("{KUBERNETES}/patches");
    let patches =
        patches::patches(member).map_err(|source| Error::Document { path: folder.clone(), source })?;
    let file = |patch: patches::Patch| NodeFile::public(format!("{folder}/{}", patch.name), patch.content);
    let arguments = kubeadm::arguments(member);
    let arguments = (!arguments.is_empty())
        .then(|| NodeFile::public("/etc/imgforge/kubeadm/arguments", format!("{}\n", arguments.join("\n"))));
    Ok(patches.into_iter().map(file).chain(arguments).collect())
}

/// kubeadm's configuration. Every master has what `kubeadm init` makes its files from, of several each also what it joins
/// the others with; which one is used when is the first boot's to decide.
fn documents(member: &Member<'_>, secrets: &Secrets) -> Result<Vec<NodeFile>, Error> {
    let token = secrets.bootstrap_token.reveal();
    let mut documents = Vec::new();
    if member.is_master() {
        let name = if member.is_first_master() { "init.yaml" } else { "member.yaml" };
        documents.push((name, kubeadm::init(member, token)));
    }
    if !member.is_first_master() || member.has_other_masters() {
        documents.push(("join.yaml", kubeadm::join(member, token, &secrets.ca_pin()?)));
    }
    if member.has_other_masters() {
        documents.push(("rejoin.yaml", kubeadm::rejoin(member)));
    }
    let file = |(name, documents): (&str, Vec<_>)| {
        let path = format!("/etc/imgforge/kubeadm/{name}");
        match kubeadm::render(&documents, member.cluster) {
            Ok(text) => Ok(NodeFile::secret(path, text)),
            Err(source) => Err(Error::Document { path, source }),
        }
    };
    documents.into_iter().map(file).collect()
}

/// What masters share. A worker gets none of it, not even the authority's certificate: kubeadm refuses to join where
/// that lies already, and takes it from the cluster after checking its hash.
fn shared_secrets(member: &Member<'_>, secrets: &Secrets) -> Result<Vec<NodeFile>, Error> {
    if !member.is_master() {
        return Ok(Vec::new());
    }
    let mut files = certificates(secrets);
    if member.endpoint.is_virtual {
        let path = format!("{KUBERNETES}/kube-vip.conf");
        let kubeconfig = kube_vip::kubeconfig(secrets).to_yaml();
        let kubeconfig = kubeconfig.map_err(|source| Error::Document { path: path.clone(), source })?;
        files.push(NodeFile::secret(path, kubeconfig.reveal()));
        files.push(NodeFile::public(format!("{KUBERNETES}/manifests/kube-vip.yaml"), kube_vip::pod(member)));
    }
    Ok(files)
}

/// kubeadm's own names: <https://kubernetes.io/docs/setup/best-practices/certificates/>.
fn certificates(secrets: &Secrets) -> Vec<NodeFile> {
    let authorities =
        [("ca", &secrets.ca), ("front-proxy-ca", &secrets.front_proxy_ca), ("etcd/ca", &secrets.etcd_ca)];
    let pairs = authorities.into_iter().flat_map(|(name, authority)| {
        [
            NodeFile::public(format!("{KUBERNETES}/pki/{name}.crt"), &authority.certificate),
            NodeFile::secret(format!("{KUBERNETES}/pki/{name}.key"), authority.key.reveal()),
        ]
    });
    let account = &secrets.service_account;
    pairs
        .chain([
            NodeFile::secret(format!("{KUBERNETES}/pki/sa.key"), account.key.reveal()),
            NodeFile::public(format!("{KUBERNETES}/pki/sa.pub"), &account.public),
        ])
        .collect()
}
