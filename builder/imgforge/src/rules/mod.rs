//! Rules about a node before it exists: its finished plan, its settings, and what its system will do once the plan is
//! carried out. What a cluster file says by itself is judged before, by `imgforge-kube`; both have findings of one kind.
//!
//! A rule is a file here and a row of [`all`]. One that errs in somebody's case is overruled by its name: `allow` in a node's
//! settings or a cluster file.

mod allow;
mod alone;
mod files;
mod folders;
mod foreign;
mod hidden;
mod init;
mod modules;
mod names;
mod network;
mod packages;
mod passwords;
mod people;
mod provisioning;
mod scripts;
mod ssh;
#[cfg(test)]
mod stand_in;
mod start;

pub(crate) use self::alone::HELD as OF_LONE_NODES;
use imgforge_kube::check::{Finding, Found, Severity};

use crate::{image::entry::ChangeEntry, image::survey::Survey, plan::Request};

/// One thing that may be wrong with a node.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name, of lower-case words with hyphens: what `allow` takes.
    pub name: &'static str,
    /// How bad it is where it finds something.
    pub(crate) severity: Severity,
    /// What it wants, in one sentence.
    pub(crate) about: &'static str,
    find: fn(&Context<'_>) -> Vec<Found>,
}

/// What rules look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// What is asked for: board, role, the node's settings and its place in a cluster.
    pub request: &'a Request,
    /// Every path that will differ from the base, in all layers.
    pub changes: &'a [ChangeEntry],
    /// Names of the packages that are added.
    pub(crate) added: &'a [&'a str],
    /// What the system will do with all changes made.
    pub survey: &'a Survey,
}

/// All rules, in the order in which they are asked.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        hidden::RULES,
        network::RULES,
        names::RULES,
        provisioning::RULES,
        passwords::RULES,
        ssh::RULES,
        people::RULES,
        modules::RULES,
        init::RULES,
        foreign::RULES,
        packages::RULES,
        scripts::RULES,
        files::RULES,
        start::RULES,
        allow::RULES,
    ]
    .into_iter()
    .flatten()
}

/// Everything there is to say about a node.
pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let of_plan: Vec<Finding> = all().flat_map(|rule| rule.findings(context)).collect();
    // What the plan shows of a setting is not said twice.
    let mut findings = alone::findings(context.request);
    findings.retain(|finding| of_plan.iter().all(|other| other.path != finding.path));
    findings.extend(of_plan);
    let is_allowed = |finding: &Finding| context.request.node.allow.iter().any(|name| name == finding.name);
    findings
        .into_iter()
        .filter_map(|found| if is_allowed(&found) { found.overruled() } else { Some(found) })
        .collect()
}

impl Rule {
    const fn error(name: &'static str, about: &'static str, find: fn(&Context<'_>) -> Vec<Found>) -> Self {
        Self { name, severity: Severity::Error, about, find }
    }

    const fn notice(name: &'static str, about: &'static str, find: fn(&Context<'_>) -> Vec<Found>) -> Self {
        Self { name, severity: Severity::Notice, about, find }
    }

    fn findings(&self, context: &Context<'_>) -> Vec<Finding> {
        (self.find)(context).into_iter().map(|found| found.by(self.name, self.severity)).collect()
    }
}

#[cfg(test)]
mod tests {
    use imgforge_kube::check::OF_PLANS;

    use super::*;

    #[test]
    fn a_cluster_file_may_overrule_each() {
        let names = all().map(|rule| rule.name).filter(|name| *name != "unknown-rule");
        assert_eq!(names.collect::<Vec<_>>(), OF_PLANS);
    }
}
