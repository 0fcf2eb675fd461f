//! What to do next about what is seen.

use imgforge_kube::{cluster::Role, engine::Engine, version::Version};

use super::{EtcdLook, Look, NodeLook, State};
use crate::host::clock;

const DAY: i64 = 86_400;
/// Masters renew with 120 days left; with so many something keeps them from it.
const FEW_DAYS: i64 = 60;
/// A kubelet says every ten seconds that it lives.
const SILENT: i64 = 120;
/// With a tenth left the kubelet puts pods out.
const FULL: u64 = 85;
/// etcd takes no more beyond 2 GiB unless it is told otherwise.
const LARGE_DATABASE: u64 = 1_600 << 20;

/// Says what to do next, of each node and of the whole.
pub(super) fn give(look: &mut Look, engine: Engine) {
    let (at, api_answers) = (look.at, look.api.server.is_some());
    for node in &mut look.nodes {
        node.next = of_node(node, engine, at, api_answers);
    }
    let members: Vec<&str> =
        look.nodes.iter().filter(|n| n.role == Role::Master).map(|n| n.hostname.as_str()).collect();
    let mut next = Vec::new();
    if !api_answers {
        next.push(match look.nodes.iter().any(|node| node.role == Role::Master && node.reachable) {
            false => "no master can be reached: are they switched on?".to_owned(),
            true => {
                format!(
                    "wait for the masters; on one of them, `imgforge-status` and `journalctl -u {}` say more",
                    engine.service(Role::Master)
                )
            }
        });
    }
    if !look.api.failing.is_empty() {
        next.push(format!("the API server's own checks fail: {}", look.api.failing.join(", ")));
    }
    if let Some(etcd) = &look.etcd {
        next.extend(of_etcd(etcd, &members));
    }
    for other in &look.others {
        next.push(format!("{other} is in the cluster and not in the file: add it there, or `imgforge cluster remove {other}`"));
    }
    look.next = next;
}

fn of_node(node: &NodeLook, engine: Engine, at: i64, api_answers: bool) -> Vec<String> {
    let name = &node.hostname;
    let mut next = Vec::new();
    match node.state {
        State::Unreachable if node.addresses.is_empty() => next.push(format!(
            "neither `{name}` nor `{name}.local` has an address: is it switched on? Does the router know its name?"
        )),
        State::Unreachable => next.push(format!("is it switched on? `ping {}`", node.addresses.join("`, `ping "))),
        State::Failed => {
            let stage = node.stage.as_ref().map_or("", |stage| &stage.stage);
            next.push(format!(
                "mend what it says; on the node, `journalctl -t imgforge`, then `systemctl restart imgforge-{stage}`"
            ));
        }
        State::Up if node.role == Role::Base => next.push("is it this node that has the address?".into()),
        State::Up if api_answers => next.push(
            "it is no member: its first boot has hardly begun, or it is another machine; on the node, `imgforge-status`".into(),
        ),
        State::NotReady if !node.reachable => next.push(match node.role {
            Role::Master => format!(
                "is it switched on? If its card or disk is dead, write a card anew, or `imgforge cluster remove {name}`"
            ),
            _ => format!("is it switched on? If its card is dead, write it again, or `imgforge cluster remove {name}`"),
        }),
        State::NotReady => {
            let service = engine.service(node.role);
            next.push(format!("on the node, `journalctl -u {service}` and `imgforge-status` say more"));
        }
        State::Ready | State::ComingUp | State::Up => {}
    }
    if let Some(member) = &node.member {
        let silent = member.heard.map(|heard| at.saturating_sub(heard)).filter(|silent| *silent > SILENT);
        if let Some(silent) = silent.filter(|_| member.ready) {
            next.push(format!("the cluster has not heard it for {silent} s: is this machine's clock right?"));
        }
        if member.cordoned {
            next.push(format!("new pods are kept off: `kubectl uncordon {name}` ends that"));
        }
        if !member.pressure.is_empty() {
            next.push(format!("it is short of something: {}", member.pressure.join(", ")));
        }
        let runs: Option<Version> = member.kubelet.parse().ok();
        if let (Some(runs), Some(wanted)) = (runs, node.wanted)
            && runs != wanted
        {
            next.push(format!(
                "it runs {runs}, and the file wants {wanted}: `imgforge cluster upgrade --plan`"
            ));
        }
    }
    if let Some(certificate) = &node.certificate {
        let days = (certificate.end - at).div_euclid(DAY);
        if days < FEW_DAYS {
            next.push(format!(
                "the certificate of {} ends in {days} days ({}): on the node, `systemctl start {}`",
                certificate.of,
                clock::utc(certificate.end),
                engine.renewal()
            ));
        }
    }
    if let Some(disk) = node.disk.filter(|disk| disk.used() >= FULL) {
        next.push(format!(
            "its disk is {} % full; the kubelet puts pods out where a tenth is left",
            disk.used()
        ));
    }
    if let Some(etcd) = node.etcd.as_ref().filter(|etcd| etcd.size > LARGE_DATABASE) {
        let mib = etcd.size >> 20;
        next.push(format!(
            "etcd's database has {mib} MiB, and takes no more at 2048: `etcdctl defrag` in its pod"
        ));
    }
    next
}

fn of_etcd(etcd: &EtcdLook, masters: &[&str]) -> Vec<String> {
    let mut next = Vec::new();
    let EtcdLook { majority, well, .. } = etcd;
    if well < majority {
        next.push(format!(
            "etcd has no majority: {well} of its members answer, and {majority} have to. Bring back masters that are off; take none out"
        ));
    }
    if etcd.leader.is_none() {
        next.push("etcd has no leader".into());
    }
    if !etcd.alarms.is_empty() {
        next.push(format!(
            "etcd has raised an alarm: {}. After NOSPACE: `etcdctl compact`, `defrag` and `alarm disarm` in its pod",
            etcd.alarms.join(", ")
        ));
    }
    for member in etcd.members.iter().filter(|member| !member.answers) {
        match member.name.as_str() {
            "" => next.push(format!(
                "etcd has a member at {} that has never started: a master that joins, or joined half-way",
                member.peer_urls.join(", ")
            )),
            name if !masters.contains(&name) => next.push(format!(
                "etcd has a member {name}, which is no master of the file: `imgforge cluster remove {name}`"
            )),
            _ => {}
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::running::look::{Certificate, Disk, MemberLook, Membership, StageLook};

    fn node(state: State) -> NodeLook {
        NodeLook {
            hostname: "k8s-worker-1".into(),
            role: Role::Worker,
            state,
            reachable: state != State::Unreachable,
            addresses: vec!["192.168.1.11".into()],
            stage: None,
            member: None,
            wanted: Some(Version::new(36, 4)),
            certificate: None,
            disk: None,
            etcd: None,
            problems: Vec::new(),
            next: Vec::new(),
        }
    }

    fn member(kubelet: &str) -> Membership {
        Membership {
            ready: true,
            since: Some(0),
            heard: Some(999),
            message: String::new(),
            kubelet: kubelet.into(),
            cordoned: false,
            pressure: Vec::new(),
        }
    }

    #[test]
    fn a_node_that_is_well_needs_nothing() {
        let well = NodeLook { member: Some(member("v1.36.4")), ..node(State::Ready) };
        assert_eq!(of_node(&well, Engine::Kubeadm, 1000, true), Vec::<String>::new());
    }

    #[test]
    fn each_thing_has_its_advice() {
        let stage = StageLook {
            stage: "storage".into(),
            state: "failed".into(),
            since: None,
            message: String::new(),
            retry_at: None,
        };
        let cases = [
            (
                NodeLook { addresses: Vec::new(), ..node(State::Unreachable) },
                "neither `k8s-worker-1` nor `k8s-worker-1.local`",
            ),
            (node(State::Unreachable), "is it switched on? `ping 192.168.1.11`"),
            (
                NodeLook { stage: Some(stage), ..node(State::Failed) },
                "mend what it says; on the node, `journalctl -t imgforge`, then `systemctl restart imgforge-storage`",
            ),
            (
                NodeLook { reachable: false, ..node(State::NotReady) },
                "is it switched on? If its card is dead, write it again",
            ),
            (
                NodeLook { member: Some(member("v1.35.2")), ..node(State::Ready) },
                "it runs 1.35.2, and the file wants 1.36.4",
            ),
            (
                NodeLook {
                    member: Some(Membership { heard: Some(500), ..member("v1.36.4") }),
                    ..node(State::Ready)
                },
                "the cluster has not heard it for 500 s",
            ),
            (
                NodeLook {
                    certificate: Some(Certificate { of: "etcd".into(), end: 1000 + 59 * DAY }),
                    ..node(State::Ready)
                },
                "the certificate of etcd ends in 59 days (1970-03-01T00:16:40Z)",
            ),
            (
                NodeLook { disk: Some(Disk { size: 100, free: 15 }), ..node(State::Ready) },
                "its disk is 85 % full",
            ),
        ];
        for (node, expected) in cases {
            let next = of_node(&node, Engine::Kubeadm, 1000, true);
            assert!(next.len() == 1 && next[0].starts_with(expected), "{expected}: {next:?}");
        }
    }

    #[test]
    fn a_lost_majority_is_said_with_the_numbers() {
        let member = |name: &str, answers| MemberLook {
            id: "1".into(),
            name: name.into(),
            peer_urls: vec!["https://192.168.1.9:2380".into()],
            learner: false,
            answers,
        };
        let etcd = EtcdLook {
            members: vec![member("k8s-master-1", true), member("gone", false), member("", false)],
            majority: 2,
            well: 1,
            leader: None,
            alarms: Vec::new(),
        };
        let next = of_etcd(&etcd, &["k8s-master-1"]);
        assert!(
            next[0].starts_with("etcd has no majority: 1 of its members answer, and 2 have to."),
            "{next:?}"
        );
        assert!(
            next[2].contains("`imgforge cluster remove gone`") && next[3].contains("has never started"),
            "{next:?}"
        );
    }
}
