//! kubeadm's documents as nodes get them, one golden file each: `IMGFORGE_WRITE_GOLDEN=1` writes them anew.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod common;

use std::{fs, path::Path};

use common::{HOME, boards, cluster, compare};
use imgforge_kube::{
    kubeadm::{self, Document},
    member::Member,
    patches::patches,
};

const TOKEN: &str = "abcdef.0123456789abcdef";
const CA_HASH: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Compares what `hostname` gets with `golden/name`, and reads every document back.
fn check(name: &str, text: &str, hostname: &str) {
    let cluster = cluster(text);
    let member = Member::new(&cluster, hostname, &boards).unwrap();
    let documents = if member.is_first_master() {
        kubeadm::init(&member, TOKEN)
    } else {
        kubeadm::join(&member, TOKEN, CA_HASH)
    };
    let rendered = kubeadm::render(&documents, &cluster).unwrap();
    assert_eq!(kubeadm::parse(&rendered).unwrap(), documents, "{name}: read back");
    let mut golden = rendered;
    for argument in kubeadm::arguments(&member) {
        golden.push_str(&format!("--- # argument: {argument}\n"));
    }
    for patch in patches(&member).unwrap() {
        golden.push_str(&format!("--- # {}\n{}", patch.name, patch.content));
    }
    compare(name, &golden);
}

const SINGLE: &str = "
nodes:
  - { hostname: k8s-master-1, board: rpi4, role: master }
  - { hostname: k8s-worker-1, board: rpi4 }";

const HA: &str = "
endpoint: { host: 192.168.1.9, virtual: true }
join-window: 720h
lan: { gateway: 192.168.1.1, dns: [192.168.1.1] }
nodes:
  - { hostname: k8s-master-1, board: rpi4, role: master, address: 192.168.1.11/24 }
  - { hostname: k8s-master-2, board: rpi4, role: master, address: 192.168.1.12/24 }
  - { hostname: k8s-master-3, board: rk3328, role: master, address: 192.168.1.13/24 }
  - { hostname: k8s-worker-1, board: rk3328, swap: true }";

const MIXED: &str = "
kubernetes: 1.29.14
nodes:
  - { hostname: k8s-master-1, board: rpi4, role: master }
  - { hostname: k8s-worker-1, board: rk3328 }
  - { hostname: k8s-worker-2, board: rk3328, kubernetes: 1.26.15 }";

const PAIR_1_20: &str = "
kubernetes: 1.20.2
images: { etcd: 3.5.16-0 }
nodes:
  - { hostname: master, board: virt-arm64, role: master, address: 10.0.3.1/24, taints: [] }
  - { hostname: worker, board: virt-arm64, address: 10.0.3.2/24, labels: { home.example/raid: 'true' } }";

const BOTH: &str = "
networking:
  pod-subnet: [10.244.0.0/16, 'fd00:10:244::/56']
  service-subnet: [10.96.0.0/12, 'fd00:10:96::/112']
nodes:
  - { hostname: m, board: rpi4, role: master, address: 192.168.1.10/24, second-address: 'fd00:1::10/64' }";

const IPV6: &str = "
networking: { pod-subnet: 'fd00:10:244::/56', service-subnet: 'fd00:10:96::/112' }
nodes:
  - { hostname: m, board: rpi4, role: master, address: 'fd00:1::10/64' }
  - { hostname: w, board: rpi4 }";

#[test]
fn both_families_and_ipv6_alone() {
    check("dual-stack-master.yaml", BOTH, "m");
    check("ipv6-master.yaml", IPV6, "m");
    check("ipv6-worker.yaml", IPV6, "w");
}

#[test]
fn single_master() {
    check("single-master.yaml", SINGLE, "k8s-master-1");
}

#[test]
fn worker() {
    check("worker.yaml", SINGLE, "k8s-worker-1");
}

#[test]
fn schedulable_master_with_labels_and_raid() {
    check("schedulable-master.yaml", &HOME, "k8s-master-1");
}

#[test]
fn armv7_worker_on_1_26() {
    check("armv7-worker.yaml", &HOME, "k8s-worker-1");
}

#[test]
fn three_masters_behind_a_virtual_address() {
    check("ha-first-master.yaml", HA, "k8s-master-1");
    check("ha-further-master.yaml", HA, "k8s-master-3");
    check("ha-worker.yaml", HA, "k8s-worker-1");
}

#[test]
fn a_master_that_goes_on_with_its_join_knows_the_cluster_by_its_own_kubeconfig() {
    for (release, limit) in [("1.36.4", None), ("1.26.15", Some("20m0s"))] {
        let cluster = cluster(&format!("kubernetes: {release}{HA}"));
        let documents = kubeadm::rejoin(&Member::new(&cluster, "k8s-master-3", &boards).unwrap());
        let rendered = kubeadm::render(&documents, &cluster).unwrap();
        assert_eq!(kubeadm::parse(&rendered).unwrap(), documents);
        let limit = limit.map(|limit| format!("  timeout: {limit}\n")).unwrap_or_default();
        let discovery = format!(
            "discovery:\n  file:\n    kubeConfigPath: /etc/kubernetes/admin.conf\n{limit}controlPlane:\n"
        );
        assert!(rendered.contains(&discovery), "{rendered}");
    }
}

#[test]
fn mixed_releases() {
    check("mixed-master.yaml", MIXED, "k8s-master-1");
    check("mixed-worker.yaml", MIXED, "k8s-worker-2");
}

#[test]
fn pair_on_1_20() {
    check("v1beta2-master.yaml", PAIR_1_20, "master");
    check("v1beta2-worker.yaml", PAIR_1_20, "worker");
}

#[test]
fn docker_is_reached_through_cri_dockerd() {
    const DOCKER: &str = "
runtime: docker
nodes:
  - { hostname: m, board: rpi4, role: master }
  - { hostname: w, board: rpi4 }
  - { hostname: small, board: rpi4, runtime: containerd }";
    check("docker-master.yaml", DOCKER, "m");
    check("docker-worker.yaml", DOCKER, "w");
    let socket = |text: &str, hostname| {
        let cluster = cluster(text);
        match kubeadm::join(&Member::new(&cluster, hostname, &boards).unwrap(), TOKEN, CA_HASH).remove(0) {
            Document::JoinConfiguration(join) => join.node_registration.cri_socket,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(socket(DOCKER, "small"), "unix:///run/containerd/containerd.sock");
    let old = format!("kubernetes: 1.20.2{DOCKER}");
    assert_eq!(socket(&old, "w"), "/run/cri-dockerd.sock", "a path in v1beta2's time");
}

#[test]
fn nothing_is_ignored_that_the_board_does_not_need() {
    for (text, hostname, ignored) in
        [(SINGLE, "k8s-master-1", &[][..]), (HA, "k8s-master-3", &["Mem"]), (&HOME, "k8s-worker-2", &[])]
    {
        let cluster = cluster(text);
        let member = Member::new(&cluster, hostname, &boards).unwrap();
        let registration = match &kubeadm::init(&member, TOKEN)[0] {
            Document::InitConfiguration(init) => init.node_registration.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(registration.ignore_preflight_errors, ignored, "{hostname}");
    }
}

#[test]
fn kubeadm_is_told_of_patches_only_where_there_are_any() {
    for release in ["1.20.2", "1.24.17", "1.25.16", "1.36.4"] {
        for board in ["rpi4", "virt-arm64"] {
            let text = format!(
                "kubernetes: {release}
nodes:
  - {{ hostname: m, board: {board}, role: master, storage: [{{ path: /var/lib/etcd, on: /mnt/etcd }}] }}
  - {{ hostname: w, board: {board} }}"
            );
            let cluster = cluster(&text);
            for hostname in ["m", "w"] {
                let member = Member::new(&cluster, hostname, &boards).unwrap();
                let documents = if hostname == "m" {
                    kubeadm::init(&member, TOKEN)
                } else {
                    kubeadm::join(&member, TOKEN, CA_HASH)
                };
                let told = kubeadm::render(&documents, &cluster).unwrap().contains(kubeadm::PATCHES)
                    || !kubeadm::arguments(&member).is_empty();
                assert_eq!(told, !patches(&member).unwrap().is_empty(), "{release} {board} {hostname}");
            }
        }
    }
}

#[test]
fn no_field_of_a_later_api_is_written() {
    // Fields that v1beta3 and v1beta4 brought; an older kubeadm refuses documents that have them.
    let absent = [
        ("v1beta2-master.yaml", &["patches:\n", "timeouts:", "encryptionAlgorithm:", "- name:"][..]),
        ("schedulable-master.yaml", &["timeouts:", "encryptionAlgorithm:"]),
        ("single-master.yaml", &["timeoutForControlPlane:", "featureGates:"]),
    ];
    for (name, fields) in absent {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let text = fs::read_to_string(path).unwrap();
        let documents = text.split("--- #").next().unwrap();
        for field in fields {
            assert!(!documents.contains(field), "{name}: {field}");
        }
    }
}

#[test]
fn secrets_are_not_in_debug_output() {
    let cluster = cluster(SINGLE);
    let master = Member::new(&cluster, "k8s-master-1", &boards).unwrap();
    let worker = Member::new(&cluster, "k8s-worker-1", &boards).unwrap();
    let shown = format!("{:?}{:?}", kubeadm::init(&master, TOKEN), kubeadm::join(&worker, TOKEN, CA_HASH));
    assert!(!shown.contains(TOKEN), "{shown}");
}
