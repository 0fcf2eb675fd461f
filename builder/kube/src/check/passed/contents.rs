//! What is in the files that options of the control plane name, as far as `files` bring them: a program ends at one that it
//! cannot read, or that is of another kind.

use imgforge_spec::plain_path;
use serde_yaml::Value;

use super::{Context, Found, Rule, extra_args::path, volumes::on_host};
use crate::{
    cluster::{Cluster, ExtraFile},
    engine::Engine,
    kubeadm::volumes::{PLACES, Place},
};

pub const RULES: &[Rule] =
    &[Rule::error("option-file-kind", "files that options name hold what the program reads there", kind)];

/// A configuration by the option that names its file: its kind, and what must not be empty in it.
const KINDS: [(&str, &str, Option<&str>); 8] = [
    ("admission-control-config-file", "AdmissionConfiguration", None),
    ("audit-policy-file", "Policy", Some("rules")),
    ("authentication-config", "AuthenticationConfiguration", None),
    ("authorization-config", "AuthorizationConfiguration", Some("authorizers")),
    ("config", "KubeSchedulerConfiguration", None),
    ("egress-selector-config-file", "EgressSelectorConfiguration", None),
    ("encryption-provider-config", "EncryptionConfiguration", Some("resources")),
    ("tracing-config-file", "TracingConfiguration", None),
];

/// What is larger than this is no configuration that somebody wrote, in bytes.
const MOST: usize = 1 << 20;

fn kind(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let mut found: Vec<Found> = Vec::new();
    for place in &PLACES {
        for (option, named) in place.paths(cluster, &KINDS.map(|(option, ..)| option)) {
            let on_host = on_host(place, cluster, &named).unwrap_or(named);
            let mut flaws = texts(cluster, &on_host).filter_map(|text| flaw(cluster, place, option, text));
            if let Some((message, suggestion)) = flaws.next() {
                let message = format!("{on_host} {message}");
                found.push(Found::new(path(place.setting, option), message).suggest(suggestion));
            }
        }
    }
    found
}

/// What `files` write to `path` on masters.
fn texts<'a>(cluster: &'a Cluster, path: &'a str) -> impl Iterator<Item = &'a str> {
    let of_masters = cluster.masters().flat_map(|node| &node.files);
    let files = cluster.files.iter().chain(of_masters).filter(move |file| plain_path(&file.path) == path);
    let text = |file: &'a ExtraFile| match &file.content {
        Some(content) => Some(content.as_str()),
        None => file.bytes.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok()),
    };
    files.filter_map(text).filter(|text| text.len() <= MOST)
}

/// What is the matter with a configuration, and what to write.
fn flaw(cluster: &Cluster, place: &Place, option: &str, text: &str) -> Option<(String, String)> {
    let (_, kind, list) = KINDS.iter().find(|(other, ..)| *other == option)?;
    let Ok(document) = serde_yaml::from_str::<Value>(text) else {
        return Some(("is no single document of YAML: the program ends".into(), format!("write a {kind}")));
    };
    let field = |name: &str| document.get(name).and_then(Value::as_str);
    if field("kind") != Some(kind) || field("apiVersion").is_none() {
        let message = format!("is no {kind}: the program ends");
        return Some((message, format!("begin it with `apiVersion` and `kind: {kind}`")));
    }
    let is_empty = |list: &&str| document.get(*list).and_then(Value::as_sequence).is_none_or(Vec::is_empty);
    if let Some(list) = list.filter(|list| is_empty(list)) {
        return Some((
            format!("has no `{list}`: the program ends"),
            format!("give one of the {list} at least"),
        ));
    }
    let kubeconfig =
        document.get("clientConnection").and_then(|connection| connection.get("kubeconfig")?.as_str());
    let is_lost = place.setting == "scheduler" && cluster.engine == Engine::Kubeadm && kubeconfig.is_none();
    is_lost.then(|| {
        let message =
            "does not say how to reach the API server, and kubeadm's own option is not read beside it";
        let suggestion = "give `clientConnection: { kubeconfig: /etc/kubernetes/scheduler.conf }` in it";
        (message.into(), suggestion.into())
    })
}
