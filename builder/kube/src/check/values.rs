//! What fields that are passed on hold, each by itself.

use serde_yaml::Value;

use super::{
    Context, Found, Rule,
    fields::{KUBEADM, KUBELET},
    shape::{Field, Flaw, fields_flaws},
};
use crate::cluster::Fields;

pub const RULES: &[Rule] = &[
    Rule::notice("unknown-field", "fields that are passed on are ones that Kubernetes knows", unknown_field),
    Rule::error("field-value", "fields that are passed on hold what Kubernetes reads there", field_value),
];

/// All fields that are passed on, with the setting that they stand in.
fn passed<'a>(context: &Context<'a>) -> impl Iterator<Item = (String, &'a Fields, &'static [Field])> {
    let cluster = context.cluster;
    let of_nodes = context.nodes().map(|at| (at.path("kubelet"), &at.node.kubelet, &KUBELET[..]));
    let of_all = [
        ("kubelet".to_owned(), &cluster.kubelet, &KUBELET[..]),
        ("kubeadm".to_owned(), &cluster.kubeadm, &KUBEADM[..]),
    ];
    of_all.into_iter().chain(of_nodes)
}

/// What is the matter with them, with the settings in question.
fn flaws(context: &Context<'_>) -> Vec<(String, Flaw)> {
    let of_setting = |(setting, fields, known): (String, &Fields, &'static [Field])| {
        let flaws = fields_flaws(known, "", &Value::Mapping(fields.0.clone()));
        flaws.into_iter().map(move |flaw| {
            let name = flaw.name();
            let field = name.find(['.', '[']).map_or(name, |end| &name[..end]);
            (format!("{setting}.{field}"), flaw)
        })
    };
    passed(context).flat_map(of_setting).collect()
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
