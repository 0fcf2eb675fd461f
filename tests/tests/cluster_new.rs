//! `imgforge cluster new`: from boards on the command line to a file that `cluster check` has no error in.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    fs,
    process::{Command, Output},
};

use imgforge_tests::{Home, fails, succeeds};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN+gFCSG7AdSI0qlKF2s4wVOSciCEWlzr5g8xGe6hEaD me@pc";

/// `imgforge cluster new` in an empty home with a key, whose user is Anna.
fn new(home: &Home, arguments: &[&str]) -> Command {
    fs::create_dir_all(home.path().join(".ssh")).unwrap();
    fs::write(home.path().join(".ssh/id_ed25519.pub"), format!("{KEY}\n")).unwrap();
    let mut command = home.imgforge();
    command
        .current_dir(home.path())
        .env("USER", "anna")
        .env("TZ", ":Europe/Berlin")
        .args(["cluster", "new"])
        .args(arguments);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_file_has_the_boards_the_callers_key_and_the_network_and_passes_the_check() {
    let home = Home::new();
    let boards = ["--master", "rk3328", "--worker", "bananapi", "--worker", "rpi4=2"];
    let output = succeeds(new(&home, &boards).args(["--lan", "192.168.1.1/24"]));
    assert_eq!(output.stdout, b"home.yaml\n");
    let said = said(&output);
    let next = "look it over; then `imgforge cluster init --cluster home.yaml`, and `imgforge flash --cluster home.yaml`\n";
    assert!(said.ends_with(next), "{said}");
    let text = fs::read_to_string(home.path().join("home.yaml")).unwrap();
    let expected = format!(
        r#"# A cluster of 4 boards. `imgforge schema cluster` has every setting, `imgforge cluster check` says what is wrong.
name: home

# The newest release that every board runs. Without bananapi-m1 it could be newer:
# Kubernetes 1.37.0 has no binaries for 32-bit Arm; 1.26 was the last line with them (no fixes since 2024-02)
# All of them run 1.36.4 with `engine: k3s` (`--engine k3s`).
kubernetes: 1.26.15

# The network that the boards stand in, for those with an address of their own.
lan:
  gateway: 192.168.1.1
  dns: [192.168.1.1]

add-ons:
  network: flannel
  # Addresses for Services of type LoadBalancer, which the router must not hand out:
  # load-balancer:
  #   addresses: [192.168.1.240-192.168.1.250]

# Who may log in to every node.
users:
  - name: anna
    ssh-keys:
      - "{KEY}"
    sudo: true

# Of every node, as of this machine.
system:
  time-zone: Europe/Berlin

nodes:
  # Libre Computer ROC-RK3328-CC (Renegade)
  - hostname: k8s-master-1
    board: rk3328
    role: master
    # memory: 2048 # in MiB, if this one has more than 1024
    address: 192.168.1.10/24 # one that the router does not hand out

  # Banana Pi M1
  - hostname: k8s-worker-1
    board: bananapi-m1
    role: worker
    # memory: 2048 # in MiB, if this one has more than 1024

  # Raspberry Pi 4 Model B
  - hostname: k8s-worker-2
    board: rpi4
    role: worker
    # memory: 2048 # in MiB, if this one has more than 1024

  # Raspberry Pi 4 Model B
  - hostname: k8s-worker-3
    board: rpi4
    role: worker
    # memory: 2048 # in MiB, if this one has more than 1024
"#
    );
    assert_eq!(text, expected);
    succeeds(home.imgforge().current_dir(home.path()).args(["cluster", "check", "--cluster", "home.yaml"]));

    let said = fails(&mut new(&home, &boards), 1);
    assert_eq!(said, "error: --output: home.yaml is there already; -o names another file\n");
    assert_eq!(fs::read_to_string(home.path().join("home.yaml")).unwrap(), expected);
}

#[test]
fn an_engine_has_its_own_newest_release() {
    let home = Home::new();
    let boards = ["--master", "rk3328", "--worker", "bananapi", "--worker", "cubieboard"];
    succeeds(&mut new(&home, &[&boards[..], &["-o", "old.yaml"]].concat()));
    let old = fs::read_to_string(home.path().join("old.yaml")).unwrap();
    assert!(old.contains(" Without bananapi-m1 and cubieboard1 it could be newer:"), "{old}");
    succeeds(&mut new(&home, &[&boards[..], &["--engine", "k3s"]].concat()));
    let file = fs::read_to_string(home.path().join("home.yaml")).unwrap();
    assert!(
        file.contains("engine: k3s\n\n# The newest release that every board runs.\nkubernetes: 1.36.4\n"),
        "{file}"
    );
    let error = fails(&mut new(&home, &[&boards[..], &["--engine", "k8s", "-o", "x.yaml"]].concat()), 2);
    assert!(error.contains("kubeadm, k3s"), "{error}");
}

#[test]
fn several_masters_share_an_address_and_run_pods_where_nobody_else_does() {
    let home = Home::new();
    succeeds(&mut new(&home, &["--master", "rpi4=3", "--lan", "192.168.7.1/24", "-o", "three.yaml"]));
    let text = fs::read_to_string(home.path().join("three.yaml")).unwrap();
    assert!(
        text.contains("name: three\n") && text.contains("endpoint: { host: 192.168.7.13, virtual: true }\n"),
        "{text}"
    );
    assert_eq!(text.matches("taints: []").count(), 3);
    succeeds(new(&home, &["--master", "rpi4", "-o", "utc.yaml"]).env("TZ", "Etc/UTC"));
    let utc = fs::read_to_string(home.path().join("utc.yaml")).unwrap();
    assert!(!utc.contains("time-zone"), "nodes have it anyway: {utc}");
    succeeds(home.imgforge().current_dir(home.path()).args(["cluster", "check", "--cluster", "three.yaml"]));
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_written() {
    let home = Home::new();
    let refused = |arguments: &[&str], code, text: &str| {
        let said = fails(&mut new(&home, arguments), code);
        assert!(said.contains(text), "{said}");
        assert!(!home.path().join("home.yaml").exists());
    };
    refused(&["--master", "rpi9"], 1, "no board is called `rpi9`");
    refused(&["--master", "rpi1"], 1, "cannot be a master:");
    refused(&["--master", "cubieboard1"], 1, "hint: it can be a worker");
    refused(&["--master", "rpi4=0"], 2, "with a count from 1 to 250");
    refused(&["--worker", "rpi4"], 2, "--master");
    refused(&["--master", "rpi4", "--lan", "192.168.1.1/31"], 1, "is no router with its network");
    refused(&["--master", "rpi4", "--lan", "192.168.1.0/24"], 1, "is no router with its network");
    refused(&["--master", "rpi4", "--lan", "10.0.0.138/8"], 1, "home.yaml");
    refused(&["--master", "rpi4=9", "--lan", "192.168.1.1/29"], 1, "no room for 9 masters");
}
