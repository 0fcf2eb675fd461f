//! What runs where and with whom. Each rule that says no gives its reason in one sentence.

use super::{Version, known};
use crate::{
    board::{Architecture, BoardFacts},
    cluster::Role,
};

/// Versions of kubeadm's configuration API.
/// <https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KubeadmApi {
    /// Kubernetes 1.20 and 1.21.
    V1beta2,
    /// Kubernetes 1.22 to 1.30.
    V1beta3,
    /// Kubernetes 1.31 and newer.
    V1beta4,
}

impl KubeadmApi {
    /// The `apiVersion` in a document.
    pub fn api_version(self) -> &'static str {
        match self {
            KubeadmApi::V1beta2 => "kubeadm.k8s.io/v1beta2",
            KubeadmApi::V1beta3 => "kubeadm.k8s.io/v1beta3",
            KubeadmApi::V1beta4 => "kubeadm.k8s.io/v1beta4",
        }
    }
}

impl Version {
    /// The newest configuration API that this release's kubeadm reads.
    pub fn kubeadm_api(self) -> KubeadmApi {
        match self.minor {
            ..=21 => KubeadmApi::V1beta2,
            22..=30 => KubeadmApi::V1beta3,
            31.. => KubeadmApi::V1beta4,
        }
    }

    /// The taints that kubeadm gives a master, by their names; their effect is `NoSchedule`. It changed the name over some releases:
    /// <https://github.com/kubernetes/kubeadm/issues/2200>.
    pub fn master_taints(self) -> &'static [&'static str] {
        match self.minor {
            ..=23 => &["node-role.kubernetes.io/master"],
            24 => &["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"],
            25.. => &["node-role.kubernetes.io/control-plane"],
        }
    }

    /// Whether kubeadm takes patches for the kubelet's configuration: target `kubeletconfiguration`,
    /// kubernetes#110405.
    pub fn patches_kubelet_configuration(self) -> bool {
        self.minor >= 25
    }

    /// The static pods that kubeadm gives a readiness probe, as far as that is known: where there is none, a patch of it
    /// makes a pod that is refused.
    pub fn static_pods_with_readiness(self) -> &'static [&'static str] {
        match self.minor {
            ..=21 => &[],
            22..=35 => &["kube-apiserver"],
            36.. => &["etcd", "kube-apiserver", "kube-scheduler"],
        }
    }

    /// Whether `kubeadm join` refuses where any static pod lies already:
    /// <https://github.com/kubernetes/kubernetes/pull/104942>.
    pub fn joins_without_static_pods_only(self) -> bool {
        self.minor < 23
    }

    /// Whether the kubelet refuses cgroup v1: <https://github.com/kubernetes/enhancements/issues/5573>.
    pub fn needs_cgroup_v2(self) -> bool {
        self.minor >= 35
    }

    /// The group of administrators that kubeadm gives its rights by a rule, so that they can be taken away again;
    /// before 1.29 there was only the one that stands above all rules (kubernetes#121305).
    pub fn admin_group(self) -> &'static str {
        if self.minor >= 29 { "kubeadm:cluster-admins" } else { "system:masters" }
    }

    /// Whether pods leave swap alone on a node that has some:
    /// <https://github.com/kubernetes/enhancements/issues/2400>.
    pub fn tolerates_swap(self) -> bool {
        self.minor >= 30
    }
}

/// Why a combination cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The release is not in the table.
    #[error("imgforge knows Kubernetes 1.{} to 1.{}, not {version}", known().start(), known().end())]
    UnknownVersion {
        /// The release asked for.
        version: Version,
    },
    /// ARMv6 has never been supported upstream; nor by k3s since 1.19.4: <https://github.com/k3s-io/k3s/issues/2699>.
    #[error(
        "Kubernetes has no binaries for ARMv6, where those for newer boards end in \"Illegal instruction\", and k3s needs ARMv7, too; use such a board with the role base"
    )]
    Armv6,
    /// k3s needs ARMv7, as Go's float code does: <https://github.com/k3s-io/k3s/issues/2699>.
    #[error(
        "k3s' program for 32-bit Arm is for ARMv7, and ends in \"Illegal instruction\" on ARMv6; use such a board with the role base"
    )]
    K3sArmv6,
    /// An older release would read other options.
    #[error("imgforge knows k3s from 1.{oldest} on, not {version}")]
    OldK3s {
        /// The release asked for.
        version: Version,
        /// The 34 of 1.34.
        oldest: u16,
    },
    /// 32-bit Arm was dropped: <https://github.com/kubernetes/kubernetes/pull/115742>.
    #[error(
        "Kubernetes {version} has no binaries for 32-bit Arm; 1.26 was the last line with them (no fixes since 2024-02)"
    )]
    ArmDropped {
        /// The release asked for.
        version: Version,
    },
    /// kube-proxy comes from the cluster, whatever the node's own release is.
    #[error(
        "kube-proxy runs on every node in the cluster's release, and {control_plane} has no image of it for 32-bit Arm"
    )]
    ProxyDropped {
        /// Release of the control plane.
        control_plane: Version,
    },
    /// A control plane on one core does not come up within any patience.
    #[error(
        "a control plane needs at least 2 CPU cores and this board has {cores}; make it a worker (the role `worker`)"
    )]
    OneCoreMaster {
        /// Cores of the board.
        cores: u32,
    },
    /// The kubelet is newer than the API server.
    #[error("the kubelet ({kubelet}) must not be newer than the control plane ({control_plane})")]
    KubeletNewer {
        /// Release of the node.
        kubelet: Version,
        /// Release of the control plane.
        control_plane: Version,
    },
    /// The kubelet is too old for the API server: <https://kubernetes.io/releases/version-skew-policy/>.
    #[error(
        "the kubelet ({kubelet}) may be {allowed} minor releases older than the control plane ({control_plane}), not more"
    )]
    KubeletTooOld {
        /// Release of the node.
        kubelet: Version,
        /// Release of the control plane.
        control_plane: Version,
        /// Minor releases allowed between them.
        allowed: u16,
    },
}

/// Whether `version` exists for `architecture`.
pub fn runs_on(version: Version, architecture: Architecture) -> Result<(), Refusal> {
    if version.line().is_none() {
        return Err(Refusal::UnknownVersion { version });
    }
    match architecture {
        Architecture::Armv6 => Err(Refusal::Armv6),
        Architecture::Armv7 if version.minor > 26 => Err(Refusal::ArmDropped { version }),
        Architecture::Armv7 | Architecture::Arm64 => Ok(()),
    }
}

/// The newest release line that exists for `architecture`, as its first release; `None` where there has never been one.
pub fn newest_for(architecture: Architecture) -> Option<Version> {
    let mut newest_first = known().rev().map(|minor| Version::new(minor, 0));
    newest_first.find(|version| runs_on(*version, architecture).is_ok())
}

/// Whether the cluster's own pods run on a node of `architecture`, whatever the node's release is.
pub fn proxy_runs_on(control_plane: Version, architecture: Architecture) -> Result<(), Refusal> {
    runs_on(control_plane, architecture).map_err(|refusal| match refusal {
        Refusal::ArmDropped { version } => Refusal::ProxyDropped { control_plane: version },
        other => other,
    })
}

/// Whether a node of release `kubelet` may belong to a control plane of release `control_plane`.
pub fn skew(control_plane: Version, kubelet: Version) -> Result<(), Refusal> {
    if kubelet.minor > control_plane.minor {
        return Err(Refusal::KubeletNewer { kubelet, control_plane });
    }
    let allowed = if kubelet.minor < 25 { 2 } else { 3 };
    if control_plane.minor - kubelet.minor > allowed {
        return Err(Refusal::KubeletTooOld { kubelet, control_plane, allowed });
    }
    Ok(())
}

/// What a board cannot do, or does although kubeadm would object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Why the role is impossible there.
    pub refused: Vec<Refusal>,
    /// Objections of kubeadm that are overruled. Said aloud wherever the node is shown.
    pub overruled: Vec<Overruled>,
}

/// A preflight check of kubeadm that is ignored on a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overruled {
    /// The name kubeadm has for the check: `Mem`.
    pub check: &'static str,
    /// Why it is ignored.
    pub reason: String,
}

/// Memory in MiB below which kubeadm refuses a control plane: `ControlPlaneMem` in kubeadm's constants.
pub const CONTROL_PLANE_MEMORY: u32 = 1700;

impl Limits {
    /// The limits of a node with `role` and Kubernetes `version` on `board`.
    pub fn of(board: &BoardFacts, role: Role, version: Version) -> Self {
        Self::judge(board, role, runs_on(version, board.architecture), little_memory(board.memory))
    }

    /// The limits of a node with `role` on `board`, for any engine: whether its release is published for the board, and what
    /// the engine says of a master's memory.
    pub(crate) fn judge(
        board: &BoardFacts,
        role: Role,
        published: Result<(), Refusal>,
        of_memory: Option<Overruled>,
    ) -> Self {
        let mut limits = Self::default();
        if role == Role::Base {
            return limits;
        }
        limits.refused.extend(published.err());
        if role == Role::Master {
            if board.cores < 2 {
                limits.refused.push(Refusal::OneCoreMaster { cores: board.cores });
            }
            limits.overruled.extend(of_memory);
        }
        limits
    }
}

fn little_memory(memory: u32) -> Option<Overruled> {
    (memory < CONTROL_PLANE_MEMORY).then(|| Overruled {
        check: "Mem",
        reason: format!(
            "kubeadm wants {CONTROL_PLANE_MEMORY} MB for a control plane and the board has {memory}: the check is ignored, expect it to be slow"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANANA_PI: BoardFacts =
        BoardFacts { architecture: Architecture::Armv7, cores: 2, memory: 1024, wired: true };
    const CUBIEBOARD: BoardFacts =
        BoardFacts { architecture: Architecture::Armv7, cores: 1, memory: 1024, wired: true };

    #[test]
    fn the_32_bit_line_ends_at_1_26() {
        runs_on(Version::new(26, 15), Architecture::Armv7).unwrap();
        let refusal = runs_on(Version::new(27, 0), Architecture::Armv7).unwrap_err();
        assert!(refusal.to_string().contains("1.26 was the last line"), "{refusal}");
        runs_on(Version::new(37, 1), Architecture::Arm64).unwrap();
    }

    #[test]
    fn a_32_bit_node_cannot_lag_behind_a_newer_cluster() {
        proxy_runs_on(Version::new(26, 15), Architecture::Armv7).unwrap();
        let refusal = proxy_runs_on(Version::new(29, 0), Architecture::Armv7);
        assert_eq!(refusal, Err(Refusal::ProxyDropped { control_plane: Version::new(29, 0) }));
    }

    #[test]
    fn armv6_never_runs_kubernetes() {
        for minor in known() {
            assert_eq!(runs_on(Version::new(minor, 0), Architecture::Armv6), Err(Refusal::Armv6));
        }
    }

    #[test]
    fn every_architecture_has_its_newest_line() {
        assert_eq!(newest_for(Architecture::Arm64), Some(Version::newest_known()));
        assert_eq!(newest_for(Architecture::Armv7), Some(Version::new(26, 0)));
        assert_eq!(newest_for(Architecture::Armv6), None);
    }

    #[test]
    fn releases_nobody_looked_at_are_refused() {
        let message = runs_on(Version::new(38, 0), Architecture::Arm64).unwrap_err().to_string();
        assert_eq!(message, "imgforge knows Kubernetes 1.20 to 1.37, not 1.38.0");
    }

    #[test]
    fn kubelets_lag_by_three_releases_and_old_ones_by_two() {
        let v = |minor| Version::new(minor, 0);
        skew(v(29), v(26)).unwrap();
        assert!(matches!(skew(v(30), v(26)), Err(Refusal::KubeletTooOld { allowed: 3, .. })));
        skew(v(26), v(24)).unwrap();
        assert!(matches!(skew(v(27), v(24)), Err(Refusal::KubeletTooOld { allowed: 2, .. })));
        assert!(matches!(skew(v(26), v(27)), Err(Refusal::KubeletNewer { .. })));
    }

    #[test]
    fn one_core_is_enough_for_a_worker_only() {
        let version = Version::new(26, 15);
        assert_eq!(Limits::of(&CUBIEBOARD, Role::Worker, version), Limits::default());
        let limits = Limits::of(&CUBIEBOARD, Role::Master, version);
        assert_eq!(limits.refused, [Refusal::OneCoreMaster { cores: 1 }]);
    }

    #[test]
    fn little_memory_is_overruled_aloud_on_masters_only() {
        let version = Version::new(26, 15);
        let limits = Limits::of(&BANANA_PI, Role::Master, version);
        assert!(limits.refused.is_empty());
        assert_eq!(limits.overruled.iter().map(|o| o.check).collect::<Vec<_>>(), ["Mem"]);
        assert_eq!(
            limits.overruled[0].reason,
            "kubeadm wants 1700 MB for a control plane and the board has 1024: the check is ignored, expect it to be slow"
        );
        assert!(Limits::of(&BANANA_PI, Role::Worker, version).overruled.is_empty());
    }

    #[test]
    fn kubeadm_reads_the_api_of_its_time() {
        let api = |minor| Version::new(minor, 0).kubeadm_api();
        assert_eq!([20, 21].map(api), [KubeadmApi::V1beta2; 2]);
        assert_eq!([22, 26, 30].map(api), [KubeadmApi::V1beta3; 3]);
        assert_eq!([31, 37].map(api), [KubeadmApi::V1beta4; 2]);
    }
}
