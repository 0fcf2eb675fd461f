//! Nodes that would not work: the plan is good, the image would be, too, and the node would not.

use std::process::Command;

use crate::bench::{Bench, Case, refused};

const HINT: &str = "hint: where you know better, `allow: [RULE]` in the node's settings or the cluster file overrules a rule";

/// Where links say what is started.
const WANTS: &str = "etc/systemd/system/multi-user.target.wants";

/// A build with a node file.
fn node(bench: &Bench, text: &str) -> Command {
    let mut command = bench.build();
    command.arg("--node").arg(bench.write("node.yaml", text.as_bytes()));
    command
}

#[test]
fn a_node_that_would_not_work_is_refused_before_anything_is_written() {
    refused(&[
        Case {
            name: "a disk over the package database",
            input: |bench| node(bench, "hostname: n1\nmounts: [{source: LABEL=x, target: /var}]\n"),
            code: 1,
            answer: &[
                "error: the node n1 would not work:",
                "  mounts[0].target: LABEL=x would be mounted over /var/lib/dpkg of the image",
                HINT,
            ],
        },
        Case {
            name: "an address that nobody sets",
            input: |bench| {
                for folder in ["etc/systemd", "etc/systemd/system", WANTS] {
                    bench.debugfs(&format!("mkdir {folder}"));
                }
                let unit = "/usr/lib/systemd/system/dhcpcd.service";
                let service = bench.write("dhcpcd.service", b"[Service]\nExecStart=/usr/sbin/dhcpcd\n");
                bench.debugfs(&format!("write {} {unit}", service.display()));
                bench.debugfs(&format!("symlink {WANTS}/dhcpcd.service {unit}"));
                node(bench, "hostname: n1\naddress: {address: 192.168.1.10/24}\n")
            },
            code: 1,
            answer: &[
                "error: the node n1 would not work:",
                "  address: the base sets up its network with dhcpcd, but the address is written for systemd-networkd",
                HINT,
            ],
        },
        Case {
            name: "a base that another init starts",
            input: |bench| {
                bench.debugfs("mkdir sbin");
                bench.debugfs("symlink sbin/init openrc-init");
                bench.build()
            },
            code: 1,
            answer: &[
                "error: the node tiny-base would not work:",
                "  /sbin/init: the base is started by openrc-init, not by systemd",
                HINT,
            ],
        },
    ]);
}
