//! Taking a node out of a cluster: a worker, or a master that is dead. Nothing is done by which the cluster would lose its
//! last master or etcd its majority.

use imgforge_kube::{
    cluster::{Cluster, Role},
    pki::Secrets,
};
use imgforge_spec::{Class, Diagnose, is_dns_name};

use super::{
    Error,
    connection::Server,
    etcd::{Etcd, Member},
    look::{Eyes, majority},
    places::Tunnels,
};

/// Why a node is not taken out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name is none.
    #[error("`{name}` is no node's name")]
    Name {
        /// The name.
        name: String,
    },
    /// Nobody has heard of it.
    #[error("neither the cluster file nor the cluster has a node `{name}`")]
    Unknown {
        /// Its name.
        name: String,
        /// Who the cluster has.
        nodes: Vec<String>,
    },
    /// The node is well.
    #[error("{name} is Ready")]
    Ready {
        /// Its name.
        name: String,
        /// What it does.
        master: bool,
    },
    /// The node is not Ready, and its etcd is well.
    #[error("the etcd of {name} answers: it is not dead")]
    Alive {
        /// Its name.
        name: String,
    },
    /// Nobody would be left.
    #[error("{name} is the last master: without it there is no cluster any more")]
    Last {
        /// Its name.
        name: String,
    },
    /// No member of etcd says who is one.
    #[error("no member of etcd answers:{}", problems.iter().map(|p| format!("\n  {p}")).collect::<String>())]
    NoEtcd {
        /// What each said.
        problems: Vec<String>,
    },
    /// etcd cannot agree upon anything.
    #[error(
        "etcd has no majority: of {voters} members {} {} ({}), and {majority} have to. It agrees upon nothing, so it takes nobody out",
        answering.len(), if answering.len() == 1 { "answers" } else { "answer" }, answering.join(", ")
    )]
    NoMajority {
        /// Members with a vote.
        voters: usize,
        /// Those that answer.
        answering: Vec<String>,
        /// How many have to.
        majority: usize,
    },
    /// etcd could not agree upon anything any more.
    #[error(
        "without {name} etcd would have {voters} members, of which {} {} ({}), and {majority} have to: it would lose its majority",
        answering.len(), if answering.len() == 1 { "answers" } else { "answer" }, answering.join(", ")
    )]
    LostMajority {
        /// Its name.
        name: String,
        /// Members with a vote that would be left.
        voters: usize,
        /// Those of them that answer.
        answering: Vec<String>,
        /// How many would have to.
        majority: usize,
    },
}

impl Diagnose for Refusal {
    fn class(&self) -> Class {
        match self {
            Refusal::NoEtcd { .. } | Refusal::NoMajority { .. } => Class::Cluster,
            _ => Class::Input,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Refusal::Name { .. } => return None,
            Refusal::Unknown { nodes, .. } => format!("the cluster has {}", nodes.join(", ")),
            Refusal::Ready { name, master: false } => format!(
                "`kubectl drain {name} --ignore-daemonsets --delete-emptydir-data`, switch it off, and try again in a minute; or \
                 --force, and switch it off at once"
            ),
            Refusal::Ready { name, master: true } | Refusal::Alive { name } => format!(
                "to write its card anew nothing has to be taken out; if {name} is to go, switch it off and try again in a minute, \
                 or --force, and switch it off at once"
            ),
            Refusal::Last { .. } => "its data goes on with a new card of the same name; for a new cluster, docs/security.md, \
                                     Starting over"
                .into(),
            Refusal::NoEtcd { .. } => "switch on the masters; `imgforge status` says which can be reached".into(),
            Refusal::NoMajority { .. } => {
                "switch on a master that is off. If none comes back, `etcd --force-new-cluster` on the one that is left, or with \
                 k3s `k3s server --cluster-reset`, makes a cluster of one of its data"
                    .into()
            }
            Refusal::LostMajority { .. } => "bring back a master that is off, or take out a dead one first".into(),
        })
    }
}

/// A member of etcd, and whether it answers.
#[derive(Debug, Clone)]
struct Seen {
    member: Member,
    server: Option<Server>,
    answers: bool,
}

/// What is done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Steps {
    /// The node's object goes, and no pods come to it before.
    object: bool,
    /// The number of its member of etcd, which is taken out.
    member: Option<u64>,
}

/// What is known of the node that is to go.
#[derive(Debug, Clone, Copy)]
struct Target<'a> {
    name: &'a str,
    /// Its addresses in the cluster file: a member that has never started has no name.
    addresses: &'a [String],
    is_ready: bool,
    has_object: bool,
}

/// Takes the node `name` out of `cluster`; `force`: though it is well. `tell` is told of each thing that is done.
pub(crate) fn remove(
    cluster: &Cluster,
    secrets: &Secrets,
    tunnels: &Tunnels,
    name: &str,
    force: bool,
    tell: &dyn Fn(&str),
) -> Result<(), Error> {
    if !is_dns_name(name) {
        return Err(Refusal::Name { name: name.into() }.into());
    }
    let eyes = Eyes::new(cluster, secrets, tunnels)?;
    let declared = cluster.node(name);
    let is_declared_worker = declared.is_some_and(|node| node.role != Role::Master);
    // Without etcd there is one master, and what it has nobody else has.
    if !eyes.has_etcd && declared.is_some_and(|node| node.role == Role::Master) {
        return Err(Refusal::Last { name: name.into() }.into());
    }
    // etcd first: without its majority the API says nothing of use.
    let has_members = !is_declared_worker && eyes.has_etcd;
    let members = if has_members { see_members(cluster, &eyes) } else { Ok(Vec::new()) };
    if let Ok(members) = &members {
        check_majority(members)?;
    }
    let object = eyes.api.node(name)?;
    let is_other_worker = declared.is_none() && object.as_ref().is_some_and(|object| !object.is_master());
    let members = if is_other_worker { members.unwrap_or_default() } else { members? };
    let addresses: Vec<String> =
        declared.into_iter().flat_map(|node| node.addresses()).map(|cidr| cidr.address.to_string()).collect();
    let target = Target {
        name,
        addresses: &addresses,
        is_ready: object.as_ref().is_some_and(super::kubernetes::NodeObject::is_ready),
        has_object: object.is_some(),
    };
    let steps = decide(target, &members, force)?;
    if steps == (Steps { object: false, member: None }) {
        if declared.is_none() {
            let nodes = eyes.api.nodes()?.into_iter().map(|node| node.metadata.name).collect();
            return Err(Refusal::Unknown { name: name.into(), nodes }.into());
        }
        tell(&format!("{name} is no member of the cluster: nothing to do"));
        return Ok(());
    }
    if steps.object {
        eyes.api.cordon(name)?;
        tell(&format!("{name}: new pods are kept off"));
    }
    if let Some(id) = steps.member {
        let others = members.iter().filter(|seen| seen.answers && seen.member.id != id);
        let servers: Vec<&Server> = others.filter_map(|seen| seen.server.as_ref()).collect();
        let left = eyes.etcd.remove(&servers, id)?.into_iter().filter(|member| !member.is_learner).count();
        let more = left.saturating_sub(majority(left));
        tell(&format!(
            "{name}: taken out of etcd, which has {left} members left; {more} of them may be lost"
        ));
    }
    if steps.object {
        eyes.api.delete_node(name)?;
        tell(&format!("{name}: taken out of the cluster"));
    }
    if target.is_ready {
        tell(&format!("{name} still runs: switch it off, or it comes back when its kubelet starts again"));
    }
    Ok(())
}

/// All members of etcd, from the first that answers, and which of them do.
fn see_members(cluster: &Cluster, eyes: &Eyes) -> Result<Vec<Seen>, Error> {
    let mut problems = Vec::new();
    let mut members = None;
    for master in cluster.masters() {
        match eyes.etcd.members(&Etcd::on(&master.hostname)) {
            Ok(found) => {
                members = Some(found);
                break;
            }
            Err(error) => problems.push(error.to_string()),
        }
    }
    let members = members.ok_or(Refusal::NoEtcd { problems })?;
    let see = |member: Member| {
        let by_name = cluster.node(&member.name).map(|node| Etcd::on(&node.hostname));
        let server = by_name.or_else(|| Server::of_url(member.client_urls.first()?));
        let answers =
            server.as_ref().is_some_and(|server| eyes.etcd.status(server).is_ok_and(|s| s.id() == member.id));
        Seen { member, server, answers }
    };
    Ok(members.into_iter().map(see).collect())
}

fn voters(members: &[Seen]) -> impl Iterator<Item = &Seen> {
    members.iter().filter(|seen| !seen.member.is_learner)
}

fn answering<'a>(members: impl Iterator<Item = &'a Seen>) -> Vec<String> {
    members.filter(|seen| seen.answers).map(|seen| seen.member.name.clone()).collect()
}

/// Whether etcd can agree upon anything, as all it does takes.
fn check_majority(members: &[Seen]) -> Result<(), Refusal> {
    let (voters, answering) = (voters(members).count(), answering(voters(members)));
    let majority = majority(voters);
    if voters > 0 && answering.len() < majority {
        return Err(Refusal::NoMajority { voters, answering, majority });
    }
    Ok(())
}

/// What is to be done, or why nothing is. Without `members` the node has no part in etcd.
fn decide(target: Target<'_>, members: &[Seen], force: bool) -> Result<Steps, Refusal> {
    let name = || target.name.to_owned();
    let mine = members.iter().find(|seen| is_of(&seen.member, target));
    if let Some(mine) = mine {
        let rest: Vec<&Seen> = voters(members).filter(|seen| seen.member.id != mine.member.id).collect();
        if rest.is_empty() {
            return Err(Refusal::Last { name: name() });
        }
        let (well, needed) = (answering(rest.iter().copied()), majority(rest.len()));
        if well.len() < needed {
            return Err(Refusal::LostMajority {
                name: name(),
                voters: rest.len(),
                answering: well,
                majority: needed,
            });
        }
    }
    if target.is_ready && !force {
        return Err(Refusal::Ready { name: name(), master: mine.is_some() });
    }
    if mine.is_some_and(|seen| seen.answers) && !force {
        return Err(Refusal::Alive { name: name() });
    }
    Ok(Steps { object: target.has_object, member: mine.map(|seen| seen.member.id) })
}

/// By its name; or, as long as it has none, by where the others expect it.
fn is_of(member: &Member, target: Target<'_>) -> bool {
    let hosts = member.peer_urls.iter().filter_map(|url| Server::of_url(url));
    match member.name.as_str() {
        "" => hosts.into_iter().any(|server| {
            server.host() == target.name || target.addresses.iter().any(|address| address == server.host())
        }),
        name => name == target.name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members by name; `-` before one that does not answer, `+` before one without a vote.
    fn members(names: &[&str]) -> Vec<Seen> {
        let seen = |(index, name): (usize, &&str)| {
            let member = Member {
                id: index as u64 + 1,
                name: name.trim_start_matches(['-', '+']).into(),
                peer_urls: vec![format!("https://192.168.1.{}:2380", index + 1)],
                is_learner: name.starts_with('+'),
                ..Member::default()
            };
            Seen { member, server: Some(Etcd::on(name)), answers: !name.starts_with('-') }
        };
        names.iter().enumerate().map(seen).collect()
    }

    fn decide_on(name: &str, is_ready: bool, names: &[&str], force: bool) -> Result<Steps, Refusal> {
        let addresses = ["192.168.1.3".to_owned()];
        decide(Target { name, addresses: &addresses, is_ready, has_object: true }, &members(names), force)
    }

    #[test]
    fn a_dead_master_of_three_goes() {
        assert_eq!(
            decide_on("c", false, &["a", "b", "-c"], false),
            Ok(Steps { object: true, member: Some(3) })
        );
        // One that joined half-way has no name yet.
        assert_eq!(
            decide_on("c", false, &["a", "b", "-"], false),
            Ok(Steps { object: true, member: Some(3) })
        );
        // So does one that has no vote, whatever the others are.
        assert_eq!(
            decide_on("c", false, &["a", "b", "+c"], true),
            Ok(Steps { object: true, member: Some(3) })
        );
    }

    #[test]
    fn the_last_master_stays_even_by_force() {
        assert_eq!(decide_on("a", false, &["a"], true), Err(Refusal::Last { name: "a".into() }));
        assert_eq!(decide_on("a", false, &["a", "+b"], true), Err(Refusal::Last { name: "a".into() }));
    }

    #[test]
    fn the_majority_is_counted_before_and_after() {
        for well in [&["a"][..], &["a", "b", "-c"], &["a", "+b"], &["a", "b", "c", "-d", "-e"], &[]] {
            assert_eq!(check_majority(&members(well)), Ok(()));
        }
        let refusal = check_majority(&members(&["a", "-b"])).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "etcd has no majority: of 2 members 1 answers (a), and 2 have to. It agrees upon nothing, so it takes nobody out"
        );
        let refusal = decide_on("b", true, &["a", "b", "-c"], true).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "without b etcd would have 2 members, of which 1 answers (a), and 2 have to: it would lose its majority"
        );
        assert!(decide_on("c", true, &["a", "b", "c"], true).is_ok());
        assert!(decide_on("b", true, &["a", "b"], true).is_ok());
        assert!(decide_on("e", false, &["a", "b", "c", "-d", "-e"], false).is_ok());
    }

    #[test]
    fn who_is_well_goes_by_force_only() {
        assert_eq!(decide_on("w", true, &[], false), Err(Refusal::Ready { name: "w".into(), master: false }));
        assert_eq!(decide_on("w", true, &[], true), Ok(Steps { object: true, member: None }));
        assert_eq!(decide_on("w", false, &[], false), Ok(Steps { object: true, member: None }));
        assert_eq!(decide_on("c", false, &["a", "b", "c"], false), Err(Refusal::Alive { name: "c".into() }));
    }
}
