//! Files of the control plane's programs. kubeadm runs these in containers, which see what it mounts there, and what
//! `extraVolumes` say: a program that does not find a file of its options ends, again and again.

use imgforge_spec::{is_absolute_path, is_dns_name, is_path_in, plain_path};
use serde_yaml::Value;

use super::{Context, Found, Rule, extra_args::programs, options::is_among};
use crate::{
    cluster::{Cluster, Node},
    engine::Engine,
};

pub const RULES: &[Rule] = &[
    Rule::error(
        "control-plane-volumes",
        "volumes of the control plane are ones that a pod can have",
        volumes,
    ),
    Rule::error("option-file", "what options name is there where the program runs", option_file),
    Rule::notice("option-file-absent", "what options name is on the masters' cards", absent),
    Rule::notice("log-in-container", "logs outlast the container that writes them", log_in_container),
];

/// A volume that kubeadm makes: its name, and where it is, on the machine and in the container.
type Own = (&'static str, &'static str);

/// A program as kubeadm runs it, by its setting.
struct Place {
    setting: &'static str,
    /// The field of its volumes in a ClusterConfiguration; etcd has none.
    field: Option<&'static str>,
    own: &'static [Own],
}

/// The cluster's authorities, and those of the machine where they lie on Debian.
const AUTHORITIES: [Own; 5] = [
    ("k8s-certs", "/etc/kubernetes/pki"),
    ("ca-certs", "/etc/ssl/certs"),
    ("etc-ca-certificates", "/etc/ca-certificates"),
    ("usr-share-ca-certificates", "/usr/share/ca-certificates"),
    ("usr-local-share-ca-certificates", "/usr/local/share/ca-certificates"),
];

const PLACES: [Place; 4] = [
    Place { setting: "api-server", field: Some("apiServer"), own: &AUTHORITIES },
    Place {
        setting: "controller-manager",
        field: Some("controllerManager"),
        own: &[
            AUTHORITIES[0],
            AUTHORITIES[1],
            AUTHORITIES[2],
            AUTHORITIES[3],
            AUTHORITIES[4],
            ("kubeconfig", "/etc/kubernetes/controller-manager.conf"),
        ],
    },
    Place {
        setting: "scheduler",
        field: Some("scheduler"),
        own: &[("kubeconfig", "/etc/kubernetes/scheduler.conf")],
    },
    Place {
        setting: "etcd",
        field: None,
        own: &[("etcd-certs", "/etc/kubernetes/pki/etcd"), ("etcd-data", "/var/lib/etcd")],
    },
];

/// Options of a file that the program reads, of any of them.
const FILES: &str = "
    admission-control-config-file audit-policy-file audit-webhook-config-file authentication-config
    authentication-kubeconfig authentication-token-webhook-config-file authorization-config
    authorization-kubeconfig authorization-policy-file authorization-webhook-config-file client-ca-file
    client-crl-file cluster-signing-kube-apiserver-client-cert-file
    cluster-signing-kube-apiserver-client-key-file cluster-signing-kubelet-client-cert-file
    cluster-signing-kubelet-client-key-file cluster-signing-kubelet-serving-cert-file
    cluster-signing-kubelet-serving-key-file cluster-signing-legacy-unknown-cert-file
    cluster-signing-legacy-unknown-key-file config config-file egress-selector-config-file
    encryption-provider-config etcd-cafile etcd-certfile etcd-keyfile kubelet-certificate-authority
    kubelet-client-certificate kubelet-client-key leader-migration-config token-auth-file
    allow-metric-labels-manifest cloud-config client-cert-file client-key-file peer-client-cert-file
    peer-client-key-file oidc-ca-file peer-ca-file
    peer-crl-file policy-config-file proxy-client-cert-file proxy-client-key-file
    requestheader-client-ca-file service-account-private-key-file tls-cert-file tls-private-key-file
    tracing-config-file";

/// Of a folder that the program must find again as it left it.
const FOLDERS: &str = "wal-dir";

/// Of a log.
const LOGS: &str = "audit-log-path log-dir log-file";

/// Where a file may lie that has no place of its own.
const OWN_FOLDER: &str = "/etc/control-plane";

/// An entry of `extraVolumes`, as far as it holds texts.
struct Volume<'a> {
    name: &'a str,
    host: &'a str,
    path: &'a str,
    is_read_only: bool,
}

impl Place {
    /// What the cluster file has the program see besides.
    fn volumes<'a>(&self, cluster: &'a Cluster) -> Vec<Volume<'a>> {
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
    fn paths<'a>(&self, cluster: &'a Cluster, among: &str) -> Vec<(&'a str, String)> {
        let component = programs(cluster).into_iter().find(|(setting, ..)| *setting == self.setting);
        let options = component.into_iter().flat_map(|(_, _, component, _)| &component.extra_args);
        let named = options.filter(|(name, value)| is_among(name, among) && !plain_path(value).is_empty());
        named.map(|(name, value)| (name.as_str(), plain_path(value))).collect()
    }

    /// Whether kubeadm itself has the program see `path`.
    fn has(&self, path: &str) -> bool {
        self.own.iter().any(|(_, own)| is_path_in(path, own))
    }

    /// Whether the program sees `path` of the machine, of a volume, or of a device.
    fn sees(&self, cluster: &Cluster, path: &str) -> bool {
        let volumes = self.volumes(cluster);
        self.has(path) || is_path_in(path, "/dev") || innermost(&volumes, path).is_some()
    }

    fn setting(&self, option: &str) -> String {
        format!("{}.extra-args.{option}", self.setting)
    }
}

/// The volume in which a program finds `path`: one may be mounted in another.
fn innermost<'a, 'b>(volumes: &'b [Volume<'a>], path: &str) -> Option<&'b Volume<'a>> {
    let around = volumes.iter().filter(|volume| is_path_in(path, &plain_path(volume.path)));
    around.max_by_key(|volume| plain_path(volume.path).len())
}

/// The places where kubeadm runs the control plane; k3s runs all of it in its own process.
fn places(cluster: &Cluster) -> impl Iterator<Item = &'static Place> + use<> {
    let of_kubeadm = cluster.engine == Engine::Kubeadm;
    PLACES.iter().filter(move |_| of_kubeadm)
}

fn volumes(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for place in places(context.cluster) {
        let Some(field) = place.field else { continue };
        let volumes = place.volumes(context.cluster);
        for (index, volume) in volumes.iter().enumerate() {
            let earlier = volumes.get(..index).unwrap_or_default();
            if let Some((message, suggestion)) = flaw(place, volume, earlier) {
                let setting = format!("kubeadm.{field}");
                let message = format!("volume `{}` {message}", volume.name.escape_debug());
                found.push(Found::new(setting, message).suggest(suggestion));
            }
        }
    }
    found
}

/// What is the matter with a volume: <https://kubernetes.io/docs/concepts/storage/volumes/#hostpath>. The kubelet does not
/// start a pod that has such a one, nor does anybody hear of it.
fn flaw(place: &Place, volume: &Volume<'_>, earlier: &[Volume<'_>]) -> Option<(String, &'static str)> {
    let Volume { name, host, path, .. } = volume;
    let is_label = is_dns_name(name) && !name.contains('.');
    // One of the same name takes the place of kubeadm's.
    let own = place.own.iter().find(|(own, _)| own == name);
    let others = place.own.iter().filter(|(own, _)| own != name).map(|(_, path)| *path);
    let mut others = others.chain(earlier.iter().map(|other| other.path));
    if !is_label {
        let suggestion = "name it with at most 63 lower-case letters, digits and hyphens";
        Some(("has a name that no volume can have".into(), suggestion))
    } else if earlier.iter().any(|other| other.name == *name) {
        Some(("is there twice: kubeadm mounts the last one only".into(), "give it another name"))
    } else if let Some((_, own)) = own.filter(|(_, own)| own != path) {
        let message = format!("has the name of kubeadm's own, and nothing would be mounted on {own}");
        Some((message, "give it another name"))
    } else if !is_absolute_path(host) {
        Some((format!("has hostPath {}", host.escape_debug()), "write an absolute path without `..`"))
    } else if !is_absolute_path(path) || path.contains(':') {
        Some((format!("has mountPath {}", path.escape_debug()), "write an absolute path without `..` or `:`"))
    } else if is_path_in("/usr/local/bin", plain_path(path).trim_end_matches('/')) {
        Some((format!("is mounted over the program itself, by {path}"), "mount it elsewhere"))
    } else if others.any(|other| other == *path) {
        let message = format!("is mounted on {path}, where there is a volume: a pod with two is not started");
        Some((message, "mount it elsewhere, or remove it"))
    } else {
        None
    }
}

fn option_file(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let mut found = Vec::new();
    for place in places(cluster) {
        let paths = place.paths(cluster, FILES).into_iter().chain(place.paths(cluster, FOLDERS));
        let mut told: Vec<(String, &str)> = Vec::new();
        for (option, path) in paths.filter(|(_, path)| !place.sees(cluster, path)) {
            let (rename, folder) = folder_for(&path);
            let suggestion = match (place.field, told.iter().find(|(other, _)| *other == folder)) {
                (None, _) => {
                    "etcd has /var/lib/etcd and /etc/kubernetes/pki/etcd; `storage` puts them on a disk"
                        .into()
                }
                (Some(_), Some((_, other))) => format!("{rename}mount {folder} once, as for `{other}`"),
                (Some(field), None) => format!(
                    "{rename}give `kubeadm: {{ {field}: {{ extraVolumes: [{{ name: {option}, hostPath: {folder}, \
                     mountPath: {folder}, readOnly: true }}] }} }}`"
                ),
            };
            let message = format!("{path} is not in the program's container: kubeadm mounts nothing there");
            found.push(Found::new(place.setting(option), message).suggest(suggestion));
            told.push((folder, option));
        }
        found.extend(unwritable_logs(place, cluster));
    }
    found
}

fn unwritable_logs(place: &Place, cluster: &Cluster) -> Vec<Found> {
    let volumes = place.volumes(cluster);
    let logs = place.paths(cluster, LOGS).into_iter();
    let unwritable =
        logs.filter(|(_, path)| innermost(&volumes, path).is_some_and(|volume| volume.is_read_only));
    unwritable
        .map(|(option, path)| {
            let message =
                format!("{path} is in a volume with `readOnly`: the program cannot write there, and ends");
            Found::new(place.setting(option), message).suggest("remove `readOnly` there")
        })
        .collect()
}

/// The folder to mount for `path`; the file goes elsewhere where `files` may put nothing, or where the container has its own.
fn folder_for(path: &str) -> (String, String) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_of_system =
        ["/etc/kubernetes", "/usr", "/bin", "/lib", "/sbin"].iter().any(|of| is_path_in(folder, of));
    match folder.rfind('/').is_some_and(|last| last > 0) && is_absolute_path(path) && !is_of_system {
        true => (String::new(), folder.to_owned()),
        false => (format!("name it {OWN_FOLDER}/{name}, and "), OWN_FOLDER.to_owned()),
    }
}

fn absent(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let of_engine: Vec<&Place> = match cluster.engine {
        Engine::Kubeadm => places(cluster).collect(),
        Engine::K3s => PLACES.iter().collect(),
    };
    let mut found = Vec::new();
    for place in of_engine {
        for (option, path) in place.paths(cluster, FILES) {
            let Some(host) = on_host(place, cluster, &path) else { continue };
            let lacks = |node: &&Node| !brings(cluster, node, &host);
            if let Some(node) = cluster.masters().find(lacks) {
                let message = format!(
                    "no `files` put {host} on {}: without it the program ends, unless an overlay brings it",
                    node.hostname
                );
                found.push(Found::new(place.setting(option), message).suggest("give it in `files`"));
            }
        }
    }
    found
}

/// Where on the machine a program finds `path`, if a person has to put it there.
fn on_host(place: &Place, cluster: &Cluster, path: &str) -> Option<String> {
    if cluster.engine == Engine::K3s {
        return (!is_path_in(path, "/var/lib/rancher")).then(|| path.to_owned());
    }
    let volumes = place.volumes(cluster);
    let volume = innermost(&volumes, path)?;
    let below = path.strip_prefix(&plain_path(volume.path)).unwrap_or_default();
    (!place.has(path)).then(|| plain_path(&format!("{}{below}", volume.host)))
}

/// Whether the node has `path`, or may have it: on a disk, from a package, made by a script.
fn brings(cluster: &Cluster, node: &Node, path: &str) -> bool {
    let mut files = cluster.files.iter().chain(&node.files);
    let is_open = !cluster.run_once.is_empty() || !node.run_once.is_empty() || node.has_disk_for(path);
    is_open
        || ["/etc/kubernetes", "/usr"].iter().any(|folder| is_path_in(path, folder))
        || files.any(|file| plain_path(&file.path) == path)
}

fn log_in_container(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let mut found = Vec::new();
    for place in places(cluster) {
        let logs = place.paths(cluster, LOGS).into_iter().filter(|(_, path)| path != "/-");
        for (option, path) in logs.filter(|(_, path)| !place.sees(cluster, path)) {
            let message = format!("{path} is in the program's container, and gone with it at each restart");
            found.push(
                Found::new(place.setting(option), message).suggest(
                    "mount a folder there with `extraVolumes`, or write `-` for the container's log",
                ),
            );
        }
    }
    found
}
