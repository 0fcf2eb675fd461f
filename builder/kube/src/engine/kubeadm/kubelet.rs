//! What one node's kubelet is told: as a patch of its configuration, or, before kubeadm had those, as options.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::{
    cluster::Family,
    kubeadm::{GoDuration, KubeletConfiguration, MemorySwap},
    member::Member,
    performance::{Performance, Reservation},
};

/// The part of the kubelet's configuration that is this node's own, with the fields that are passed on.
pub fn merged(member: &Member<'_>) -> Result<Value, serde_yaml::Error> {
    let mut merged = serde_yaml::to_value(configuration(member))?;
    member.cluster.kubelet.merge_into(&mut merged);
    member.node.kubelet.merge_into(&mut merged);
    Ok(merged)
}

fn configuration(member: &Member<'_>) -> KubeletConfiguration {
    let Reservation { kube, system, eviction } = Reservation::of(member.board.memory);
    let memory = |mebibytes: u32| BTreeMap::from([("memory".to_owned(), format!("{mebibytes}Mi"))]);
    KubeletConfiguration {
        api_version: KubeletConfiguration::API_VERSION.into(),
        kube_reserved: memory(kube),
        system_reserved: memory(system),
        eviction_hard: eviction_thresholds(eviction),
        // Starting a container takes a slow card longer than the 2 min of the default.
        runtime_request_timeout: (member.performance == Performance::Slow).then_some(GoDuration(900)),
        fail_swap_on: member.node.swap.then_some(false),
        memory_swap: member.node.swap.then(|| MemorySwap { swap_behavior: "NoSwap".into() }),
        cgroup_driver: None,
    }
}

/// All thresholds: to give one is to take the defaults of the others away.
fn eviction_thresholds(memory: u32) -> BTreeMap<String, String> {
    let thresholds = [
        ("imagefs.available", "15%".to_owned()),
        ("imagefs.inodesFree", "5%".to_owned()),
        ("memory.available", format!("{memory}Mi")),
        ("nodefs.available", "10%".to_owned()),
        ("nodefs.inodesFree", "5%".to_owned()),
    ];
    thresholds.map(|(signal, value)| (signal.to_owned(), value)).into()
}

/// Options of the kubelet's command line: labels and address, and [`configuration`] where it cannot be a patch.
pub fn options(member: &Member<'_>) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    let labels = &member.node.labels;
    if !labels.is_empty() {
        let labels = labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
        options.insert("node-labels".into(), labels.join(","));
    }
    options.extend(node_ip(member).map(|addresses| ("node-ip".into(), addresses)));
    if !member.version().patches_kubelet_configuration() {
        // An option stands above the configuration that is passed on.
        let told = |option: &str| member.cluster.kubelet.names().any(|field| option_of(field) == option);
        options.extend(as_options(configuration(member)).into_iter().filter(|(option, _)| !told(option)));
    }
    options
}

/// The addresses the node is known by. Left alone, a kubelet takes an IPv4 address where there is any.
fn node_ip(member: &Member<'_>) -> Option<String> {
    let own: Vec<_> = member.node.addresses().map(|own| own.address.to_string()).collect();
    match member.cluster.family() {
        _ if !own.is_empty() => Some(own.join(",")),
        Family::V4 => None,
        Family::V6 => Some("::".into()),
    }
}

/// The option that does what the field `name` does: `kubeReserved`, `kube-reserved`.
fn option_of(name: &str) -> String {
    let spelled =
        |c: char| if c.is_ascii_uppercase() { format!("-{}", c.to_ascii_lowercase()) } else { c.into() };
    name.chars().map(spelled).collect()
}

fn as_options(configuration: KubeletConfiguration) -> BTreeMap<String, String> {
    let join = |map: BTreeMap<String, String>, sign: &str| {
        map.iter().map(|(name, value)| format!("{name}{sign}{value}")).collect::<Vec<_>>().join(",")
    };
    let mut options = BTreeMap::from([
        ("kube-reserved".into(), join(configuration.kube_reserved, "=")),
        ("system-reserved".into(), join(configuration.system_reserved, "=")),
        ("eviction-hard".into(), join(configuration.eviction_hard, "<")),
    ]);
    if let Some(timeout) = configuration.runtime_request_timeout {
        options.insert("runtime-request-timeout".into(), timeout.to_string());
    }
    options
}
