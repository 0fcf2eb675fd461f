//! The order in which cards are written so that a cluster comes to the release that its file wants, and what stands against it:
//! <https://kubernetes.io/releases/version-skew-policy/>. No card goes more than one minor release at a time, masters before
//! workers, one master after the other.

use imgforge_kube::{
    cluster::{Cluster, Role},
    engine::Engine,
    version::{Version, skew},
};

use super::look::{Look, NodeLook};

/// How a cluster comes to the release that its file wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// The cards, in the order in which they are written.
    pub steps: Vec<Step>,
    /// What has to be otherwise before the first card.
    pub obstacles: Vec<String>,
    /// What should be known.
    pub notices: Vec<String>,
}

/// A card to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The node.
    pub hostname: String,
    /// What it does.
    pub role: Role,
    /// The release it runs.
    pub from: Version,
    /// The release of its card.
    pub to: Version,
}

/// The way from what `look` has seen to what `cluster` wants.
pub fn plan(cluster: &Cluster, look: &Look) -> Upgrade {
    let mut upgrade = Upgrade::default();
    let members: Vec<Found<'_>> =
        look.nodes.iter().filter_map(|node| found(cluster, node, &mut upgrade.notices)).collect();
    let masters: Vec<&Found<'_>> = members.iter().filter(|found| found.look.role == Role::Master).collect();
    let changes = |found: &&Found<'_>| found.runs != found.wanted;
    let changing: Vec<&Found<'_>> = masters.iter().copied().filter(|found| changes(found)).collect();
    for master in &changing {
        upgrade.obstacles.extend(of_master(master));
    }
    if !changing.is_empty() {
        upgrade.obstacles.extend(of_all_masters(cluster, look, &changing));
    }
    // Each kubelet has to suit the newest API server for as long as it stays, and the oldest as soon as it is there.
    let newest = masters.iter().map(|found| found.runs.max(found.wanted)).max();
    let oldest_after = masters.iter().map(|found| found.wanted).min();
    for worker in members.iter().filter(|found| found.look.role == Role::Worker) {
        upgrade.obstacles.extend(of_worker(worker, newest, oldest_after));
    }
    let step = |found: &Found<'_>| Step {
        hostname: found.look.hostname.clone(),
        role: found.look.role,
        from: found.runs,
        to: found.wanted,
    };
    let workers = members.iter().filter(|found| found.look.role == Role::Worker).filter(changes);
    upgrade.steps = changing.into_iter().chain(workers).map(step).collect();
    upgrade
}

/// A node that runs.
struct Found<'a> {
    look: &'a NodeLook,
    runs: Version,
    wanted: Version,
    /// Whether the cluster's data is not on its card.
    keeps_data: bool,
}

fn found<'a>(cluster: &Cluster, look: &'a NodeLook, notices: &mut Vec<String>) -> Option<Found<'a>> {
    let wanted = look.wanted?;
    let name = &look.hostname;
    let Some(member) = &look.member else {
        notices.push(format!(
            "{name} is no member of the cluster yet: its card joins with {wanted}, after the masters have it"
        ));
        return None;
    };
    let Ok(runs) = member.kubelet.parse() else {
        notices.push(format!(
            "{name} runs `{}`, which is no release of Kubernetes: it is left out",
            member.kubelet
        ));
        return None;
    };
    if !member.ready && look.role == Role::Worker {
        notices.push(format!("{name} is not Ready"));
    }
    let keeps_data = cluster.node(name).is_some_and(|node| node.has_disk_for(cluster.engine.data()));
    Some(Found { look, runs, wanted, keeps_data })
}

fn of_master(master: &Found<'_>) -> Option<String> {
    let Found { look, runs, wanted, .. } = master;
    let name = &look.hostname;
    if wanted.minor < runs.minor {
        return Some(format!(
            "{name} runs {runs}, and the file wants {wanted}: Kubernetes does not go back to an earlier minor release"
        ));
    }
    (wanted.minor > runs.minor + 1).then(|| {
        format!(
            "{name} runs {runs}, and the file wants {wanted}: one minor release at a time. Put 1.{} into the file first",
            runs.minor + 1
        )
    })
}

fn of_all_masters(cluster: &Cluster, look: &Look, changing: &[&Found<'_>]) -> Vec<String> {
    let mut obstacles = Vec::new();
    let count = cluster.masters().count();
    let data = cluster.engine.data();
    let whose = match cluster.engine {
        Engine::Kubeadm => "etcd",
        Engine::K3s => "k3s",
    };
    let loses: Vec<&str> =
        changing.iter().filter(|found| !found.keeps_data).map(|found| found.look.hostname.as_str()).collect();
    match (count, loses.as_slice()) {
        (_, []) => {}
        (1, [name, ..]) => obstacles.push(format!(
            "{name} is the only master, and {whose}'s data is on its card, which is written anew: the cluster would be gone. `storage` \
             puts {data} on a disk; or save the data and bring it back by hand"
        )),
        (2, names) => obstacles.push(format!(
            "{}: etcd's data is on the card, and the other of two masters alone has no majority, so a new card could not join. \
             `storage` puts {data} on a disk",
            names.join(", ")
        )),
        _ => {}
    }
    if count > 1 {
        let unwell = look.nodes.iter().filter(|node| node.role == Role::Master && !node.is_well());
        obstacles.extend(unwell.map(|node| {
            format!(
                "{} is {}: each master has to be Ready before the next is switched off",
                node.hostname,
                node.state.words()
            )
        }));
        if let Some(etcd) = look.etcd.as_ref().filter(|etcd| etcd.well < etcd.members.len()) {
            let members = etcd.members.len();
            obstacles.push(format!(
                "etcd has {members} members, of which {} answer: with one more away {} have to",
                etcd.well, etcd.majority
            ));
        }
    }
    obstacles
}

fn of_worker(worker: &Found<'_>, newest: Option<Version>, oldest_after: Option<Version>) -> Option<String> {
    let Found { look, runs, wanted, .. } = worker;
    let name = &look.hostname;
    if wanted.minor < runs.minor {
        return Some(format!(
            "{name} runs {runs}, and the file wants {wanted}: a kubelet does not go back to an earlier minor release"
        ));
    }
    if let Some(Err(refusal)) = newest.map(|newest| skew(newest, *runs)) {
        return Some(format!("{name}: {refusal}. Write its card with a release between first"));
    }
    let refusal = oldest_after.and_then(|oldest| skew(oldest, *wanted).err())?;
    Some(format!("{name}: {refusal}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::running::look::{ApiLook, Membership, State};

    /// A cluster whose file wants `wanted`, with masters and workers that run releases.
    fn trial(wanted: &str, disks: bool, masters: &[&str], workers: &[&str]) -> Upgrade {
        let storage = if disks { "storage: [{ path: /var/lib/etcd, on: /mnt/etcd }]" } else { "storage: []" };
        let mut text = format!("kubernetes: {wanted}\nnodes:\n");
        let nodes = masters.iter().enumerate().map(|(i, runs)| (format!("m{i}"), "master", *runs));
        let nodes: Vec<_> = nodes
            .chain(workers.iter().enumerate().map(|(i, runs)| (format!("w{i}"), "worker", *runs)))
            .collect();
        for (name, role, _) in &nodes {
            text += &format!("  - {{ hostname: {name}, board: rpi4, role: {role}, {storage} }}\n");
        }
        let cluster: Cluster = serde_yaml::from_str(&text).unwrap();
        let see = |(name, role, runs): &(String, &str, &str)| NodeLook {
            hostname: name.clone(),
            role: role.parse().unwrap(),
            state: State::Ready,
            reachable: true,
            addresses: Vec::new(),
            stage: None,
            member: (!runs.is_empty()).then(|| Membership {
                ready: true,
                since: None,
                heard: None,
                message: String::new(),
                kubelet: format!("v{runs}"),
                cordoned: false,
                pressure: Vec::new(),
            }),
            wanted: Some(cluster.kubernetes),
            certificate: None,
            disk: None,
            etcd: None,
            problems: Vec::new(),
            next: Vec::new(),
        };
        let look = Look {
            cluster: "home".into(),
            kubernetes: cluster.kubernetes,
            at: 0,
            ready: true,
            api: ApiLook::default(),
            etcd: None,
            nodes: nodes.iter().map(see).collect(),
            others: Vec::new(),
            next: Vec::new(),
        };
        plan(&cluster, &look)
    }

    fn order(upgrade: &Upgrade) -> Vec<&str> {
        upgrade.steps.iter().map(|step| step.hostname.as_str()).collect()
    }

    #[test]
    fn masters_go_before_workers_and_who_is_there_stays() {
        let upgrade =
            trial("1.36.4", false, &["1.35.2", "1.36.4", "1.35.2"], &["1.35.2", "1.36.4", "1.33.0"]);
        assert_eq!(upgrade.obstacles, Vec::<String>::new());
        assert_eq!(order(&upgrade), ["m0", "m2", "w0", "w2"]);
        assert_eq!(trial("1.36.4", false, &["1.36.4"], &["1.36.4"]), Upgrade::default());
    }

    #[test]
    fn what_cannot_go_is_said_beforehand() {
        for (upgrade, expected) in [
            (
                trial("1.36.4", true, &["1.34.1"], &[]),
                "m0 runs 1.34.1, and the file wants 1.36.4: one minor release at a time. Put 1.35 into",
            ),
            (
                trial("1.35.0", true, &["1.36.4"], &[]),
                "m0 runs 1.36.4, and the file wants 1.35.0: Kubernetes does not go back",
            ),
            (
                trial("1.36.4", false, &["1.35.2"], &[]),
                "m0 is the only master, and etcd's data is on its card",
            ),
            (
                trial("1.36.4", false, &["1.35.2", "1.35.2"], &[]),
                "m0, m1: etcd's data is on the card, and the other of two",
            ),
            (
                trial("1.36.4", true, &["1.35.2"], &["1.32.0"]),
                "w0: the kubelet (1.32.0) may be 3 minor releases older than the control plane (1.36.4)",
            ),
        ] {
            assert!(
                upgrade.obstacles.first().is_some_and(|first| first.starts_with(expected)),
                "{expected}: {upgrade:?}"
            );
        }
    }

    #[test]
    fn a_patch_release_goes_both_ways_and_new_nodes_wait() {
        let upgrade = trial("1.36.1", true, &["1.36.4"], &["1.36.4", ""]);
        assert_eq!((order(&upgrade), upgrade.obstacles.len()), (vec!["m0", "w0"], 0));
        assert!(upgrade.notices[0].starts_with("w1 is no member of the cluster yet"), "{upgrade:?}");
    }
}
