//! The rules of a node's firewall, loaded by the kernel in a network of the test's own: who is heard, and who is not.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{fs, path::Path, process::Command};

use imgforge_tests::{Workbench, approved, file_in, is_root, succeeds};
use tempfile::tempdir;

const NODE: &str = "firewall: { from: [192.168.77.0/24, 10.244.0.0/16], ports: [8022, 8100-8101/tcp] }\n";

/// A node and another machine with a wire between them, each with an address of the home and one of the Internet.
struct Wire {
    node: String,
    other: String,
}

impl Wire {
    fn new() -> Self {
        let name = |what: &str| format!("imgforge-{what}-{}", std::process::id());
        let wire = Self { node: name("node"), other: name("other") };
        for (namespace, _) in wire.ends() {
            succeeds(Command::new("ip").args(["netns", "add", namespace]));
        }
        let ends = [
            "link",
            "add",
            "wire",
            "netns",
            &wire.node,
            "type",
            "veth",
            "peer",
            "name",
            "wire",
            "netns",
            &wire.other,
        ];
        succeeds(Command::new("ip").args(ends));
        for (namespace, number) in wire.ends() {
            let on = |words: &[&str]| drop(succeeds(Command::new("ip").args(["-n", namespace]).args(words)));
            on(&["link", "set", "lo", "up"]);
            on(&["link", "set", "wire", "up"]);
            on(&["address", "add", &format!("192.168.77.{number}/24"), "dev", "wire"]);
            on(&["address", "add", &format!("203.0.113.{number}/24"), "dev", "wire"]);
        }
        wire
    }

    fn ends(&self) -> [(&str, u8); 2] {
        [(&self.node, 1), (&self.other, 2)]
    }

    /// A program in one of the two.
    fn within(namespace: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, program]);
        command
    }

    /// Whether the other machine reaches a port of the node from its address in `network`, at once or after some more tries.
    fn is_heard(&self, network: &str, port: u16, more: u8) -> bool {
        let mut curl = Self::within(&self.other, "curl");
        curl.args(["-s", "-o", "/dev/null", "-m", "2", "--retry-connrefused", "--interface"]);
        curl.arg(format!("{network}.2"))
            .args(["--retry", &more.to_string()])
            .arg(format!("http://{network}.1:{port}/"));
        curl.status().unwrap().success()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for (namespace, _) in self.ends() {
            let _ = Command::new("ip").args(["netns", "del", namespace]).status();
        }
    }
}

/// The rules as a node has them.
fn rules(folder: &Path) -> String {
    let bench = Workbench::new();
    let node = bench.home.path().join("node.yaml");
    fs::write(&node, NODE).unwrap();
    let image = bench.built("rk3328", "base", "node.img", &["--node", node.to_str().unwrap()]);
    let root = approved(&image, folder);
    let unit = file_in(&root, "/usr/lib/systemd/system/imgforge-firewall.service");
    assert!(unit.contains("ExecStart=/usr/sbin/nft -f /etc/imgforge/firewall.nft\n"), "{unit}");
    file_in(&root, "/etc/imgforge/firewall.nft")
}

#[test]
fn whom_the_settings_name_is_heard_and_nobody_else() {
    let folder = tempdir().unwrap();
    let rules = rules(folder.path());
    assert!(rules.contains("\n    ip saddr 192.168.77.0/24 accept\n"), "{rules}");
    if !is_root() {
        println!("the kernel is not asked: only root makes a network");
        return;
    }
    let file = folder.path().join("firewall.nft");
    fs::write(&file, rules).unwrap();
    let wire = Wire::new();
    // kube-proxy's own table stays when ours is loaded, again and again.
    let nft = |words: &[&str]| succeeds(Wire::within(&wire.node, "nft").args(words));
    nft(&["add", "table", "ip", "kube-proxy"]);
    nft(&["-f", file.to_str().unwrap()]);
    nft(&["-f", file.to_str().unwrap()]);
    let listed = String::from_utf8(nft(&["list", "ruleset"]).stdout).unwrap();
    assert!(
        listed.contains("table ip kube-proxy") && listed.matches("table inet imgforge").count() == 1,
        "{listed}"
    );

    // The kubelet's port, the API server's, an open one, and one of an open range.
    let ports = [10250_u16, 6443, 8022, 8101];
    let mut servers: Vec<_> = ports
        .iter()
        .map(|port| {
            let mut python = Wire::within(&wire.node, "python3");
            python.args(["-m", "http.server", &port.to_string()]).current_dir(folder.path());
            python.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    let home = ports.map(|port| wire.is_heard("192.168.77", port, 6));
    let internet = ports.map(|port| wire.is_heard("203.0.113", port, 0));
    servers.iter_mut().for_each(|server| drop(server.kill().and_then(|()| server.wait())));
    assert_eq!((home, internet), ([true; 4], [false, false, true, true]));
}
