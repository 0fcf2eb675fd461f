//! What the control plane's programs see of the machine. kubeadm runs them in containers, and mounts there what it knows of
//! and what `extraVolumes` say; imgforge has it mount what `files` bring for their options, too, and folders of logs.

use imgforge_spec::{is_absolute_path, is_path_in, plain_path};
use serde_yaml::Value;

use super::{HostPathMount, PathType};
use crate::cluster::{Cluster, Component, Node};

/// Options of a file that a program reads.
pub(crate) const FILES: [&str; 49] = [
    "admission-control-config-file",
    "allow-metric-labels-manifest",
    "audit-policy-file",
    "audit-webhook-config-file",
    "authentication-config",
    "authentication-kubeconfig",
    "authentication-token-webhook-config-file",
    "authorization-config",
    "authorization-kubeconfig",
    "authorization-policy-file",
    "authorization-webhook-config-file",
    "client-ca-file",
    "client-cert-file",
    "client-crl-file",
    "client-key-file",
    "cloud-config",
    "cluster-signing-kube-apiserver-client-cert-file",
    "cluster-signing-kube-apiserver-client-key-file",
    "cluster-signing-kubelet-client-cert-file",
    "cluster-signing-kubelet-client-key-file",
    "cluster-signing-kubelet-serving-cert-file",
    "cluster-signing-kubelet-serving-key-file",
    "cluster-signing-legacy-unknown-cert-file",
    "cluster-signing-legacy-unknown-key-file",
    "config",
    "config-file",
    "egress-selector-config-file",
    "encryption-provider-config",
    "etcd-cafile",
    "etcd-certfile",
    "etcd-keyfile",
    "kubelet-certificate-authority",
    "kubelet-client-certificate",
    "kubelet-client-key",
    "leader-migration-config",
    "oidc-ca-file",
    "peer-ca-file",
    "peer-client-cert-file",
    "peer-client-key-file",
    "peer-crl-file",
    "policy-config-file",
    "proxy-client-cert-file",
    "proxy-client-key-file",
    "requestheader-client-ca-file",
    "service-account-private-key-file",
    "tls-cert-file",
    "tls-private-key-file",
    "token-auth-file",
    "tracing-config-file",
];

/// Of a folder that a program must find again as it left it.
pub(crate) const FOLDERS: [&str; 1] = ["wal-dir"];

/// Of a log.
pub(crate) const LOGS: [&str; 3] = ["audit-log-path", "log-dir", "log-file"];

/// A volume that kubeadm makes: its name, and where it is, on the machine and in the container.
type Own = (&'static str, &'static str);

/// A program as kubeadm runs it.
pub(crate) struct Place {
    /// What passes options on to it.
    pub setting: &'static str,
    options: fn(&Cluster) -> &Component,
    /// The field of its volumes in a ClusterConfiguration; etcd has none.
    pub field: Option<&'static str>,
    pub own: &'static [Own],
}

/// The cluster's authorities, and those of the machine where they lie on Debian.
const AUTHORITIES: [Own; 5] = [
    ("k8s-certs", "/etc/kubernetes/pki"),
    ("ca-certs", "/etc/ssl/certs"),
    ("etc-ca-certificates", "/etc/ca-certificates"),
    ("usr-share-ca-certificates", "/usr/share/ca-certificates"),
    ("usr-local-share-ca-certificates", "/usr/local/share/ca-certificates"),
];

pub(crate) const API_SERVER: Place = Place {
    setting: "api-server",
    options: |cluster| &cluster.api_server,
    field: Some("apiServer"),
    own: &AUTHORITIES,
};

pub(crate) const CONTROLLER_MANAGER: Place = Place {
    setting: "controller-manager",
    options: |cluster| &cluster.controller_manager,
    field: Some("controllerManager"),
    own: &[
        AUTHORITIES[0],
        AUTHORITIES[1],
        AUTHORITIES[2],
        AUTHORITIES[3],
        AUTHORITIES[4],
        ("kubeconfig", "/etc/kubernetes/controller-manager.conf"),
    ],
};

pub(crate) const SCHEDULER: Place = Place {
    setting: "scheduler",
    options: |cluster| &cluster.scheduler,
    field: Some("scheduler"),
    own: &[("kubeconfig", "/etc/kubernetes/scheduler.conf")],
};

const ETCD: Place = Place {
    setting: "etcd",
    options: |cluster| &cluster.etcd,
    field: None,
    own: &[("etcd-certs", "/etc/kubernetes/pki/etcd"), ("etcd-data", "/var/lib/etcd")],
};

pub(crate) const PLACES: [Place; 4] = [API_SERVER, CONTROLLER_MANAGER, SCHEDULER, ETCD];

/// An entry of `extraVolumes`, as far as it holds texts.
pub(crate) struct Volume<'a> {
    pub name: &'a str,
    pub host: &'a str,
    pub path: &'a str,
    pub is_read_only: bool,
}

impl Place {
    /// What the cluster file itself has the program see besides.
    pub fn volumes<'a>(&self, cluster: &'a Cluster) -> Vec<Volume<'a>> {
        let component = self.field.and_then(|field| cluster.kubeadm.0.get(field));
        let entries = component.and_then(|component| component.get("extraVolumes")?.as_sequence());
        let volume = |entry: &'a Value| {
            let text = |field: &str| entry.get(field).and_then(Value::as_str);
            let is_read_only = entry.get("readOnly").and_then(Value::as_bool) == Some(true);
            Some(Volume {
                name: text("name")?,
                host: text("hostPath")?,
                path: text("mountPath")?,
                is_read_only,
            })
        };
        entries.into_iter().flatten().filter_map(volume).collect()
    }

    /// Options in `among` that are passed on to the program, with the paths that they have.
    pub fn paths<'a>(&self, cluster: &'a Cluster, among: &[&str]) -> Vec<(&'a str, String)> {
        let options = &(self.options)(cluster).extra_args;
        let named = options
            .iter()
            .filter(|(name, value)| among.contains(&name.as_str()) && !plain_path(value).is_empty());
        named.map(|(name, value)| (name.as_str(), plain_path(value))).collect()
    }

    /// Whether kubeadm by itself has the program see `path`.
    pub fn has(&self, path: &str) -> bool {
        self.own.iter().any(|(_, own)| is_path_in(path, own))
    }

    /// Whether the program sees `path` of the machine, of a volume, or of a device.
    pub fn sees(&self, cluster: &Cluster, path: &str) -> bool {
        let volumes = self.volumes(cluster);
        let is_added = || self.added(cluster).iter().any(|added| is_path_in(path, &added.mount_path));
        self.has(path) || is_path_in(path, "/dev") || innermost(&volumes, path).is_some() || is_added()
    }

    /// The volumes that imgforge adds: each file that an option names and that `files` put on every master, each folder of a log.
    pub fn added(&self, cluster: &Cluster) -> Vec<HostPathMount> {
        if self.field.is_none() {
            return Vec::new();
        }
        let mount = |option: &str, path: String, path_type: PathType| HostPathMount {
            name: format!("imgforge-{option}"),
            host_path: path.clone(),
            mount_path: path,
            read_only: path_type == PathType::File,
            path_type,
        };
        let files = self.paths(cluster, &FILES).into_iter();
        let files = files.filter(|(_, path)| cluster.masters().all(|node| is_given(cluster, node, path)));
        let files = files.map(|(option, path)| mount(option, path, PathType::File));
        let logs = self.paths(cluster, &LOGS).into_iter().filter_map(|(option, path)| {
            let (folder, _) = path.rsplit_once('/').filter(|(folder, _)| may_hold_logs(folder))?;
            Some(mount(option, folder.to_owned(), PathType::DirectoryOrCreate))
        });
        let volumes = self.volumes(cluster);
        let mut added: Vec<HostPathMount> = Vec::new();
        for new in files.chain(logs) {
            let path = &new.mount_path;
            let is_seen = self.has(path) || innermost(&volumes, path).is_some();
            // Two options may name one file: no pod has two volumes at one place.
            let is_twice = added.iter().any(|other| other.mount_path == *path);
            if is_absolute_path(path) && !is_seen && !is_twice {
                added.push(new);
            }
        }
        added
    }
}

/// Whether `files` put `path` on the node.
pub(crate) fn is_given(cluster: &Cluster, node: &Node, path: &str) -> bool {
    cluster.files.iter().chain(&node.files).any(|file| plain_path(&file.path) == path)
}

/// Whether a folder of the machine may be mounted in a container in the place of its own.
fn may_hold_logs(folder: &str) -> bool {
    let is_deep = folder.matches('/').count() > 1;
    is_deep && !["/dev", "/proc", "/sys", "/usr"].iter().any(|of| is_path_in(folder, of))
}

/// The volume in which a program finds `path`: one may be mounted in another.
pub(crate) fn innermost<'a, 'b>(volumes: &'b [Volume<'a>], path: &str) -> Option<&'b Volume<'a>> {
    let around = volumes.iter().filter(|volume| is_path_in(path, &plain_path(volume.path)));
    around.max_by_key(|volume| plain_path(volume.path).len())
}
