//! Files of the control plane's programs. kubeadm runs these in containers, which see what is mounted there: a program that
//! does not find a file of its options ends, again and again.

use imgforge_spec::{is_absolute_path, is_dns_name, is_path_in, plain_path};

use super::{Context, Found, Rule, extra_args};
use crate::{
    cluster::{Cluster, Node},
    engine::Engine,
    kubeadm::volumes::{FILES, FOLDERS, LOGS, PLACES, Place, Volume, innermost, is_given},
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

/// Where a file may lie that has no place of its own.
const OWN_FOLDER: &str = "/etc/control-plane";

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
        let paths = place.paths(cluster, &FILES).into_iter().chain(place.paths(cluster, &FOLDERS));
        let unseen = paths.filter(|(_, path)| !place.sees(cluster, path));
        found.extend(unseen.map(|(option, path)| {
            let message = format!("{path} is not in the program's container: nothing is mounted there");
            Found::new(extra_args::path(place.setting, option), message).suggest(instead(place, &path))
        }));
        found.extend(unwritable_logs(place, cluster));
    }
    found
}

/// How the program gets to see the file; it goes elsewhere where `files` may put nothing.
fn instead(place: &Place, path: &str) -> String {
    let Some(field) = place.field else {
        return "etcd has /var/lib/etcd and /etc/kubernetes/pki/etcd; `storage` puts them on a disk".into();
    };
    if is_absolute_path(path) && !is_path_in(path, "/etc/kubernetes") {
        format!(
            "give it in `files`, and it is mounted; where an overlay or a disk brings it, mount it by \
             `kubeadm: {{ {field}: {{ extraVolumes: … }} }}`"
        )
    } else {
        let name = path.rsplit('/').next().unwrap_or_default();
        format!("name it {OWN_FOLDER}/{name} here and in `files`: it is mounted then")
    }
}

fn unwritable_logs(place: &Place, cluster: &Cluster) -> Vec<Found> {
    let volumes = place.volumes(cluster);
    let logs = place.paths(cluster, &LOGS).into_iter();
    let unwritable =
        logs.filter(|(_, path)| innermost(&volumes, path).is_some_and(|volume| volume.is_read_only));
    unwritable
        .map(|(option, path)| {
            let message =
                format!("{path} is in a volume with `readOnly`: the program cannot write there, and ends");
            Found::new(extra_args::path(place.setting, option), message).suggest("remove `readOnly` there")
        })
        .collect()
}

fn absent(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let of_engine: Vec<&Place> = match cluster.engine {
        Engine::Kubeadm => places(cluster).collect(),
        Engine::K3s => PLACES.iter().collect(),
    };
    let mut found = Vec::new();
    for place in of_engine {
        for (option, path) in place.paths(cluster, &FILES) {
            let Some(host) = on_host(place, cluster, &path) else { continue };
            let lacks = |node: &&Node| !brings(cluster, node, &host);
            if let Some(node) = cluster.masters().find(lacks) {
                let message = format!(
                    "no `files` put {host} on {}: without it the program ends, unless an overlay brings it",
                    node.hostname
                );
                found.push(
                    Found::new(extra_args::path(place.setting, option), message)
                        .suggest("give it in `files`"),
                );
            }
        }
    }
    found
}

/// Where on the machine a program finds `path`, if a person has to put it there.
pub(super) fn on_host(place: &Place, cluster: &Cluster, path: &str) -> Option<String> {
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
    let is_open = !cluster.run_once.is_empty() || !node.run_once.is_empty() || node.has_disk_for(path);
    let is_of_others = ["/etc/kubernetes", "/usr"].iter().any(|folder| is_path_in(path, folder));
    is_open || is_of_others || is_given(cluster, node, path)
}

fn log_in_container(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let mut found = Vec::new();
    for place in places(cluster) {
        let logs = place.paths(cluster, &LOGS).into_iter().filter(|(_, path)| path != "/-");
        for (option, path) in logs.filter(|(_, path)| !place.sees(cluster, path)) {
            let message = format!("{path} is in the program's container, and gone with it at each restart");
            found.push(
                Found::new(extra_args::path(place.setting, option), message).suggest(
                    "put it in a folder of its own, such as /var/log/kubernetes, or write `-` for the container's log",
                ),
            );
        }
    }
    found
}
