//! Patches that kubeadm applies to what it writes: patience for slow boards in the static pods, the kubelet's own
//! settings.
//!
//! Names of the files:
//! <https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/control-plane-flags/#patches>. kubeadm
//! takes the *start* of the control plane from a timeout too, but how long a running component may be silent only
//! from such a patch.

use serde::{Deserialize, Serialize};

use super::kubelet;
use crate::{
    member::Member,
    performance::{EtcdTiming, Patience, Performance},
    yaml,
};

/// A patch file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Name in the folder of patches: target, number and kind of patch.
    pub name: String,
    /// The patch, in YAML.
    pub content: String,
}

/// A strategic merge patch of a static pod.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PodPatch {
    /// What the pod is made of.
    pub spec: PodSpec,
}

/// What a pod is made of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PodSpec {
    /// Its containers; merged by name.
    pub containers: Vec<Container>,
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Container {
    /// Name, as in the pod that is patched.
    pub name: String,
    /// Environment; merged by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<Variable>,
    /// Restarts the container when it fails, once it has started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<Probe>,
    /// Whether the container does its work; it is not restarted for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<Probe>,
    /// Restarts the container when it does not start; holds back the liveness probe until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<Probe>,
}

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// How a container is watched. What is asked stays as kubeadm wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Probe {
    /// Seconds from the container's start to the first attempt.
    pub initial_delay_seconds: u32,
    /// Seconds between attempts.
    pub period_seconds: u32,
    /// Seconds for an answer.
    pub timeout_seconds: u32,
    /// Failed attempts in a row after which the container is killed.
    pub failure_threshold: u32,
}

/// How an attempt fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// At once: nobody listens yet.
    Refused,
    /// By not answering in time: the next attempt waits for it.
    Hangs,
}

impl Probe {
    /// Seconds from the container's start until it is killed, if every attempt fails as `failure` says.
    pub fn kills_after(&self, failure: Failure) -> u32 {
        let waits = |count: u32, seconds: u32| {
            self.initial_delay_seconds.saturating_add(count.saturating_mul(seconds))
        };
        match failure {
            Failure::Refused => waits(self.failure_threshold.saturating_sub(1), self.period_seconds),
            Failure::Hangs => waits(self.failure_threshold, self.period_seconds.max(self.timeout_seconds)),
        }
    }

    /// A probe that asks no more often than the others, and not every second as kubeadm's does.
    fn rare(patience: &Patience) -> Self {
        Self {
            initial_delay_seconds: 0,
            period_seconds: patience.probe_period,
            timeout_seconds: patience.answer,
            failure_threshold: 3,
        }
    }

    /// A probe that fails for at least `seconds`, attempts that are refused at once included.
    fn lasting(seconds: u32, patience: &Patience) -> Self {
        Self {
            initial_delay_seconds: 10,
            period_seconds: patience.probe_period,
            timeout_seconds: patience.answer,
            failure_threshold: seconds.div_ceil(patience.probe_period) + 1,
        }
    }
}

/// Components that kubeadm runs as static pods, and that the API of Kubernetes' own clients (HTTP/2) is used by.
const API_CLIENTS: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// Whether `member` has any: kubeadm fails when it is told of a folder that is not there.
pub fn has_patches(member: &Member<'_>) -> bool {
    member.version().patches_kubelet_configuration()
        || (member.is_master() && !static_pods(member).is_empty())
}

/// The patches for `member`, by name.
pub fn patches(member: &Member<'_>) -> Result<Vec<Patch>, serde_yaml::Error> {
    let mut patches = Vec::new();
    if member.is_master() {
        for container in static_pods(member) {
            let name = format!("{}0+strategic.yaml", container.name);
            let patch = PodPatch { spec: PodSpec { containers: vec![container] } };
            patches.push(Patch { name, content: yaml::to_string(&patch)? });
        }
    }
    if member.version().patches_kubelet_configuration() {
        let configuration = kubelet::merged(member)?;
        patches.push(Patch {
            name: "kubeletconfiguration0+strategic.yaml".into(),
            content: yaml::to_string(&configuration)?,
        });
    }
    Ok(patches)
}

/// What is changed in the static pods; nothing where the defaults hold.
fn static_pods(member: &Member<'_>) -> Vec<Container> {
    let patience = member.patience();
    let is_patient = patience != Performance::Fast.patience();
    let asked = member.version().static_pods_with_readiness();
    let watched = |name: &str, env: Vec<Variable>| Container {
        name: name.into(),
        env,
        liveness_probe: is_patient.then(|| Probe::lasting(patience.hang, patience)),
        readiness_probe: (is_patient && asked.contains(&name)).then(|| Probe::rare(patience)),
        startup_probe: is_patient.then(|| Probe::lasting(patience.start, patience)),
    };
    let mut containers: Vec<_> = API_CLIENTS.map(|name| watched(name, http2_variables(patience))).into();
    containers.insert(0, watched("etcd", etcd_variables(member)));
    containers.retain(|container| container.liveness_probe.is_some() || !container.env.is_empty());
    containers
}

/// A connection whose peer is too busy to answer a ping within 15 s would be closed, and everything listed anew.
fn http2_variables(patience: &Patience) -> Vec<Variable> {
    let is_slow = patience == Performance::Slow.patience();
    is_slow.then(|| variable("HTTP2_PING_TIMEOUT_SECONDS", 300)).into_iter().collect()
}

/// etcd takes each option from its environment too; kubeadm gives none of these on the command line. It ends where one is in
/// both, so what the cluster file says is left out here.
fn etcd_variables(member: &Member<'_>) -> Vec<Variable> {
    let mut variables = Vec::new();
    if member.etcd != EtcdTiming::DEFAULT {
        let ours = [
            ("heartbeat-interval", "ETCD_HEARTBEAT_INTERVAL", member.etcd.heartbeat),
            ("election-timeout", "ETCD_ELECTION_TIMEOUT", member.etcd.election),
        ];
        let told = &member.cluster.etcd.extra_args;
        let ours = ours.into_iter().filter(|(option, ..)| !told.contains_key(*option));
        variables.extend(ours.map(|(_, name, milliseconds)| variable(name, milliseconds)));
    }
    if member.board.architecture.is_32_bit() {
        // etcd does not start on a platform it is not tested on, unless it is named.
        variables.push(variable("ETCD_UNSUPPORTED_ARCH", "arm"));
    }
    variables
}

fn variable(name: &str, value: impl ToString) -> Variable {
    Variable { name: name.into(), value: value.to_string() }
}
