//! What fields that are passed on hold, each by itself.

use serde_yaml::Value;

use super::{
    Context, Found, Rule,
    fields::{KUBEADM, KUBELET},
    is_refused,
    shape::{Field, Flaw, fields_flaws},
};
use crate::{cluster::Fields, engine::Engine};

pub const RULES: &[Rule] = &[
    Rule::notice("unknown-field", "fields that are passed on are ones that Kubernetes knows", unknown_field),
    Rule::error("field-value", "fields that are passed on hold what Kubernetes reads there", field_value),
];

/// All fields that are passed on, with the setting that they stand in.
fn passed_on<'a>(context: &Context<'a>) -> impl Iterator<Item = (String, &'a Fields, &'static [Field])> {
    let cluster = context.cluster;
    let of_nodes = context.nodes().map(|at| (at.path("kubelet"), &at.node.kubelet, &KUBELET[..]));
    let of_kubeadm = ("kubeadm".to_owned(), &cluster.kubeadm, &KUBEADM[..]);
    let of_kubeadm = Some(of_kubeadm).filter(|_| cluster.engine == Engine::Kubeadm);
    let of_all = ("kubelet".to_owned(), &cluster.kubelet, &KUBELET[..]);
    std::iter::once(of_all).chain(of_kubeadm).chain(of_nodes)
}

/// What is the matter with them, with the settings in question.
fn flaws(context: &Context<'_>) -> Vec<(String, Flaw)> {
    let of_setting = |(setting, fields, known): (String, &Fields, &'static [Field])| {
        let flaws = fields_flaws(known, "", &Value::Mapping(fields.0.clone()));
        flaws.into_iter().filter_map(move |flaw| {
            let field = flaw.name().split(['.', '[']).next().unwrap_or_default().to_owned();
            // What is not passed on at all is told by its own rule.
            let is_passed = !is_refused(setting != "kubeadm", &field);
            is_passed.then(|| (format!("{setting}.{field}"), flaw))
        })
    };
    passed_on(context).flat_map(of_setting).collect()
}

fn unknown_field(context: &Context<'_>) -> Vec<Found> {
    let told = |(setting, flaw)| match flaw {
        Flaw::Unknown(name) => Some(
            Found::new(
                setting,
                format!("`{name}` is no field that is known here: Kubernetes may read over it"),
            )
            .suggest("compare it with Kubernetes' reference, capitals included"),
        ),
        Flaw::Value { .. } => None,
    };
    flaws(context).into_iter().filter_map(told).collect()
}

fn field_value(context: &Context<'_>) -> Vec<Found> {
    let told = |(setting, flaw)| match flaw {
        Flaw::Unknown(_) => None,
        Flaw::Value { name, message, suggestion } => {
            let found = Found::new(setting, format!("`{name}` {message}"));
            Some(match suggestion {
                Some(suggestion) => found.suggest(suggestion),
                None => found,
            })
        }
    };
    flaws(context).into_iter().filter_map(told).collect()
}
