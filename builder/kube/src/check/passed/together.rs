//! What options of the control plane say together, those that imgforge and kubeadm give and those that are passed on.

mod controllers;
mod etcd;
mod server;

use std::collections::BTreeMap;

use super::{
    Context, Found, Rule,
    extra_args::path,
    options::{is_among, is_off},
    texts::entries,
    units::nanoseconds,
};
use crate::{engine::Engine, kubeadm::leader_election, member::Member, performance::EtcdTiming};

pub const RULES: &[Rule] = &[
    Rule::error(
        "control-plane-options",
        "no option of the control plane forbids another, or what the cluster lives by",
        together,
    ),
    Rule::notice(
        "admission-plugins",
        "plugins of one's own stand beside the one that the cluster has anyway",
        admission_plugins,
    ),
];

type Options = BTreeMap<String, String>;

/// What is the matter with an option, and what to do about it.
struct Flaw {
    option: String,
    message: String,
    suggestion: &'static str,
}

impl Flaw {
    fn new(option: impl Into<String>, message: impl Into<String>, suggestion: &'static str) -> Self {
        Self { option: option.into(), message: message.into(), suggestion }
    }

    fn found(self, setting: &str) -> Found {
        let Self { option, message, suggestion } = self;
        Found::new(path(setting, &option), message).suggest(suggestion)
    }
}

fn together(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let of_kubeadm = cluster.engine == Engine::Kubeadm;
    let leases = of_kubeadm.then(|| leases(context)).flatten().unwrap_or_default();
    let of_leader = |told: &Options| {
        let mut all = leases.clone();
        all.extend(told.clone());
        leader(told, &all)
    };
    let told = &cluster.api_server.extra_args;
    let mut found: Vec<Found> = Vec::new();
    found.extend(server::ALL.iter().filter_map(|flaw| flaw(told)).map(|flaw| flaw.found("api-server")));
    for (setting, program) in
        [("controller-manager", &cluster.controller_manager), ("scheduler", &cluster.scheduler)]
    {
        let told = &program.extra_args;
        let flaws = [of_leader(told), server::cipher_suites(told)];
        found.extend(flaws.into_iter().flatten().map(|flaw| flaw.found(setting)));
    }
    let controllers = controllers::flaw(&cluster.controller_manager.extra_args).filter(|_| of_kubeadm);
    found.extend(controllers.map(|flaw| flaw.found("controller-manager")));
    let told = &cluster.etcd.extra_args;
    let of_etcd = [
        etcd::timing(told, EtcdTiming::of(cluster, context.boards)),
        etcd::tls(told),
        etcd::gates(told, cluster.engine, cluster.kubernetes),
    ];
    found.extend(of_etcd.into_iter().flatten().map(|flaw| flaw.found("etcd")));
    found
}

/// What imgforge gives for the board that is the slowest.
fn leases(context: &Context<'_>) -> Option<Options> {
    let first = context.cluster.first_master()?;
    let member = Member::new(context.cluster, &first.hostname, context.boards).ok()?;
    Some(leader_election(member.slowest_master.patience()))
}

/// Who leads gives up renewing before others may lead, and tries more than once until then.
fn leader(told: &Options, all: &Options) -> Option<Flaw> {
    const OPTIONS: [(&str, &str); 3] = [
        ("leader-elect-lease-duration", "15s"),
        ("leader-elect-renew-deadline", "10s"),
        ("leader-elect-retry-period", "2s"),
    ];
    let (option, _) = OPTIONS.into_iter().find(|(option, _)| told.contains_key(*option))?;
    if all.get("leader-elect").is_some_and(|value| is_off(value)) {
        return None;
    }
    let texts = OPTIONS.map(|(option, default)| all.get(option).map_or(default, String::as_str));
    let [Some(lease), Some(renew), Some(retry)] = texts.map(nanoseconds) else { return None };
    let [lease_text, renew_text, retry_text] = texts;
    let message = if lease <= renew {
        format!("a lease of {lease_text} is over before its leader gives up renewing it, after {renew_text}")
    } else if retry <= 0 {
        format!("a leader tries each {retry_text} to renew its lease")
    // client-go's JitterFactor is 1.2.
    } else if renew.saturating_mul(10) <= retry.saturating_mul(12) {
        format!("a leader that tries each {retry_text} cannot renew its lease within {renew_text}")
    } else {
        return None;
    };
    let suggestion = "give all three, such as 60s, 40s and 8s";
    Some(Flaw::new(option, format!("{message}: the program ends"), suggestion))
}

fn admission_plugins(context: &Context<'_>) -> Vec<Found> {
    let flaw = server::without_own_plugin(&context.cluster.api_server.extra_args);
    flaw.into_iter().map(|flaw| flaw.found("api-server")).collect()
}
