//! `/etc/rancher/k3s/config.yaml`: options of `k3s server` and `k3s agent` by their names. k3s skips a key that it does not
//! know, so each of these is compared with its own list (`tests/golden/k3s/flags-*.txt`).

use std::net::IpAddr;

use serde::Serialize;

use super::{Tokens, has_etcd};
use crate::{
    cluster::{Cluster, Component, Family, NetworkPlugin, Packaged, ProxyMode, Taint},
    kubeadm::GoDuration,
    member::Member,
    performance::EtcdTiming,
};

/// The options of one node.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Config {
    /// Its name, whatever the machine calls itself.
    node_name: String,
    /// Its static addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    node_ip: Vec<IpAddr>,
    /// `key=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    node_label: Vec<String>,
    /// `key=value:effect`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    node_taint: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kube_proxy_arg: Vec<String>,
    /// What a server lets others in by, or all that a node needs to join.
    token: String,
    /// Of an agent, and of a server that does not make the cluster: where it finds one.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    of_server: Option<Server>,
}

/// What only a server has.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Server {
    agent_token: String,
    #[serde(skip_serializing_if = "is_false")]
    cluster_init: bool,
    tls_san: Vec<String>,
    cluster_cidr: String,
    service_cidr: String,
    cluster_domain: String,
    flannel_backend: &'static str,
    #[serde(skip_serializing_if = "is_false")]
    flannel_ipv6_masq: bool,
    #[serde(skip_serializing_if = "is_false")]
    disable_network_policy: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    disable: Vec<&'static str>,
    write_kubeconfig_mode: &'static str,
    #[serde(flatten)]
    snapshots: Option<Snapshots>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kube_apiserver_arg: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kube_controller_manager_arg: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kube_scheduler_arg: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    etcd_arg: Vec<String>,
}

/// k3s' own snapshots of its etcd.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Snapshots {
    #[serde(skip_serializing_if = "is_false")]
    etcd_disable_snapshots: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    etcd_snapshot_schedule_cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etcd_snapshot_retention: Option<u16>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_false(switch: &bool) -> bool {
    !switch
}

/// The options of `member`.
pub fn config(member: &Member<'_>, tokens: &Tokens) -> Config {
    let node = member.node;
    let of_server = member.is_master().then(|| server(member, tokens));
    let joins = !member.is_first_master();
    let token = match member.is_master() {
        true if member.has_other_masters() => tokens.of_server(),
        true => tokens.server.clone(),
        false => tokens.of_agent(),
    };
    Config {
        node_name: node.hostname.clone(),
        node_ip: node.addresses().map(|own| own.address).collect(),
        node_label: node.labels.iter().map(|(key, value)| format!("{key}={value}")).collect(),
        node_taint: node.taints.iter().flatten().map(taint).collect(),
        kube_proxy_arg: member.cluster.networking.proxy_mode.map(proxy_mode).into_iter().collect(),
        token: token.reveal().to_owned(),
        server: joins.then(|| format!("https://{}", member.endpoint.authority())),
        of_server,
    }
}

fn proxy_mode(mode: ProxyMode) -> String {
    let mode = match mode {
        ProxyMode::Iptables => "iptables",
        ProxyMode::Nftables => "nftables",
    };
    format!("proxy-mode={mode}")
}

fn taint(taint: &Taint) -> String {
    let Taint { key, value, effect } = taint;
    format!("{key}={value}:{effect:?}")
}

fn server(member: &Member<'_>, tokens: &Tokens) -> Server {
    let cluster = member.cluster;
    let without_network = cluster.add_ons.network == NetworkPlugin::None;
    let mut etcd_arg = arguments(&cluster.etcd);
    if has_etcd(cluster) && member.etcd != EtcdTiming::DEFAULT {
        let EtcdTiming { heartbeat, election } = member.etcd;
        let ours = [("heartbeat-interval", heartbeat), ("election-timeout", election)];
        let ours = ours.into_iter().filter(|(option, _)| !cluster.etcd.extra_args.contains_key(*option));
        etcd_arg.extend(ours.map(|(option, milliseconds)| format!("{option}={milliseconds}")));
    }
    Server {
        agent_token: tokens.agent.reveal().to_owned(),
        cluster_init: has_etcd(cluster) && member.is_first_master(),
        tls_san: names(member),
        cluster_cidr: cluster.networking.pod_subnet.to_string(),
        service_cidr: cluster.networking.service_subnet.to_string(),
        cluster_domain: cluster.networking.dns_domain.clone(),
        flannel_backend: if without_network { "none" } else { "vxlan" },
        // Pods reach the world by their node's address, as in IPv4.
        flannel_ipv6_masq: !without_network && cluster.networking.pod_subnet.of(Family::V6).is_some(),
        disable_network_policy: without_network,
        disable: disabled(cluster),
        write_kubeconfig_mode: "0600",
        snapshots: has_etcd(cluster).then(|| snapshots(member)),
        kube_apiserver_arg: arguments(&cluster.api_server),
        kube_controller_manager_arg: arguments(&cluster.controller_manager),
        kube_scheduler_arg: arguments(&cluster.scheduler),
        etcd_arg,
    }
}

/// The names and addresses in the API server's certificate, besides those that k3s knows.
fn names(member: &Member<'_>) -> Vec<String> {
    let own = member.node.addresses().map(|own| own.address.to_string());
    let mut names: Vec<String> = Vec::new();
    for name in [member.endpoint.host.clone(), member.node.hostname.clone()].into_iter().chain(own) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Of two that do the same, the one that the file asks for.
fn disabled(cluster: &Cluster) -> Vec<&'static str> {
    let replaced = cluster.add_ons.load_balancer.as_ref().map(|_| Packaged::Servicelb);
    let mut disabled: Vec<Packaged> = cluster.k3s.disable.iter().copied().chain(replaced).collect();
    disabled.sort();
    disabled.dedup();
    disabled.into_iter().map(Packaged::name).collect()
}

fn arguments(component: &Component) -> Vec<String> {
    component.extra_args.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// On the hour: k3s takes a schedule, and no interval.
fn snapshots(member: &Member<'_>) -> Snapshots {
    match member.cluster.backups_of(member.node) {
        None => Snapshots {
            etcd_disable_snapshots: true,
            etcd_snapshot_schedule_cron: None,
            etcd_snapshot_retention: None,
        },
        Some(backups) => Snapshots {
            etcd_disable_snapshots: false,
            etcd_snapshot_schedule_cron: schedule(backups.every),
            etcd_snapshot_retention: Some(backups.keep),
        },
    }
}

/// The schedule of what is done so often, if hours that a day is made of can say it.
pub(crate) fn schedule(every: GoDuration) -> Option<String> {
    let hours = every.0 / 3600;
    match hours {
        _ if !every.0.is_multiple_of(3600) || hours == 0 || !24u32.is_multiple_of(hours) => None,
        24 => Some("0 3 * * *".into()),
        _ => Some(format!("0 */{hours} * * *")),
    }
}
