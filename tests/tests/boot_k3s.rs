//! A server on 64 bits and two agents on 32, in QEMU, on one network: they find each other with nobody logged in, whatever the
//! order, the clock, a missing disk or a power cut. In place of k3s stands that of `tests/cluster`.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{fs, thread, time::Duration};

use imgforge_tests::{ClusterLab, Lan, SignedRepository, Workbench, finishes, free_port, k3s_release, node};
use serde_json::Value;

/// When to give up: about ten times what an idle machine of two cores needs, since other tests run beside the boots.
const STAGE: Duration = Duration::from_secs(1200);

const CLUSTER: &str = r#"
name: home
engine: k3s
k3s: { disable: [traefik, servicelb] }
manifests: [own.yaml]
nodes:
  - hostname: k8s-master-1
    board: virt-arm64
    role: master
    address: 192.168.76.10/24
    labels: { home.example/raid: 'true' }
    mounts:
      - { source: LABEL=raid, target: /mnt/root, options: 'defaults,x-systemd.device-timeout=1s' } # always too late
    storage:
      - { path: /var/lib/rancher/k3s, on: /mnt/root/k3s }
    files:
      - path: /etc/systemd/network/04-management.network # a second card, for this machine only
        content: "[Match]\nMACAddress=52:54:00:12:35:01\n[Network]\nDHCP=ipv4\n"
  - hostname: k8s-worker-1
    board: virt-armhf
    address: 192.168.76.11/24
    labels: { home.example/network: gigabit }
  - hostname: k8s-worker-2
    board: virt-armhf
    address: 192.168.76.12/24
    taints: [{ key: home.example/slow, value: 'yes', effect: NoSchedule }]
"#;

const OWN: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: own }\n";

/// Three servers without a disk: who loses the card loses the data.
const SEVERAL: &str = r#"
name: home
engine: k3s
endpoint: { host: 192.168.76.10 }
nodes:
  - hostname: k8s-master-1
    board: virt-arm64
    role: master
    address: 192.168.76.10/24
  - hostname: k8s-master-2
    board: virt-arm64
    role: master
    address: 192.168.76.11/24
    files:
      - path: /etc/systemd/network/04-management.network # a second card, for this machine only
        content: "[Match]\nMACAddress=52:54:00:12:35:02\n[Network]\nDHCP=ipv4\n"
  - hostname: k8s-master-3
    board: virt-arm64
    role: master
    address: 192.168.76.12/24
"#;

fn lab(cluster: &str) -> ClusterLab {
    let bench = Workbench::new();
    let server = SignedRepository::new();
    fs::write(bench.home.path().join("own.yaml"), OWN).unwrap();
    fs::write(bench.profiles().join("kubernetes/k3s-1.36.yaml"), k3s_release(&server)).unwrap();
    ClusterLab::new(bench, server, cluster)
}

#[test]
fn a_server_and_32_bit_agents_find_each_other_in_any_order_without_their_disk_and_after_a_power_cut() {
    let lab = lab(CLUSTER);
    let lan = Lan::new();
    let port = free_port();
    let management = format!("{port}:6443");
    let master = |options: &[&str]| {
        lan.boot(1, &lab.image("k8s-master-1"), &[&["--management", &management], options].concat())
    };

    // An agent is first, and its board has no battery for the clock. The server comes without its disk: it says which, and does
    // not go on.
    let mut agent = lan.boot(2, &lab.image("k8s-worker-1"), &["--32-bit", "--clock", "1970-01-01"]);
    let mut without_disk = master(&[]);
    without_disk.wait_for("WAITING: disk LABEL=raid for /mnt/root is missing: attach it", STAGE);
    agent.wait_for("[k3s] WAITING: no place in the cluster yet: no answer from 192.168.76.10:6443", STAGE);
    assert!(!without_disk.transcript().contains("[k3s]"), "nothing of the cluster starts on the card");
    drop(without_disk);

    // With its disk it begins, and is cut off.
    let disk = lab.disk();
    let disk = ["--disk", &disk.to_string_lossy()];
    let mut cut_off = master(&disk);
    cut_off.wait_for("imgforge: [k3s] k3s server: takes minutes", STAGE);
    thread::sleep(Duration::from_secs(6));
    assert!(!cut_off.transcript().contains("k3s server is up"), "it was to be cut off before");
    drop(cut_off);

    let mut whole = master(&disk);
    whole.wait_for("imgforge: [k3s] k3s server is up", STAGE);
    finishes(&mut whole, "k8s-master-1 (master)");
    agent.wait_for("imgforge: [k3s] k3s agent has joined 192.168.76.10:6443", STAGE);
    finishes(&mut agent, "k8s-worker-1 (worker)");

    let state = lab.wait_for_state(port, |state| node(state, "k8s-worker-1").is_some());
    let (first, second) = (node(&state, "k8s-master-1").unwrap(), node(&state, "k8s-worker-1").unwrap());
    assert_eq!(first["labels"]["home.example/raid"], "true", "{state}");
    assert_eq!(second["labels"]["home.example/network"], "gigabit", "{state}");
    assert_eq!(second["machine"], "armv7l", "{state}");
    assert_eq!(first["data_on"], "/dev/vdb[/k3s]", "{state}");
    let images = |node: &Value| node["images"].to_string();
    assert!(images(first).contains("k3s-airgap-images-arm64.tar.zst"), "{state}");
    assert!(images(second).contains("k3s-airgap-images-arm.tar.zst"), "{state}");
    assert_eq!(state["options"]["disable"].to_string(), r#"["servicelb","traefik"]"#, "{state}");
    assert_eq!(state["manifests"].as_array().unwrap(), &[OWN], "{state}");

    // An agent that is switched on when the cluster has long been there joins it, too.
    let mut late = lan.boot(3, &lab.image("k8s-worker-2"), &["--32-bit"]);
    finishes(&mut late, "k8s-worker-2 (worker)");
    let state = lab.wait_for_state(port, |state| node(state, "k8s-worker-2").is_some());
    assert_eq!(
        node(&state, "k8s-worker-2").unwrap()["taints"].to_string(),
        r#"["home.example/slow=yes:NoSchedule"]"#
    );
    drop(late);

    // A new card of an agent is the same node; so is one that is switched off and on again.
    let before = node(&state, "k8s-worker-1").unwrap()["boot"].clone();
    drop(agent);
    let _again = lan.boot(2, &lab.image("k8s-worker-1"), &["--32-bit"]);
    let is_back = |node: &Value| node["boot"] != before;
    lab.wait_for_state(port, |state| node(state, "k8s-worker-1").is_some_and(is_back));
}

#[test]
fn several_servers_form_one_cluster_and_the_first_joins_it_anew_with_an_empty_card() {
    let lab = lab(SEVERAL);
    let lan = Lan::new();
    let port = free_port();
    let management = format!("{port}:6443");
    let boot =
        |number: u8, options: &[&str]| lan.boot(number, &lab.image(&format!("k8s-master-{number}")), options);

    let new_card = lab.path("new-card.img");
    fs::copy(lab.image("k8s-master-1"), &new_card).unwrap();

    // One that is to join is first, and makes nothing of its own.
    let mut second = boot(2, &["--management", &management]);
    second.wait_for(
        "[k3s] WAITING: none of the other masters answers: 192.168.76.10:6443, 192.168.76.12:6443",
        STAGE,
    );
    let mut first = boot(1, &[]);
    finishes(&mut first, "k8s-master-1 (master)");
    finishes(&mut second, "k8s-master-2 (master)");
    let mut third = boot(3, &[]);
    finishes(&mut third, "k8s-master-3 (master)");
    let member = |state: &Value, of: &str| {
        let members = state["members"].as_array()?.iter().filter_map(Value::as_str);
        members.filter(|member| member.starts_with(of)).map(str::to_owned).last()
    };
    let names = ["k8s-master-1", "k8s-master-2", "k8s-master-3"];
    let all =
        |state: &Value| names.iter().all(|name| node(state, name).is_some() && member(state, name).is_some());
    let state = lab.wait_for_state(port, all);
    let before = member(&state, "k8s-master-1");

    // The first, which would make a cluster, comes back with an empty card: it is a new member of the one that is there.
    drop(first);
    let mut again = lan.boot(1, &new_card, &[]);
    again.wait_for("imgforge: [k3s] k3s server is up", STAGE);
    let state = lab.wait_for_state(port, |state| all(state) && member(state, "k8s-master-1") != before);
    assert_eq!(state["members"].as_array().unwrap().len(), 3, "{state}");
}
