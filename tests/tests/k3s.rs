//! A cluster file with `engine: k3s`: checked, locked and built without network, and what is in its images.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{fs, path::Path, process::Command};

use imgforge_tests::{
    SignedRepository, Tool, Workbench, approved, authority, etcd_snapshot, fails, file_in, k3s_release,
    of_cluster, sha256, succeeds,
};

const CLUSTER: &str = "\
name: home
engine: k3s
users:
  - { name: ops, sudo: true, ssh-keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D ops] }
nodes:
  - { hostname: k8s-master-1, board: virt-arm64, role: master, address: 192.168.76.10/24 }
  - { hostname: k8s-worker-1, board: virt-armhf }
  - { hostname: k8s-worker-2, board: virt-armhf }
";

#[test]
fn a_server_and_32_bit_agents_are_checked_locked_and_built_offline() {
    let bench = Workbench::new();
    let server = SignedRepository::new();
    fs::write(bench.profiles().join("kubernetes/k3s-1.36.yaml"), k3s_release(&server)).unwrap();
    let home = bench.home.path();
    let file = home.join("home.yaml");
    fs::write(&file, CLUSTER).unwrap();
    let imgforge = |words: &[&str]| {
        let mut command = bench.imgforge();
        command.args(words).arg("--cluster").arg(&file);
        command
    };
    let checked = succeeds(&mut imgforge(&["cluster", "check"]));
    assert!(!String::from_utf8_lossy(&checked.stderr).contains("frozen-release"));
    succeeds(&mut imgforge(&["cluster", "init"]));
    succeeds(&mut imgforge(&["lock"]));
    // The hashes that nobody knew are in the lock now, as the publisher says them.
    let lock = fs::read_to_string(home.join("home.virt-armhf.lock.yaml")).unwrap();
    for name in ["k3s-armhf", "k3s-airgap-images-arm.tar.zst"] {
        assert!(lock.contains(&sha256(&server.path(name))), "{name}: {lock}");
    }
    succeeds(&mut imgforge(&["fetch"]));

    // Built twice with no network at all, and the same bytes; nothing is left to find out.
    let build = |name: &str| {
        let folder = home.join(name);
        fs::create_dir(&folder).unwrap();
        succeeds(imgforge(&["build", "--locked", "--offline"]).arg("--output").arg(&folder));
        folder
    };
    let (one, two) = (build("one"), build("two"));
    for name in ["k8s-master-1.img", "k8s-worker-1.img", "k8s-worker-2.img"] {
        succeeds(Command::new("cmp").arg(one.join(name)).arg(two.join(name)));
    }
    let master = approved(&one.join("k8s-master-1.img"), &one);
    let worker = approved(&one.join("k8s-worker-1.img"), &two);
    for (root, program, images, unit) in [
        (&master, "k3s-arm64", "k3s-airgap-images-arm64.tar.zst", "k3s.service"),
        (&worker, "k3s-armhf", "k3s-airgap-images-arm.tar.zst", "k3s-agent.service"),
    ] {
        let served = |name: &str| String::from_utf8(server.get(name)).unwrap();
        assert_eq!(file_in(root, "/usr/local/bin/k3s"), served(program));
        assert_eq!(file_in(root, &format!("/var/lib/imgforge/images/{images}")), served(images));
        let unit = file_in(root, &format!("/usr/lib/systemd/system/{unit}"));
        assert!(unit.contains("Requires=imgforge-storage.service"));
        let kubelet = file_in(root, "/etc/imgforge/k3s/kubelet.conf");
        assert!(kubelet.contains("kind: KubeletConfiguration"));
    }
    succeeds(&mut imgforge(&["kubeconfig"]));

    // What cannot be done with it yet is refused, with what can be done instead.
    let said = fails(&mut imgforge(&["cluster", "backup"]), 1);
    assert!(said.contains("snapshots are of etcd") && said.contains("datastore: etcd"), "{said}");
    let said = fails(&mut imgforge(&["build", "--node", "k8s-master-1", "--restore", "any.snapshot"]), 1);
    assert!(said.contains("snapshots are of etcd") && said.contains("datastore: etcd"), "{said}");
    let said = fails(&mut imgforge(&["cluster", "remove", "k8s-master-1"]), 1);
    assert!(said.contains("is the last master"), "{said}");

    // A publisher whose sums do not name the file is told with its name.
    server.put("sha256sum-arm.txt", b"nothing\n");
    fs::remove_file(home.join("home.virt-armhf.lock.yaml")).unwrap();
    let said = fails(&mut imgforge(&["lock"]), 1);
    assert!(said.contains("sha256sum-arm.txt names no checksum of k3s-armhf"), "{said}");
}

/// k3s makes data of it; that it comes to the master as it is, and only of this cluster, is ours.
#[test]
fn a_card_brings_the_snapshot_that_its_master_is_to_start_from() {
    let bench = Workbench::new();
    let server = SignedRepository::new();
    fs::write(bench.profiles().join("kubernetes/k3s-1.36.yaml"), k3s_release(&server)).unwrap();
    let path = |name: &str| bench.home.path().join(name);
    fs::write(path("home.yaml"), format!("k3s: {{ datastore: etcd }}\n{CLUSTER}")).unwrap();
    let imgforge = |words: &[&str]| {
        let mut command = bench.imgforge();
        command.args(words).arg("--cluster").arg(path("home.yaml"));
        command
    };
    succeeds(&mut imgforge(&["cluster", "init"]));
    let build = |snapshot: &Path| {
        let mut build = imgforge(&["build", "--node", "k8s-master-1"]);
        build.arg("--restore").arg(snapshot).arg("--output").arg(bench.home.path());
        build
    };
    // k3s has none of kubeadm's notes in its cluster, and so no release.
    let of_k3s = |certificate: &str| {
        let mut objects = of_cluster("home", "1.36.4", certificate);
        objects.retain(|(key, _)| !key.ends_with("kubeadm-config"));
        objects
    };
    etcd_snapshot(&of_k3s("-----BEGIN CERTIFICATE-----\nMIIB\n"), &path("other.snapshot"));
    let said = fails(&mut build(&path("other.snapshot")), 1);
    assert!(said.contains("is of another cluster"), "{said}");

    etcd_snapshot(&of_k3s(&authority(&path("home.secrets.yaml"))), &path("home.snapshot"));
    succeeds(&mut build(&path("home.snapshot")));
    let root = approved(&path("k8s-master-1.img"), bench.home.path());
    let (inside, copy) = ("/var/lib/imgforge/restore/snapshot", path("copy").display().to_string());
    Tool::DEBUGFS.approves(["-R", &format!("dump {inside} {copy}"), &root.to_string_lossy()]);
    succeeds(Command::new("cmp").arg(path("home.snapshot")).arg(&copy));
    assert!(file_in(&root, "/etc/rancher/k3s/config.yaml").contains("cluster-init: true"));
}
