//! Options of the control plane's programs.

use super::{
    Context, Found, Rule,
    options::{
        API_SERVER, CONTROLLER_MANAGER, ETCD, FRACTIONS, Options, SCHEDULER, gone_since, is_among, is_switch,
    },
    texts,
    units::nanoseconds,
};
use crate::cluster::{Cluster, Component};

pub const RULES: &[Rule] = &[
    Rule::error(
        "extra-args",
        "options of the control plane are ones that neither imgforge nor kubeadm gives",
        given,
    ),
    Rule::notice("unknown-option", "options of the control plane are ones that its programs know", unknown),
    Rule::error("option-value", "options of the control plane have values that its programs can read", value),
];

const ENDPOINT: &str = "the API server listens where `endpoint` and the nodes' addresses say";
const SUBNETS: &str = "it follows from `networking`";
const MEMBERS: &str = "kubeadm gives it, and each member of etcd has another";
const PROBES: &str = "the kubelet asks for its health at the usual port";
const FILES: &str = "kubeadm gives it, and the files lie where it says";

/// Options that imgforge or kubeadm gives, by the setting that would pass them on.
const GIVEN: [(&str, &[(&str, &str)]); 4] = [
    (
        "api-server",
        &[
            ("advertise-address", ENDPOINT),
            ("bind-address", ENDPOINT),
            ("secure-port", ENDPOINT),
            ("service-cluster-ip-range", SUBNETS),
            ("etcd-servers", MEMBERS),
            ("client-ca-file", FILES),
            ("tls-cert-file", FILES),
            ("tls-private-key-file", FILES),
            ("service-account-key-file", FILES),
            ("service-account-signing-key-file", FILES),
            ("enable-bootstrap-token-auth", "the nodes join by such a token"),
            (
                "anonymous-auth",
                "who asks for its health, or for the cluster before joining it, is nobody yet",
            ),
        ],
    ),
    (
        "controller-manager",
        &[
            ("allocate-node-cidrs", SUBNETS),
            ("cluster-cidr", SUBNETS),
            ("service-cluster-ip-range", SUBNETS),
            ("cluster-name", "give `name`"),
            (
                "node-cidr-mask-size",
                "give node-cidr-mask-size-ipv4 or node-cidr-mask-size-ipv6, which kubeadm knows",
            ),
            ("kubeconfig", FILES),
            ("secure-port", PROBES),
            ("cluster-signing-cert-file", FILES),
            ("cluster-signing-key-file", FILES),
            ("root-ca-file", FILES),
        ],
    ),
    ("scheduler", &[("kubeconfig", FILES), ("secure-port", PROBES)]),
    (
        "etcd",
        &[
            ("data-dir", "give `storage` for the folder"),
            ("force-new-cluster", "at each start it would make a cluster of one member"),
            ("name", MEMBERS),
            ("initial-cluster", MEMBERS),
            ("initial-cluster-state", MEMBERS),
            ("initial-advertise-peer-urls", MEMBERS),
            ("advertise-client-urls", MEMBERS),
            ("listen-client-urls", MEMBERS),
            ("listen-peer-urls", MEMBERS),
            ("listen-client-http-urls", MEMBERS),
            ("cert-file", FILES),
            ("key-file", FILES),
            ("trusted-ca-file", FILES),
            ("client-cert-auth", FILES),
            ("peer-cert-file", FILES),
            ("peer-key-file", FILES),
            ("peer-trusted-ca-file", FILES),
            ("peer-client-cert-auth", FILES),
        ],
    ),
];

/// The programs, each with the setting that passes options on to it, and with all its options.
pub(super) fn programs(cluster: &Cluster) -> [(&'static str, &'static str, &Component, &'static Options); 4] {
    [
        ("api-server", "kube-apiserver", &cluster.api_server, &API_SERVER),
        ("controller-manager", "kube-controller-manager", &cluster.controller_manager, &CONTROLLER_MANAGER),
        ("scheduler", "kube-scheduler", &cluster.scheduler, &SCHEDULER),
        ("etcd", "etcd", &cluster.etcd, &ETCD),
    ]
}

/// Why the option `name` of `setting` is not passed on.
fn instead(setting: &str, name: &str) -> Option<&'static str> {
    let (_, ours) = GIVEN.iter().find(|(other, _)| *other == setting)?;
    ours.iter().find(|(own, _)| *own == name).map(|(_, instead)| *instead)
}

/// The setting that holds an option.
pub(super) fn path(setting: &str, option: &str) -> String {
    format!("{setting}.extra-args.{option}")
}

fn is_option(name: &str) -> bool {
    let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'.');
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(good)
}

fn given(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (setting, _, component, _) in programs(context.cluster) {
        let path = format!("{setting}.extra-args");
        for name in component.extra_args.keys() {
            if let Some(instead) = instead(setting, name) {
                let message = format!("`{name}` is not passed on: {instead}");
                found.push(Found::new(&path, message).suggest("remove it"));
            } else if !is_option(name) {
                let message = format!("`{}` is no name of an option", name.escape_debug());
                let plain = name.trim_start_matches('-').replace('_', "-");
                let suggestion = match is_option(&plain) {
                    true => format!("write it as `{plain}`"),
                    false => "write it without hyphens before it, such as event-ttl".into(),
                };
                found.push(Found::new(&path, message).suggest(suggestion));
            }
        }
    }
    found
}

fn unknown(context: &Context<'_>) -> Vec<Found> {
    let version = context.cluster.kubernetes;
    let mut found = Vec::new();
    for (setting, program, component, options) in programs(context.cluster) {
        let passed =
            component.extra_args.keys().filter(|name| is_option(name) && instead(setting, name).is_none());
        found.extend(passed.filter_map(|name| {
            let known = match gone_since(setting, name, version) {
                Some(since) => format!("any more, with Kubernetes 1.{since} at the latest"),
                None if options.has(name) => return None,
                None => "that is known here".to_owned(),
            };
            let message =
                format!("{program} has no option `{name}` {known}, and ends at one that it does not know");
            Some(Found::new(path(setting, name), message).suggest("compare it with its reference"))
        }));
    }
    found
}

fn value(context: &Context<'_>) -> Vec<Found> {
    let version = context.cluster.kubernetes;
    let mut found = Vec::new();
    for (setting, program, component, options) in programs(context.cluster) {
        let passed = component.extra_args.iter().filter(|(name, _)| instead(setting, name).is_none());
        found.extend(passed.filter_map(|(name, value)| {
            let of_kind = wanted(options, name, value)
                .map(|wanted| format!("is {wanted}, not {}", value.escape_debug()));
            let flaw = of_kind.or_else(|| texts::flaw(setting, name, value, version))?;
            let message = format!("`{name}` {flaw}: {program} would end");
            Some(Found::new(path(setting, name), message))
        }));
    }
    found
}

/// What the option takes, where that is not `value`.
fn wanted(options: &Options, name: &str, value: &str) -> Option<&'static str> {
    let Options { durations, switches, numbers, .. } = options;
    let is_number = || match is_among(name, FRACTIONS) {
        true => value.parse::<f64>().is_ok_and(f64::is_finite),
        // strconv.ParseInt with a base of 0.
        false => {
            let based = ["0x", "0b", "0o"].iter().any(|base| value.starts_with(base));
            based || value.replace('_', "").parse::<i64>().is_ok()
        }
    };
    if is_among(name, durations) && nanoseconds(value).is_none() {
        Some("a duration in hours, minutes and seconds, such as 1h30m")
    } else if is_among(name, switches) && !is_switch(value) {
        Some("true or false")
    } else if is_among(name, numbers) && !is_number() {
        Some(if is_among(name, FRACTIONS) { "a number" } else { "a whole number" })
    } else {
        None
    }
}
