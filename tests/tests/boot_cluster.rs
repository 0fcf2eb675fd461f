//! The nodes of one cluster file, in QEMU, on one network: they find each other with nobody logged in, whatever the order, the
//! clock, a missing disk or a power cut. In place of Kubernetes' programs stand those of `tests/cluster`.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    fs::{self, File},
    process::Command,
    thread,
    time::Duration,
};

use imgforge_tests::{
    ClusterLab, Lan, Workbench, finishes, free_port, node, release, sha256, stand_ins, succeeds,
};
use serde_json::Value;

/// When to give up: about ten times what an idle machine of two cores needs, since other tests run beside the boots.
const STAGE: Duration = Duration::from_secs(1200);

const CLUSTER: &str = r#"
name: home
add-ons: { network: flannel }
carry-images: false # no registry has the stand-ins
nodes:
  - hostname: k8s-master-1
    board: virt-arm64
    role: master
    address: 192.168.76.10/24
    taints: []
    labels: { home.example/raid: 'true' }
    mounts:
      - { source: LABEL=raid, target: /mnt/root, options: 'defaults,x-systemd.device-timeout=1s' } # always too late
    storage:
      - { path: /var/lib/etcd, on: /mnt/root/var/lib/etcd }
      - { path: /var/lib/containerd, on: /mnt/root/var/lib/containerd }
    files:
      - path: /etc/systemd/network/04-management.network # a second card, for this machine only
        content: "[Match]\nMACAddress=52:54:00:12:35:01\n[Network]\nDHCP=ipv4\n"
  - { hostname: k8s-worker-1, board: virt-arm64, address: 192.168.76.11/24, labels: { home.example/network: gigabit } }
  - hostname: k8s-worker-2
    board: virt-arm64
    address: 192.168.76.12/24
    mounts:
      - { source: /dev/vdb, target: /mnt/scratch, format-if-blank: true }
"#;

/// In place of flannel's manifest, which the tests cannot reach.
const NETWORK: &str = "kind: ConfigMap\ndata: { net-conf.json: '{ \"Network\": \"10.244.0.0/16\" }' }\n";

fn lab() -> ClusterLab {
    let bench = Workbench::new();
    let packages = stand_ins();
    packages.put("flannel.yml", NETWORK.as_bytes());
    fs::write(bench.profiles().join("kubernetes/1.36.yaml"), release(&packages)).unwrap();
    let flannel = format!(
        "name: flannel\nversion: v0\nurl: {}\nsha256: {}\n",
        packages.url("flannel.yml"),
        sha256(&packages.path("flannel.yml"))
    );
    fs::write(bench.profiles().join("add-ons/flannel.yaml"), flannel).unwrap();
    ClusterLab::new(bench, packages, CLUSTER)
}

#[test]
fn nodes_find_each_other_in_any_order_without_a_clock_without_their_disk_and_after_a_power_cut() {
    let lab = lab();
    let lan = Lan::new();
    let port = free_port();
    let management = format!("{port}:6443");
    let master = |options: &[&str]| {
        lan.boot(1, &lab.image("k8s-master-1"), &[&["--management", &management], options].concat())
    };

    // The worker is first, and its board has no battery for the clock. The master comes without its disk: it says which, and
    // does not go on.
    let mut worker = lan.boot(2, &lab.image("k8s-worker-1"), &["--clock", "1970-01-01"]);
    let mut without_disk = master(&[]);
    without_disk.wait_for("WAITING: disk LABEL=raid for /mnt/root is missing: attach it", STAGE);
    worker.wait_for("not earlier than the image; no network time after 120 s, going on", STAGE);
    worker.wait_for("kubeadm join: couldn't reach the API server 192.168.76.10:6443", STAGE);
    assert!(!without_disk.transcript().contains("[kubeadm]"), "nothing of the cluster starts on the card");
    drop(without_disk);

    // With its disk it begins, and is cut off.
    let disk = lab.disk();
    let disk = ["--disk", &disk.to_string_lossy()];
    let mut cut_off = master(&disk);
    cut_off.wait_for("imgforge: [kubeadm] kubeadm init: takes minutes", STAGE);
    thread::sleep(Duration::from_secs(8));
    assert!(!cut_off.transcript().contains("kubeadm init succeeded"), "it was to be cut off before");
    drop(cut_off);

    let mut whole = master(&disk);
    whole.wait_for("imgforge: [kubeadm] kubeadm init succeeded", STAGE);
    finishes(&mut whole, "k8s-master-1 (master)");
    worker.wait_for("imgforge: [kubeadm] kubeadm join succeeded", STAGE);
    finishes(&mut worker, "k8s-worker-1 (worker)");

    let state = lab.wait_for_state(port, |state| node(state, "k8s-worker-1").is_some());
    let (first, second) = (node(&state, "k8s-master-1").unwrap(), node(&state, "k8s-worker-1").unwrap());
    assert_eq!((&first["ready"], &second["ready"]), (&"yes".into(), &"yes".into()), "{state}");
    assert_eq!(first["labels"]["home.example/raid"], "true", "{state}");
    assert_eq!(second["labels"]["home.example/network"], "gigabit", "{state}");
    assert_eq!(first["etcd_on"], "/dev/vdb[/var/lib/etcd]", "{state}");
    assert_eq!(state["manifests"].as_array().unwrap(), &[NETWORK], "{state}");

    // A node that is switched on when the cluster has long been there joins it, too, and makes the file system on its new disk.
    let blank = lab.path("blank.img");
    File::create(&blank).unwrap().set_len(64 << 20).unwrap();
    let mut late = lan.boot(3, &lab.image("k8s-worker-2"), &["--disk", &blank.to_string_lossy()]);
    late.wait_for("imgforge: [storage] 1 declared mounts in place", STAGE);
    finishes(&mut late, "k8s-worker-2 (worker)");
    succeeds(Command::new("dumpe2fs").arg("-h").arg(&blank));
    lab.wait_for_state(port, |state| node(state, "k8s-worker-2").is_some());

    // And one that is switched off and on again is back by itself.
    let before = second["boot"].clone();
    drop(worker);
    let _again = lan.boot(2, &lab.image("k8s-worker-1"), &[]);
    let is_back = |node: &Value| node["boot"] != before;
    lab.wait_for_state(port, |state| node(state, "k8s-worker-1").is_some_and(is_back));
}
