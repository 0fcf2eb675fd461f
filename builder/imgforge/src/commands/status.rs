//! `imgforge status`: a look at all nodes of a cluster.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::cluster::with_running;
use crate::{
    build::error::Error,
    cli::StatusArgs,
    host::{clock, console::Console, settings::Settings},
    running::look::{EtcdLook, Look, NodeLook, look},
};

/// Between two looks. A board that is slow to answer has other work to do, so the pause is as long as the look, within these.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Seconds after which no cluster takes a silent kubelet for well: it waits for 40, or 120 where nodes are slow boards.
const SILENCE: i64 = 300;
/// A message of a node is the beginning of it, in a table.
const SHOWN: usize = 160;

/// Runs the command.
pub fn run(args: &StatusArgs, settings: &Settings, console: &Console) -> Result<(), Error> {
    with_running(&args.running, settings, |file, tunnels| {
        let (cluster, secrets) = (file.cluster(), file.secrets()?);
        let mut begun = Instant::now();
        let mut seen = look(cluster, &secrets, tunnels)?;
        if args.wait {
            let until = Instant::now() + Duration::from_secs(args.timeout.0.into());
            let mut told: Vec<String> = Vec::new();
            let mut before: Vec<Option<i64>> = Vec::new();
            loop {
                let heard: Vec<_> = seen.nodes.iter().map(heard).collect();
                seen.ready &= !is_outdated(&heard, &before);
                before = heard;
                let lines = summary(&seen);
                lines.iter().filter(|line| !told.contains(line)).for_each(|line| {
                    let time = clock::utc(seen.at);
                    console.note(&format!("{} {line}", time.get("2026-09-21T".len()..).unwrap_or_default()));
                });
                told = lines;
                if seen.ready || Instant::now() + PAUSE > until {
                    break;
                }
                thread::sleep(begun.elapsed().clamp(PAUSE, LONGEST_PAUSE));
                begun = Instant::now();
                seen = look(cluster, &secrets, tunnels)?;
            }
        }
        if args.json {
            super::print_json(console, &seen)?
        } else {
            super::print(console, &page(&seen))?
        }
        if seen.ready { Ok(()) } else { Err(not_ready(&seen)) }
    })
}

fn heard(node: &NodeLook) -> Option<i64> {
    node.member.as_ref()?.heard
}

/// Whether a node that may be dead is among those whose kubelets were `heard` at these times: a control plane that has just come back
/// has not missed it yet. A clock that is behind is no death: that kubelet is heard at other times than in the look `before`.
fn is_outdated(heard: &[Option<i64>], before: &[Option<i64>]) -> bool {
    let newest = heard.iter().flatten().max().copied().unwrap_or_default();
    let is_silent = |at: &i64| newest.saturating_sub(*at) > SILENCE;
    let nodes = heard.iter().enumerate().filter(|(_, at)| at.as_ref().is_some_and(is_silent));
    nodes.into_iter().any(|(index, at)| before.get(index).is_none_or(|before| before == at))
}

fn not_ready(look: &Look) -> Error {
    let api = look.api.server.is_none().then(|| "the API server does not answer".to_owned());
    let nodes = look.nodes.iter().filter(|node| !node.is_well());
    let nodes = nodes.map(|node| format!("{} is {}", node.hostname, node.state.words()));
    let mut missing: Vec<String> = api.into_iter().chain(nodes).collect();
    if missing.is_empty() {
        missing.push("a node has not been heard since before the control plane was away".into());
    }
    Error::NotReady { cluster: look.cluster.clone(), missing }
}

/// One line for each thing whose change is told.
fn summary(look: &Look) -> Vec<String> {
    let api = match &look.api.server {
        Some(server) => format!("the API server answers at {server}"),
        None => "the API server does not answer".to_owned(),
    };
    let line = |node: &NodeLook| {
        let message = message(node);
        let colon = if message.is_empty() { "" } else { ": " };
        format!("{} is {}{colon}{message}", node.hostname, node.state.words())
    };
    [api].into_iter().chain(look.nodes.iter().map(line)).collect()
}

/// What there is to say of a node in one line: where it is, or what is wrong.
fn message(node: &NodeLook) -> String {
    let stage = node.stage.as_ref().map(|stage| {
        let next = stage.retry_at.map(|at| format!(" (next try {})", clock::utc(at))).unwrap_or_default();
        let colon = if stage.message.is_empty() { "" } else { ": " };
        format!("{} is {}{colon}{}{next}", stage.stage, stage.state, stage.message)
    });
    let member =
        node.member.as_ref().map(|member| member.message.clone()).filter(|message| !message.is_empty());
    let said: Vec<String> = stage.into_iter().chain(member).chain(node.problems.iter().cloned()).collect();
    said.join("; ").replace('\n', " ").chars().take(SHOWN).collect()
}

fn page(look: &Look) -> String {
    let mut page = format!("{}, Kubernetes {}: ", look.cluster, look.kubernetes);
    page += &match (&look.api.server, &look.api.problem) {
        (Some(server), _) => format!("the API server answers at {server}\n"),
        (None, problem) => {
            format!("the API server does not answer: {}\n", problem.as_deref().unwrap_or_default())
        }
    };
    if let Some(etcd) = &look.etcd {
        page += &format!("{}\n", of_etcd(etcd, look));
    }
    let head =
        ["NODE", "ROLE", "STATE", "SINCE", "RELEASE", "CERTIFICATES", "DISK", "MESSAGE"].map(String::from);
    let rows = [head].into_iter().chain(look.nodes.iter().map(row));
    page += &format!("\n{}", super::table(rows.collect()));
    let of_nodes =
        look.nodes.iter().flat_map(|node| node.next.iter().map(move |next| (Some(&node.hostname), next)));
    let next: Vec<_> = look.next.iter().map(|next| (None, next)).chain(of_nodes).collect();
    if !next.is_empty() {
        page += "\nWhat to do next:\n";
    }
    for (node, next) in next {
        page += &node.map_or_else(|| format!("  {next}\n"), |node| format!("  {node}: {next}\n"));
    }
    page
}

fn row(node: &NodeLook) -> [String; 8] {
    let day = |at: i64| clock::utc(at).chars().take("2026-09-21".len()).collect::<String>();
    let since = match (&node.stage, &node.member) {
        (Some(stage), _) => stage.since,
        (None, member) => member.as_ref().and_then(|member| member.since),
    };
    let release = node.member.as_ref().map(|member| member.kubelet.trim_start_matches('v').to_owned());
    [
        node.hostname.clone(),
        node.role.to_string(),
        node.state.words().to_owned(),
        since.map(clock::utc).unwrap_or_default(),
        release.unwrap_or_default(),
        node.certificate.as_ref().map(|certificate| day(certificate.end)).unwrap_or_default(),
        node.disk.map(|disk| format!("{} %", disk.used())).unwrap_or_default(),
        message(node),
    ]
}

fn of_etcd(etcd: &EtcdLook, look: &Look) -> String {
    let all = etcd.members.iter().filter(|member| !member.learner).count();
    let size = look.nodes.iter().filter_map(|node| Some(node.etcd.as_ref()?.size)).max().unwrap_or_default();
    let leader = etcd.leader.as_ref().map_or("nobody leads".to_owned(), |leader| format!("{leader} leads"));
    let lose = match etcd.well.checked_sub(etcd.majority) {
        None => "it has no majority".to_owned(),
        Some(0) => "none may be lost".to_owned(),
        Some(count) => format!("{count} may be lost"),
    };
    let alarms =
        if etcd.alarms.is_empty() { String::new() } else { format!(", alarms: {}", etcd.alarms.join(", ")) };
    format!(
        "etcd: {} of {all} members answer, {lose}, {leader}, {} MiB{alarms}",
        etcd.well,
        size.div_ceil(1 << 20)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_nobody_has_missed_yet_has_to_be_heard_again() {
        let (new, old) = (Some(10_000), Some(9_000));
        assert!(is_outdated(&[new, old], &[]));
        assert!(is_outdated(&[new, old], &[Some(9_990), old]));
        assert!(!is_outdated(&[new, old], &[Some(9_990), Some(8_990)]), "its clock is behind");
        assert!(!is_outdated(&[new, Some(9_800)], &[]));
        assert!(!is_outdated(&[new, None], &[]), "nobody says anything of it");
        assert!(!is_outdated(&[old], &[]), "nobody says what is new");
    }
}
