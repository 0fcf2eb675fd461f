//! etcd as a whole: its members and how many of them may still be lost.

use imgforge_kube::cluster::Cluster;
use schemars::JsonSchema;
use serde::Serialize;

use super::NodeLook;
use crate::running::etcd::Etcd;

/// etcd as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct EtcdLook {
    /// Its members, as one of them knows them.
    pub members: Vec<MemberLook>,
    /// As many of those with a vote have to agree.
    pub majority: usize,
    /// As many with a vote answer.
    pub well: usize,
    /// The name of who leads; unset: nobody.
    pub leader: Option<String>,
    /// What members have raised an alarm for: `NOSPACE of k8s-master-1`.
    pub alarms: Vec<String>,
}

/// A member as the others know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct MemberLook {
    /// Its number, in hexadecimal digits as etcdctl prints it.
    pub id: String,
    /// The node's name; empty as long as it has never started.
    pub name: String,
    /// Where the others reach it.
    pub peer_urls: Vec<String>,
    /// Whether it has no vote yet.
    pub learner: bool,
    /// Whether it answers.
    pub answers: bool,
}

/// The least that is more than half of `voters`.
pub(crate) fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// What the first member that answers says of all; `nodes` have been asked already.
pub(super) fn see(cluster: &Cluster, etcd: &Etcd, nodes: &[NodeLook]) -> Option<EtcdLook> {
    let answering =
        |id: &str| nodes.iter().filter_map(|node| node.etcd.as_ref()).any(|member| member.id == id);
    let asked = nodes.iter().filter(|node| node.etcd.is_some());
    let (server, members) = asked.map(|node| Etcd::on(&node.hostname)).find_map(|server| {
        let members = etcd.members(&server).ok()?;
        Some((server, members))
    })?;
    let members: Vec<MemberLook> = members
        .into_iter()
        .map(|member| {
            let id = format!("{:x}", member.id);
            MemberLook {
                answers: answering(&id),
                id,
                name: member.name,
                peer_urls: member.peer_urls,
                learner: member.is_learner,
            }
        })
        .collect();
    let name_of = |id: &str| match members.iter().find(|member| member.id == id) {
        Some(member) if !member.name.is_empty() => member.name.clone(),
        _ => id.to_owned(),
    };
    let alarms = etcd.alarms(&server).unwrap_or_default();
    let alarms =
        alarms.iter().map(|alarm| format!("{} of {}", alarm.alarm, name_of(&format!("{:x}", alarm.member))));
    // Who is cut off from the others still believes in the last leader, so each is asked, in the file's order.
    let of = |master: &str| nodes.iter().find(|node| node.hostname == master)?.etcd.as_ref()?.leader.clone();
    let leader = cluster.masters().find_map(|master| of(&master.hostname)).map(|id| name_of(&id));
    let voters = members.iter().filter(|member| !member.learner);
    Some(EtcdLook {
        majority: majority(voters.clone().count()),
        well: voters.filter(|member| member.answers).count(),
        leader,
        alarms: alarms.collect(),
        members,
    })
}
