//! `imgforge cluster upgrade --plan`: in which order cards are written.

use std::path::Path;

use imgforge_spec::Role;

use crate::{
    build::error::Error,
    host::console::Console,
    running::{
        look::look,
        places::Tunnels,
        upgrade::{Step, Upgrade, plan},
    },
    target::cluster::ClusterFile,
};

/// Runs the command.
pub(super) fn run(
    file: &ClusterFile<'_>,
    tunnels: &Tunnels,
    path: &Path,
    console: &Console,
) -> Result<(), Error> {
    // What the file itself cannot have, such as 32-bit boards beyond 1.26, is an error here; the rest `cluster check` says.
    file.notices()?;
    let cluster = file.cluster();
    let seen = look(cluster, &file.secrets()?, tunnels)?;
    if let Some(problem) = seen.api.problem {
        return Err(Error::NotReady { cluster: seen.cluster, missing: vec![problem] });
    }
    let upgrade = plan(cluster, &seen);
    upgrade.notices.iter().for_each(|notice| console.note(&format!("notice: {notice}")));
    if !upgrade.obstacles.is_empty() {
        return Err(Error::Upgrade { cluster: cluster.name.clone(), obstacles: upgrade.obstacles });
    }
    let group = |release| cluster.engine.admin_group(release);
    let changes_administrator = upgrade.steps.iter().any(|step| group(step.from) != group(step.to));
    let has_backup = cluster.engine.has_etcd(cluster);
    if !has_backup && !upgrade.steps.is_empty() {
        console.note("notice: this cluster's objects are in a file of SQLite, of which there is no backup: save the master's disk first");
    }
    crate::commands::print(console, &page(&upgrade, path, has_backup, changes_administrator))
}

fn page(upgrade: &Upgrade, path: &Path, has_backup: bool, changes_administrator: bool) -> String {
    if upgrade.steps.is_empty() {
        return "all nodes run what the file wants\n".into();
    }
    let file = path.display();
    let backup = has_backup.then(|| format!("imgforge cluster backup --cluster {file}"));
    let mut lines: Vec<String> = backup.into_iter().collect();
    lines.extend(upgrade.steps.iter().map(|step| card(step, &file.to_string())));
    if changes_administrator {
        lines.push(format!("imgforge kubeconfig --cluster {file}  # the administrator's group is another"));
    }
    lines.iter().zip(1..).map(|(line, number)| format!("{number}. {line}\n")).collect()
}

fn card(step: &Step, file: &str) -> String {
    let Step { hostname, role, from, to } = step;
    let build = format!("imgforge build --cluster {file} --node {hostname}");
    let wait = format!("imgforge status --cluster {file} --wait");
    if *role == Role::Master {
        return format!("{hostname}, {from} to {to}: {build}; write the card, switch on; {wait}");
    }
    format!(
        "{hostname}, {from} to {to}: kubectl drain {hostname} --ignore-daemonsets --delete-emptydir-data; {build}; write the card, \
         switch on; {wait}; kubectl uncordon {hostname}"
    )
}
