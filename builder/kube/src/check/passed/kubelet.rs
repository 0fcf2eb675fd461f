//! What the fields of a node's kubelet say together, those that imgforge writes and those that are passed on: a kubelet
//! ends at each of these. <https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/>

mod clashes;
mod reserves;

use serde_yaml::Value;

use super::{
    super::files,
    At, Context, Found, Rule,
    units::{nanoseconds, thousandths},
};
use crate::{
    board::BoardFacts,
    kubeadm::kubelet_configuration,
    member::Member,
    node_files::{KERNEL_DEFAULTS, KERNEL_DEFAULTS_FILE},
};

pub const RULES: &[Rule] = &[
    Rule::error("kubelet-fields", "no field of a kubelet's forbids another", kubelet_fields),
    Rule::error(
        "kubelet-reserves",
        "what a kubelet keeps from pods is a part of what its board has",
        kubelet_reserves,
    ),
    Rule::error(
        "kernel-defaults",
        "a kubelet that does not set the kernel finds it set as it wants it",
        kernel_defaults,
    ),
];

/// Fields that forbid each other, the one in question first.
struct Clash {
    fields: &'static [&'static str],
    message: String,
    suggestion: String,
}

impl Clash {
    fn new(
        fields: &'static [&'static str],
        message: impl Into<String>,
        suggestion: impl Into<String>,
    ) -> Self {
        Self { fields, message: message.into(), suggestion: suggestion.into() }
    }

    /// The field that it is told at: one of the node's own, else one of all nodes.
    fn place(&self, context: &Context<'_>, at: At<'_>) -> String {
        let among = |names: Vec<&str>| self.fields.iter().find(|field| names.contains(field)).copied();
        let own = among(at.node.kubelet.names().collect());
        let common = || among(context.cluster.kubelet.names().collect());
        match own {
            Some(field) => at.path(format!("kubelet.{field}")),
            None => format!("kubelet.{}", common().or(self.fields.first().copied()).unwrap_or_default()),
        }
    }
}

/// The configuration of one node's kubelet.
struct Configuration {
    hostname: String,
    board: BoardFacts,
    fields: Value,
}

impl Configuration {
    fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    fn text(&self, field: &str) -> &str {
        self.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    fn texts(&self, field: &str) -> Vec<&str> {
        self.get(field).and_then(Value::as_sequence).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn switch(&self, field: &str) -> Option<bool> {
        self.get(field).and_then(Value::as_bool)
    }

    fn number(&self, field: &str, default: i64) -> i64 {
        self.get(field).and_then(Value::as_i64).unwrap_or(default)
    }

    /// Nanoseconds; the kubelet takes `default` for nothing, and for 0.
    fn time(&self, field: &str, default: i128) -> i128 {
        nanoseconds(self.text(field)).filter(|time| *time != 0).unwrap_or(default)
    }

    /// Thousandths of what `field` has of `resource`.
    fn kept(&self, field: &str, resource: &str) -> i128 {
        self.get(field).and_then(|kept| thousandths(kept.get(resource)?.as_str()?)).unwrap_or(0)
    }
}

/// The nodes whose kubelets have fields that are passed on.
fn configured<'a>(context: &Context<'a>) -> Vec<(At<'a>, Configuration)> {
    let is_told = |at: &At<'_>| !context.cluster.kubelet.is_empty() || !at.node.kubelet.is_empty();
    let configuration = |at: At<'a>| {
        let hostname = at.node.hostname.clone();
        let member = Member::new(context.cluster, &hostname, context.boards).ok()?;
        let fields = kubelet_configuration(&member).ok()?;
        Some((at, Configuration { hostname, board: member.board, fields }))
    };
    context.members().filter(is_told).filter_map(configuration).collect()
}

/// What `judge` says of each node's configuration; of fields that all nodes share once.
fn judged(context: &Context<'_>, judge: impl Fn(&Configuration) -> Vec<Clash>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for (at, configuration) in configured(context) {
        for clash in judge(&configuration) {
            let place = clash.place(context, at);
            if !found.iter().any(|other| other.path == place) {
                found.push(Found::new(place, clash.message).suggest(clash.suggestion));
            }
        }
    }
    found
}

fn kubelet_fields(context: &Context<'_>) -> Vec<Found> {
    judged(context, |kubelet| clashes::ALL.iter().filter_map(|clash| clash(kubelet)).collect())
}

fn kubelet_reserves(context: &Context<'_>) -> Vec<Found> {
    judged(context, reserves::flaws)
}

/// Files that systemd-sysctl(8) reads after ours, by their names, and that say something else.
fn kernel_defaults(context: &Context<'_>) -> Vec<Found> {
    let protected: Vec<String> = configured(context)
        .into_iter()
        .filter(|(_, kubelet)| kubelet.switch("protectKernelDefaults") == Some(true))
        .map(|(_, kubelet)| kubelet.hostname)
        .collect();
    files::judged(context, |placed| {
        let name = placed.file.path.strip_prefix("/etc/sysctl.d/").filter(|name| name.ends_with(".conf"))?;
        let is_after = KERNEL_DEFAULTS_FILE.rsplit('/').next().is_some_and(|ours| name > ours);
        if !is_after || protected.iter().all(|hostname| hostname != placed.hostname()) {
            return None;
        }
        let text = placed.file.content.as_deref().map(str::as_bytes).or(placed.file.bytes.as_deref());
        let text = String::from_utf8_lossy(text?);
        let other = text.lines().filter_map(|line| line.split_once('=')).find(|(name, value)| {
            let name = name.trim().trim_start_matches('-').replace('/', ".");
            KERNEL_DEFAULTS.iter().any(|(ours, wanted)| *ours == name && *wanted != value.trim())
        })?;
        let (name, value) = (other.0.trim(), other.1.trim());
        let message = format!(
            "`{name} = {value}` is not what a kubelet with `protectKernelDefaults` wants to find: it ends"
        );
        Some(
            Found::new(placed.setting.clone(), message)
                .suggest("remove the line, or `protectKernelDefaults`"),
        )
    })
}
