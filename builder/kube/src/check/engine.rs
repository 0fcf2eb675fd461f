//! What makes the cluster of the nodes, and settings that it does not have.

use imgforge_spec::{is_path_in, plain_path};

use super::{Context, Found, Rule};
use crate::{
    cluster::{Cluster, NetworkPlugin, Runtime},
    engine::{Engine, k3s},
};

pub const RULES: &[Rule] = &[
    Rule::error("engine-setting", "every setting is one that the engine has", engine_setting),
    Rule::error("k3s-masters", "several masters of k3s keep the objects in etcd", k3s_masters),
    Rule::error(
        "k3s-network",
        "pods of k3s are connected by its own network, or by one of yours",
        k3s_network,
    ),
    Rule::error("k3s-backups", "snapshots are of etcd, and as often as a schedule can say", k3s_backups),
    Rule::error("k3s-parts", "k3s' folder is on one disk as a whole", k3s_parts),
    Rule::notice("k3s-storage", "what is bound elsewhere is where k3s keeps it", k3s_storage),
];

fn is_k3s(context: &Context<'_>) -> bool {
    context.cluster.engine == Engine::K3s
}

/// Settings of the other engine, each with what to do instead.
fn engine_setting(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    match cluster.engine {
        Engine::Kubeadm => {
            let has_k3s = cluster.k3s != Default::default();
            let found = || {
                Found::new("k3s", "kubeadm makes this cluster").suggest("give `engine: k3s`, or remove it")
            };
            has_k3s.then(found).into_iter().collect()
        }
        Engine::K3s => of_kubeadm(cluster),
    }
}

fn of_kubeadm(cluster: &Cluster) -> Vec<Found> {
    const OWN: &str = "k3s has containerd in itself";
    let images = &cluster.images;
    let mut all = vec![
        (
            "kubeadm".to_owned(),
            !cluster.kubeadm.is_empty(),
            "k3s makes this cluster, and there is no kubeadm in it",
        ),
        ("runtime".to_owned(), cluster.runtime != Runtime::Containerd, OWN),
        ("images.etcd".to_owned(), images.etcd.is_some(), "k3s has etcd in itself"),
        (
            "images.coredns".to_owned(),
            images.coredns.is_some() && cluster.add_ons.lan_dns.is_none(),
            "k3s brings its own CoreDNS",
        ),
        (
            "join-window".to_owned(),
            cluster.join_window.is_some(),
            "the token that k3s' agents join by does not run out, and imgforge makes no other",
        ),
    ];
    all.extend(cluster.nodes.iter().enumerate().map(|(index, node)| {
        (format!("nodes[{index}].runtime"), node.runtime.is_some_and(|own| own != Runtime::Containerd), OWN)
    }));
    let given = all.into_iter().filter(|(_, is_given, _)| *is_given);
    let mut found: Vec<Found> =
        given.map(|(path, _, why)| Found::new(path, why).suggest("remove it")).collect();
    if !cluster.etcd.extra_args.is_empty() && !cluster.engine.has_etcd(cluster) {
        let message = "this cluster's objects are in a file of SQLite, and there is no etcd in it";
        found.push(Found::new("etcd", message).suggest("give `k3s: { datastore: etcd }`, or remove it"));
    }
    found
}

fn k3s_masters(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let masters = cluster.masters().count();
    let is_wrong = is_k3s(context) && masters > 1 && !cluster.engine.has_etcd(cluster);
    let found = || {
        let message = format!("SQLite is a file of one master, and there are {masters}");
        Found::new("k3s.datastore", message).suggest("leave it out: several masters have etcd")
    };
    is_wrong.then(found).into_iter().collect()
}

fn k3s_network(context: &Context<'_>) -> Vec<Found> {
    let is_calico = is_k3s(context) && context.cluster.add_ons.network == NetworkPlugin::Calico;
    let found = || {
        let message =
            "Calico's manifest takes the pods' network from kubeadm's configuration, which k3s does not have";
        Found::new("add-ons.network", message)
            .suggest("`flannel` is k3s' own, with network policies; `none` leaves it to a manifest of yours")
    };
    is_calico.then(found).into_iter().collect()
}

fn k3s_backups(context: &Context<'_>) -> Vec<Found> {
    let Some(backups) = context.cluster.backups.filter(|backups| is_k3s(context) && backups.keep > 0) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if !context.cluster.engine.has_etcd(context.cluster) {
        let message = "snapshots are of etcd, and this cluster's objects are in a file of SQLite";
        found.push(Found::new("backups", message).suggest("give `k3s: { datastore: etcd }`, or remove it"));
    }
    if k3s::schedule(backups.every).is_none() {
        let message =
            format!("k3s takes snapshots by the hour of the day, and {} is none of its parts", backups.every);
        found.push(Found::new("backups.every", message).suggest("write 24h, 12h, 8h, 6h, 4h, 3h, 2h or 1h"));
    }
    found
}

/// k3s asks by folders whether there is data, and the guard of its disk knows the whole folder only.
fn k3s_parts(context: &Context<'_>) -> Vec<Found> {
    let is_part = |path: &str| path != k3s::DATA && is_path_in(path, k3s::DATA);
    let mut found = Vec::new();
    for at in context.members().filter(|_| is_k3s(context)) {
        let binds = at.node.storage.iter().enumerate();
        let binds = binds.map(|(index, bind)| (format!("storage[{index}].path"), bind.path.to_string()));
        let mounts = at.node.mounts.iter().enumerate();
        let mounts =
            mounts.map(|(index, mount)| (format!("mounts[{index}].target"), mount.target.to_string()));
        for (setting, path) in binds.chain(mounts) {
            let path = plain_path(&path);
            if is_part(&path) {
                let message = format!("{path} is a part of k3s' folder, which belongs together");
                found.push(
                    Found::new(at.path(setting), message).suggest(format!("bind {} as a whole", k3s::DATA)),
                );
            }
        }
    }
    found
}

fn k3s_storage(context: &Context<'_>) -> Vec<Found> {
    const OF_KUBEADM: [&str; 2] = ["/var/lib/etcd", "/var/lib/containerd"];
    let mut found = Vec::new();
    for at in context.members().filter(|_| is_k3s(context)) {
        for (index, bind) in at.node.storage.iter().enumerate() {
            let path = bind.path.to_string();
            if OF_KUBEADM.contains(&path.as_str()) {
                let message = format!(
                    "k3s keeps nothing in {path}: containers and the cluster's data are in {}",
                    k3s::DATA
                );
                found.push(
                    Found::new(at.path(format!("storage[{index}].path")), message)
                        .suggest(format!("bind {}", k3s::DATA)),
                );
            }
        }
    }
    found
}
