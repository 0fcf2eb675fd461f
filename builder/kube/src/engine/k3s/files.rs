//! All that k3s finds on a node. What must lie on the cluster's disk waits in `/etc/imgforge/k3s` until that is there:
//! `docs/first-boot.md`.

use super::{Tokens, config, node_password, registries};
use crate::{
    cluster::Endpoint,
    engine::kubeadm::kubelet_configuration,
    kube_vip,
    member::Member,
    node_files::{Error, NodeFile, Sources},
    pki::{CertifiedKey, Secrets},
    yaml,
};

/// What the first boot takes from the card to k3s' folder.
const FOLDER: &str = "/etc/imgforge/k3s";

/// The files of `member`.
pub(in crate::engine) fn files(member: &Member<'_>, sources: &Sources<'_>) -> Result<Vec<NodeFile>, Error> {
    let document = |path: &str| {
        let path = path.to_owned();
        move |source| Error::Document { path, source }
    };
    let registries =
        registries::files(member.cluster).map_err(document("/etc/rancher/k3s/registries.yaml"))?;
    let mut files: Vec<_> = registries.into_iter().map(|(path, text)| NodeFile::public(path, text)).collect();
    let path = format!("{FOLDER}/kubelet.conf");
    files.push(NodeFile::public(&path, kubelet(member).map_err(document(&path))?));
    let Some(secrets) = sources.secrets else { return Ok(files) };
    files.push(NodeFile::public(format!("{FOLDER}/cluster"), identity(member, secrets)));
    let path = "/etc/rancher/k3s/config.yaml";
    let config = yaml::to_string(&config(member, &Tokens::of(secrets))).map_err(document(path))?;
    files.push(NodeFile::secret(path, format!("# Made by imgforge from the cluster file.\n{config}")));
    let password = node_password(secrets, &member.node.hostname);
    files.push(NodeFile::secret("/etc/rancher/node/password", format!("{}\n", password.reveal())));
    if member.is_master() {
        files.extend(authorities(secrets));
        files.extend(masters(member, secrets)?);
    }
    Ok(files)
}

/// The kubelet's part that is this node's own, as a file of its folder of drop-ins: `kubelet.conf.d`.
fn kubelet(member: &Member<'_>) -> Result<String, serde_yaml::Error> {
    let mut configuration = kubelet_configuration(member)?;
    if let serde_yaml::Value::Mapping(mapping) = &mut configuration {
        mapping.insert("kind".into(), "KubeletConfiguration".into());
    }
    yaml::to_string(&configuration)
}

/// What masters know of each other: where the rest of them are, and an identity by which each can ask and change everything,
/// as kube-vip does too. Who has a master's card has the authority's key anyway.
fn masters(member: &Member<'_>, secrets: &Secrets) -> Result<Vec<NodeFile>, Error> {
    let path = format!("{FOLDER}/masters.kubeconfig");
    let mut files = Vec::new();
    if member.has_other_masters() {
        let others = member.cluster.masters().filter(|other| other.hostname != member.node.hostname);
        let lines = others.filter_map(|other| {
            let host = other.addresses().next()?.address.to_string();
            Some(format!("{}\n", Endpoint { host, port: Endpoint::PORT, is_virtual: false }.authority()))
        });
        files.push(NodeFile::public(format!("{FOLDER}/masters"), lines.collect::<String>()));
    }
    if member.endpoint.is_virtual {
        files.push(NodeFile::public(format!("{FOLDER}/kube-vip.yaml"), kube_vip::pod(member, &path)));
    }
    if !files.is_empty() {
        let kubeconfig = kube_vip::kubeconfig(secrets).to_yaml();
        let kubeconfig = kubeconfig.map_err(|source| Error::Document { path: path.clone(), source })?;
        files.push(NodeFile::secret(path, kubeconfig.reveal()));
    }
    Ok(files)
}

/// Whose the node is, as lines `key=value`: what is compared with the marker beside the data.
fn identity(member: &Member<'_>, secrets: &Secrets) -> String {
    // etcd's members know each other by their addresses.
    let address = member.node.addresses().next().map(|own| format!("address={}\n", own.address));
    format!(
        "cluster={}\nauthority={}\nrelease=1.{}\nnode={}\n{}endpoint={}\n",
        member.cluster.name,
        super::ca_hash(&secrets.ca.certificate),
        member.version().minor,
        member.node.hostname,
        address.unwrap_or_default(),
        member.endpoint.authority(),
    )
}

/// The authorities as k3s takes them where it finds them at its first start: docs.k3s.io, cli/certificate, "Custom CA
/// certificates". One vouches for servers and clients, as kubeadm's does, so that whoever knows it knows the cluster before
/// there is one.
fn authorities(secrets: &Secrets) -> Vec<NodeFile> {
    let all: [(&str, &CertifiedKey); 5] = [
        ("server-ca", &secrets.ca),
        ("client-ca", &secrets.ca),
        ("request-header-ca", &secrets.front_proxy_ca),
        ("etcd/peer-ca", &secrets.etcd_ca),
        ("etcd/server-ca", &secrets.etcd_ca),
    ];
    let pairs = all.into_iter().flat_map(|(name, authority)| {
        [
            NodeFile::public(format!("{FOLDER}/tls/{name}.crt"), &authority.certificate),
            NodeFile::secret(format!("{FOLDER}/tls/{name}.key"), authority.key.reveal()),
        ]
    });
    // The API server looks for public keys in this file, and finds none in a private one of this form (`ParsePublicKeysPEM` of
    // client-go's keyutil): both halves are there.
    let account = &secrets.service_account;
    let both = format!("{}{}", account.key.reveal(), account.public);
    pairs.chain([NodeFile::secret(format!("{FOLDER}/tls/service.key"), both)]).collect()
}
