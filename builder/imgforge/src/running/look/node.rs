//! One node, as it is seen from outside.

use imgforge_kube::{
    cluster::{Node, Role},
    version::Version,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Eyes, Known};
use crate::{
    host::clock,
    running::{
        etcd::{Etcd, MemberStatus},
        first_boot::{self, FirstBoot, Reply},
        kubernetes::NodeObject,
    },
};

/// How a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is a member, and well; or of role base, and up.
    Ready,
    /// It is a member, and not well.
    NotReady,
    /// Its first boot is under way.
    ComingUp,
    /// A stage of its first boot has failed.
    Failed,
    /// A machine is there, and no more is known of it.
    Up,
    /// No machine is there, or it cannot be found.
    Unreachable,
}

impl State {
    /// In a table.
    pub fn words(self) -> &'static str {
        match self {
            State::Ready => "Ready",
            State::NotReady => "not Ready",
            State::ComingUp => "coming up",
            State::Failed => "failed",
            State::Up => "up",
            State::Unreachable => "unreachable",
        }
    }
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct NodeLook {
    /// Its name.
    pub hostname: String,
    /// What it does.
    pub role: Role,
    /// How it is.
    pub state: State,
    /// Whether a machine answers at one of its addresses.
    pub reachable: bool,
    /// Where it was looked for; empty: nobody knows its name.
    pub addresses: Vec<String>,
    /// Where its first boot is, as the node itself says; nobody vouches for that.
    pub stage: Option<StageLook>,
    /// What the cluster says of it; unset: it is no member, or the cluster does not answer.
    pub member: Option<Membership>,
    /// The release that the cluster file wants; unset for the role base.
    #[schemars(with = "Option<String>")]
    pub wanted: Option<Version>,
    /// Of a master: which of the certificates that it shows ends first. All that it has are renewed together.
    pub certificate: Option<Certificate>,
    /// The file system on which the kubelet has its things.
    pub disk: Option<Disk>,
    /// Of a master: its member of etcd; unset: it does not answer.
    pub etcd: Option<EtcdMember>,
    /// Of a master: why its API server or its etcd does not answer, or is not well.
    pub problems: Vec<String>,
    /// What to do next.
    pub next: Vec<String>,
}

/// Where a first boot is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct StageLook {
    /// The stage that tells most.
    pub stage: String,
    /// `pending`, `running`, `waiting`, `done`, `failed`, `not configured`.
    pub state: String,
    /// Since when, by the node's clock.
    pub since: Option<i64>,
    /// What it says, the last error among it.
    pub message: String,
    /// When it tries again.
    pub retry_at: Option<i64>,
}

/// What the cluster says of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Membership {
    /// Whether it is Ready.
    pub ready: bool,
    /// Since when that is so.
    pub since: Option<i64>,
    /// When the cluster heard it last.
    pub heard: Option<i64>,
    /// Why it is not Ready.
    pub message: String,
    /// The kubelet's release: `v1.36.4`.
    pub kubelet: String,
    /// Whether new pods are kept off.
    pub cordoned: bool,
    /// What it is short of: `DiskPressure`, `MemoryPressure`, `PIDPressure`.
    pub pressure: Vec<String>,
}

/// When a certificate ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Certificate {
    /// Who shows it.
    pub of: String,
    /// Its last second.
    pub end: i64,
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Disk {
    /// Bytes of it.
    pub size: u64,
    /// Bytes that are left.
    pub free: u64,
}

impl Disk {
    /// How full it is, of 100.
    pub fn used(self) -> u64 {
        let used = u128::from(self.size.saturating_sub(self.free)) * 100;
        u64::try_from(used.checked_div(u128::from(self.size)).unwrap_or_default()).unwrap_or_default()
    }
}

/// A member of etcd, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct EtcdMember {
    /// Its number, in hexadecimal digits as etcdctl prints it.
    pub id: String,
    /// etcd's release.
    pub version: String,
    /// Bytes of the database on the disk.
    pub size: u64,
    /// Bytes of it that are in use.
    pub in_use: u64,
    /// Who leads, in hexadecimal digits; unset: nobody.
    pub leader: Option<String>,
    /// What is wrong with it.
    pub errors: Vec<String>,
}

impl NodeLook {
    /// Whether the node is as it should be.
    pub fn is_well(&self) -> bool {
        self.state == State::Ready
    }
}

/// Looks at `node`. `api_answers`: what is not known of it, the cluster does not know.
pub(super) fn see(node: &Node, wanted: Version, eyes: &Eyes, known: &Known, api_answers: bool) -> NodeLook {
    let hostname = node.hostname.as_str();
    let addresses = eyes.places.get(hostname).cloned().unwrap_or_default();
    let object = known.nodes.get(hostname);
    let is_ready = object.is_some_and(NodeObject::is_ready);
    let mut problems = Vec::new();
    let mut stage = None;
    let mut reachable = is_ready;
    match first_boot::ask(&addresses) {
        Reply::Says(boot) if boot.hostname != hostname => {
            reachable = true;
            problems.push(format!("the node {} answers at its address", boot.hostname));
        }
        Reply::Says(boot) => {
            reachable = true;
            stage = current(&boot);
        }
        Reply::Strange(what) => {
            reachable = true;
            problems.push(format!("what answers at port {} is no first boot: {what}", first_boot::PORT));
        }
        Reply::Quiet => reachable = true,
        Reply::Nobody => {}
    }
    let mut look = NodeLook {
        hostname: hostname.into(),
        role: node.role,
        state: State::Unreachable,
        reachable,
        addresses: addresses.iter().map(ToString::to_string).collect(),
        stage,
        member: object.map(|object| membership(object, known)),
        wanted: (node.role != Role::Base).then_some(wanted),
        certificate: None,
        disk: None,
        etcd: None,
        problems,
        next: Vec::new(),
    };
    if is_ready && api_answers {
        let file_system = eyes.api.file_system(hostname).ok();
        look.disk = file_system.map(|fs| Disk { size: fs.capacity_bytes, free: fs.available_bytes });
    }
    if node.role == Role::Master && reachable {
        see_control_plane(&mut look, eyes);
    }
    look.state = state(&look, is_ready);
    look
}

fn state(look: &NodeLook, is_ready: bool) -> State {
    let is_base = look.role == Role::Base;
    match &look.stage {
        _ if is_ready => State::Ready,
        Some(stage) if stage.state == "failed" => State::Failed,
        Some(_) => State::ComingUp,
        None if look.member.is_some() => State::NotReady,
        None if look.reachable && is_base && look.problems.is_empty() => State::Ready,
        None if look.reachable => State::Up,
        None => State::Unreachable,
    }
}

/// Where the first boot is; nothing once it is over.
fn current(boot: &FirstBoot) -> Option<StageLook> {
    let stage = boot.current().filter(|_| !boot.finished)?;
    Some(StageLook {
        stage: stage.stage.clone(),
        state: stage.state.clone(),
        since: stage.since,
        message: stage.message.clone(),
        retry_at: stage.retry_at,
    })
}

fn membership(object: &NodeObject, known: &Known) -> Membership {
    let ready = object.condition("Ready");
    let is_ready = object.is_ready();
    let pressure =
        object.status.conditions.iter().filter(|c| c.kind.ends_with("Pressure") && c.status == "True");
    Membership {
        ready: is_ready,
        since: ready.and_then(|ready| clock::seconds_of(ready.last_transition_time.as_deref()?)),
        heard: known.leases.get(&object.metadata.name).and_then(|lease| clock::seconds_of(lease.renewed()?)),
        message: ready.filter(|_| !is_ready).map(|ready| ready.message.clone()).unwrap_or_default(),
        // k3s puts its own number behind: `v1.36.4+k3s1`.
        kubelet: object.status.node_info.kubelet_version.split('+').next().unwrap_or_default().to_owned(),
        cordoned: object.spec.unschedulable,
        pressure: pressure.map(|condition| condition.kind.clone()).collect(),
    }
}

/// What runs on a master besides its kubelet: it is asked itself, so that one of several that is not well is seen.
fn see_control_plane(look: &mut NodeLook, eyes: &Eyes) {
    let is_coming_up = look.stage.is_some();
    let mut ends = Vec::new();
    match eyes.api.failing_checks_on(&look.hostname) {
        Ok((failing, end)) => {
            ends.extend(end.map(|end| Certificate { of: "kube-apiserver".into(), end }));
            look.problems
                .extend(failing.iter().map(|check| format!("its API server's check `{check}` fails")));
        }
        Err(_) if is_coming_up => {}
        Err(error) => look.problems.push(format!("its API server: {error}")),
    }
    let etcd = eyes.has_etcd.then(|| eyes.etcd.status(&Etcd::on(&look.hostname)));
    match etcd.transpose() {
        Ok(None) => {}
        Ok(Some(status)) => {
            ends.extend(status.certificate_end.map(|end| Certificate { of: "etcd".into(), end }));
            look.etcd = Some(etcd_member(&status));
        }
        Err(_) if is_coming_up => {}
        Err(error) => look.problems.push(format!("its etcd: {error}")),
    }
    look.certificate = ends.into_iter().min_by_key(|certificate| certificate.end);
}

fn etcd_member(status: &MemberStatus) -> EtcdMember {
    EtcdMember {
        id: format!("{:x}", status.id()),
        version: status.version.clone(),
        size: status.db_size,
        in_use: status.db_size_in_use,
        leader: (status.leader != 0).then(|| format!("{:x}", status.leader)),
        errors: status.errors.clone(),
    }
}
