//! How fast a board is, and how much patience that takes. Kubernetes' defaults are made for servers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    board::BoardFacts,
    cluster::{Cluster, Node},
    version::CONTROL_PLANE_MEMORY,
};

/// How fast a node is, compared with what Kubernetes' defaults expect. Slower is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Performance {
    /// Like a small server: the defaults hold.
    Fast,
    /// A 64-bit board with four cores: starts take about twice as long.
    Modest,
    /// 32-bit, one or two cores, little memory, or emulated: starts take many minutes.
    Slow,
}

impl Performance {
    /// The class of `node` on `board`: what the file says, else a rule. A Raspberry Pi 4 with 4 GB is fast, a
    /// ROC-RK3328-CC with 2 GB is modest, a Banana Pi M1 slow.
    pub fn of(node: &Node, board: &BoardFacts) -> Self {
        let memory = node.memory.unwrap_or(board.memory);
        let slow = board.architecture.is_32_bit() || board.cores <= 2 || memory < CONTROL_PLANE_MEMORY;
        let measured = match memory {
            _ if slow => Performance::Slow,
            ..3500 => Performance::Modest,
            _ => Performance::Fast,
        };
        node.performance.unwrap_or(measured)
    }

    /// How long things may take in this class.
    pub fn patience(self) -> &'static Patience {
        match self {
            Performance::Fast => &FAST,
            Performance::Modest => &MODEST,
            Performance::Slow => &SLOW,
        }
    }
}

/// How long things may take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until a control plane component answers for the first time; kubeadm waits as long.
    pub start: u32,
    /// Without an answer from a running component, until it is started anew.
    pub hang: u32,
    /// Between two probes of a component.
    pub probe_period: u32,
    /// For one answer to a probe.
    pub answer: u32,
    /// Until the kubelet is healthy.
    pub kubelet: u32,
    /// For one call to the API server, repetitions included.
    pub api_call: u32,
    /// For one call to etcd, repetitions included.
    pub etcd_call: u32,
    /// For the kubelet's certificate.
    pub tls_bootstrap: u32,
    /// For finding the control plane, before kubeadm gives up and the first-boot stage tries again.
    pub discovery: u32,
    /// How long a leader among controller managers or schedulers stays leader without a sign of life.
    pub lease: u32,
}

/// Kubernetes' and kubeadm's own values (cmd/kubeadm/app/constants, util/staticpod).
const FAST: Patience = Patience {
    start: 240,
    hang: 80,
    probe_period: 10,
    answer: 15,
    kubelet: 240,
    api_call: 60,
    etcd_call: 120,
    tls_bootstrap: 300,
    discovery: 300,
    lease: 15,
};

const MODEST: Patience = Patience {
    start: 600,
    hang: 160,
    probe_period: 10,
    answer: 15,
    kubelet: 300,
    api_call: 120,
    etcd_call: 240,
    tls_bootstrap: 600,
    discovery: 600,
    lease: 30,
};

/// An emulated board needed 3 to 4 minutes for its API server alone and had calls that took 60 s; the Banana Pi of
/// 2018 needed between 135 and 240 s. Five times that.
const SLOW: Patience = Patience {
    start: 1200,
    hang: 400,
    probe_period: 20,
    answer: 30,
    kubelet: 600,
    api_call: 300,
    etcd_call: 600,
    tls_bootstrap: 1200,
    discovery: 1200,
    lease: 60,
};

/// What etcd waits for its disk and its peers, in milliseconds. <https://etcd.io/docs/latest/tuning/>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EtcdTiming {
    /// Between two signs of life of the leader.
    pub heartbeat: u32,
    /// Without one, until the others elect another.
    pub election: u32,
}

impl EtcdTiming {
    /// The timing all members of `cluster` need: that of its slowest master, as all members must have the same.
    pub fn of(cluster: &Cluster, boards: &dyn Fn(&str) -> Option<BoardFacts>) -> Self {
        let data = cluster.engine.data();
        let timings =
            cluster.masters().filter_map(|node| Some(Self::of_node(node, data, &boards(&node.board)?)));
        timings.max_by_key(|timing| timing.election).unwrap_or(Self::DEFAULT)
    }

    /// etcd's own values: for disks that sync within milliseconds.
    pub const DEFAULT: Self = Self { heartbeat: 100, election: 1000 };

    fn of_node(node: &Node, data: &str, board: &BoardFacts) -> Self {
        match (node.has_disk_for(data), Performance::of(node, board)) {
            (true, Performance::Fast) => Self::DEFAULT,
            (true, Performance::Modest) => Self { heartbeat: 250, election: 2500 },
            // Cards stall for seconds while they erase.
            (false, _) | (true, Performance::Slow) => Self { heartbeat: 500, election: 5000 },
        }
    }
}

/// Memory in MiB that the kubelet keeps from pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// For the kubelet and containerd.
    pub kube: u32,
    /// For everything else of the system.
    pub system: u32,
    /// Free memory below which pods are stopped.
    pub eviction: u32,
}

impl Reservation {
    /// The reservation on a machine with `memory` MiB. A share of it: fixed server values would leave a 1 GB board
    /// nothing.
    pub fn of(memory: u32) -> Self {
        Self {
            kube: (memory / 16).clamp(48, 256),
            system: (memory / 16).clamp(48, 256),
            eviction: (memory / 20).clamp(50, 100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imgforge_spec::ImagePath;

    use crate::{board::Architecture, cluster::Bind};

    fn class(architecture: Architecture, cores: u32, memory: u32) -> Performance {
        Performance::of(&Node::default(), &BoardFacts { architecture, cores, memory, wired: true })
    }

    #[test]
    fn boards_fall_into_three_classes() {
        assert_eq!(class(Architecture::Arm64, 4, 4096), Performance::Fast);
        assert_eq!(class(Architecture::Arm64, 4, 2048), Performance::Modest);
        assert_eq!(class(Architecture::Arm64, 4, 1024), Performance::Slow);
        assert_eq!(class(Architecture::Arm64, 2, 4096), Performance::Slow, "QEMU's two cores");
        assert_eq!(class(Architecture::Armv7, 4, 2048), Performance::Slow);
    }

    #[test]
    fn the_file_knows_better() {
        let board = BoardFacts { architecture: Architecture::Arm64, cores: 4, memory: 1024, wired: true };
        let with_4_gb = Node { memory: Some(4096), ..Node::default() };
        assert_eq!(Performance::of(&with_4_gb, &board), Performance::Fast);
        let told = Node { performance: Some(Performance::Modest), ..Node::default() };
        assert_eq!(Performance::of(&told, &board), Performance::Modest);
    }

    #[test]
    fn etcd_is_as_patient_as_its_slowest_disk() {
        let board = BoardFacts { architecture: Architecture::Arm64, cores: 4, memory: 4096, wired: true };
        let on_disk = Node {
            role: crate::cluster::Role::Master,
            storage: vec![Bind {
                path: ImagePath::new("/var/lib/etcd").unwrap(),
                on: ImagePath::new("/mnt/root/var/lib/etcd").unwrap(),
            }],
            ..Node::default()
        };
        let on_card = Node { storage: Vec::new(), ..on_disk.clone() };
        let timing = |nodes: &[&Node]| {
            let cluster = Cluster { nodes: nodes.iter().copied().cloned().collect(), ..Cluster::default() };
            EtcdTiming::of(&cluster, &|_| Some(board))
        };
        assert_eq!(timing(&[&on_disk]), EtcdTiming::DEFAULT);
        assert_eq!(timing(&[&on_disk, &on_card]), EtcdTiming { heartbeat: 500, election: 5000 });
    }

    #[test]
    fn small_boards_keep_most_of_their_memory_for_pods() {
        for memory in [512, 1024, 2048, 8192] {
            let Reservation { kube, system, eviction } = Reservation::of(memory);
            assert!(kube + system + eviction <= memory / 3, "{memory}");
        }
    }
}
