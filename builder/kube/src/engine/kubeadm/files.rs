//! All that kubeadm and its kubelet find on a node. The first boot's contract with them: `docs/first-boot.md`.

use crate::{
    cluster::{Backups, Runtime},
    containerd, docker, kube_vip, kubeadm,
    member::Member,
    node_files::{Error, NodeFile, Sources},
    patches,
    pki::Secrets,
    registries,
};

/// The folder whose content the first boot copies to `/etc/kubernetes` before each of kubeadm's attempts.
const KUBERNETES: &str = "/etc/imgforge/kubeadm/kubernetes";

/// The files of `member` that are kubeadm's, its kubelet's and its container runtime's.
pub(in crate::engine) fn files(member: &Member<'_>, sources: &Sources<'_>) -> Result<Vec<NodeFile>, Error> {
    let mut files = Vec::new();
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
    Ok(files)
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
        files.push(NodeFile::public(
            format!("{KUBERNETES}/manifests/kube-vip.yaml"),
            kube_vip::pod(member, "/etc/kubernetes/kube-vip.conf"),
        ));
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
