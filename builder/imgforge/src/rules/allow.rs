//! `allow` names rules that there are. That of a cluster file is judged with the file.

use imgforge_kube::check::{self, Found};

use super::{Context, Rule, all};

pub(crate) const RULES: &[Rule] =
    &[Rule::error("unknown-rule", "`allow` names rules that there are", unknown_rule)];

fn unknown_rule(context: &Context<'_>) -> Vec<Found> {
    let is_known = |name: &str| {
        all().map(|rule| rule.name).chain(check::rules().map(|rule| rule.name)).any(|n| n == name)
    };
    let names = context.request.node.allow.iter().enumerate();
    let unknown = names.filter(|(_, name)| context.request.membership.is_none() && !is_known(name));
    unknown
        .map(|(index, name)| {
            Found::new(format!("allow[{index}]"), format!("there is no rule `{name}`"))
                .suggest("`imgforge rules` lists them")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::stand_in::Node;

    #[test]
    fn a_rule_that_there_is_not_is_told() {
        let found = Node::of("allow: [known-pasword, provisioning]").findings("unknown-rule");
        assert_eq!(found, ["allow[0]: there is no rule `known-pasword`; `imgforge rules` lists them"]);
    }

    #[test]
    fn rules_of_either_table_are_known() {
        assert!(Node::of("allow: [provisioning, frozen-release]").findings("unknown-rule").is_empty());
    }
}
