//! Slow boards get the time they need. The measure is what happened in the home lab of 2018: a Banana Pi's API server
//! was healthy but slow, and its liveness probe killed it after 135 s; with 105 s more it came up.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod common;

use common::{boards, cluster};
use imgforge_kube::{
    cluster::Cluster,
    kubeadm::{self, Document},
    member::Member,
    patches::{Container, Failure, Patch, PodPatch, Probe, patches},
};

/// kubeadm's liveness probe of 1.13.
const OF_2018: Probe =
    Probe { initial_delay_seconds: 15, period_seconds: 10, timeout_seconds: 15, failure_threshold: 8 };

/// Seconds after which the API server had come up, at the latest.
const NEEDED: u32 = 120 + 15 * 8;

fn master(board: &str) -> Cluster {
    cluster(&format!("kubernetes: 1.26.15\nnodes: [{{hostname: a, board: {board}, role: master}}]"))
}

fn patches_of(cluster: &Cluster) -> Vec<Patch> {
    patches(&Member::new(cluster, "a", &boards).unwrap()).unwrap()
}

/// The patch of a static pod, read back from what is written into the image.
fn container(cluster: &Cluster, component: &str) -> Option<Container> {
    let name = format!("{component}0+strategic.yaml");
    let patch = patches_of(cluster).into_iter().find(|patch| patch.name == name)?;
    let pod: PodPatch = serde_yaml::from_str(&patch.content).unwrap();
    let [container] = <[Container; 1]>::try_from(pod.spec.containers).unwrap();
    assert_eq!(container.name, component);
    Some(container)
}

#[test]
fn the_probe_of_2018_killed_after_135_seconds() {
    assert_eq!(OF_2018.kills_after(Failure::Hangs), 135);
    let patched = Probe { initial_delay_seconds: 120, ..OF_2018 };
    assert_eq!(patched.kills_after(Failure::Hangs), NEEDED);
}

#[test]
fn the_banana_pi_control_plane_gets_several_times_what_it_needed() {
    let banana_pi = master("bananapi");
    for component in ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"] {
        let probe = container(&banana_pi, component).unwrap().startup_probe.unwrap();
        for failure in [Failure::Refused, Failure::Hangs] {
            let killed = probe.kills_after(failure);
            assert!(killed >= 4 * NEEDED, "{component}: killed after {killed} s");
        }
    }
}

#[test]
fn a_running_api_server_may_be_silent_for_longer_than_it_ever_needed() {
    let probe = container(&master("bananapi"), "kube-apiserver").unwrap().liveness_probe.unwrap();
    assert!(probe.kills_after(Failure::Refused) >= NEEDED);
    assert!(probe.timeout_seconds > OF_2018.timeout_seconds);
}

#[test]
fn kubeadm_waits_no_shorter_than_the_probe() {
    for release in ["1.20.2", "1.26.15", "1.36.4"] {
        let text =
            format!("kubernetes: {release}\nnodes: [{{hostname: a, board: virt-arm64, role: master}}]");
        let cluster = cluster(&text);
        let member = Member::new(&cluster, "a", &boards).unwrap();
        let documents = kubeadm::init(&member, "abcdef.0123456789abcdef");
        let waits = documents.iter().find_map(|document| match document {
            Document::InitConfiguration(init) => {
                Some(init.timeouts.as_ref()?.control_plane_component_health_check)
            }
            Document::ClusterConfiguration(cluster) => cluster.api_server.timeout_for_control_plane,
            _ => None,
        });
        assert_eq!(waits.unwrap().0, 1200, "{release}");
    }
}

#[test]
fn fast_boards_keep_the_defaults() {
    let fast = cluster(
        "nodes: [{hostname: a, board: rpi4, role: master, storage: [{path: /var/lib/etcd, on: /mnt/etcd}]}]",
    );
    let names: Vec<_> = patches_of(&fast).into_iter().map(|patch| patch.name).collect();
    assert_eq!(names, ["kubeletconfiguration0+strategic.yaml"]);
}

#[test]
fn etcd_on_a_card_is_patient_and_named_on_32_bit() {
    let variables = |board| {
        let env = container(&master(board), "etcd").unwrap().env;
        env.into_iter().map(|v| format!("{}={}", v.name, v.value)).collect::<Vec<_>>()
    };
    assert_eq!(variables("rpi4"), ["ETCD_HEARTBEAT_INTERVAL=500", "ETCD_ELECTION_TIMEOUT=5000"]);
    assert_eq!(variables("bananapi")[2..], ["ETCD_UNSUPPORTED_ARCH=arm"]);
}

/// etcd ends where an option is in its environment and on its command line, <https://pkg.go.dev/go.etcd.io/etcd/pkg/v3/flags>.
#[test]
fn what_the_file_says_of_etcd_is_said_once() {
    let mut told = master("rpi4");
    told.etcd.extra_args.insert("heartbeat-interval".into(), serde_yaml::from_str("'250'").unwrap());
    let env = container(&told, "etcd").unwrap().env;
    assert_eq!(env.iter().map(|v| &*v.name).collect::<Vec<_>>(), ["ETCD_ELECTION_TIMEOUT"]);
}

#[test]
fn patches_keep_to_the_names_kubeadm_knows() {
    // Targets and kinds in cmd/kubeadm/app/util/patches/patches.go.
    const TARGETS: [&str; 5] =
        ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubeletconfiguration"];
    for patch in patches_of(&master("bananapi")) {
        let target = patch.name.strip_suffix("0+strategic.yaml").unwrap();
        assert!(TARGETS.contains(&target), "{}", patch.name);
    }
}
