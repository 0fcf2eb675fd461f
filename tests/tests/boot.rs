//! The image of the README's first command boots in QEMU to the end of its first boot.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{fs, process::Command, time::Duration};

use imgforge_tests::{Guest, Workbench, succeeds};

/// When to give up: about ten times what an idle machine of two cores needs, since other tests run beside the boots.
const FIRST_BOOT: Duration = Duration::from_secs(1200);
const ANSWER: Duration = Duration::from_secs(240);

/// The password is `imgforge`: `openssl passwd -6 -salt imgforge imgforge`.
const NODE: &str = "\
users:
  - name: ops
    password-hash: $6$imgforge$ZTfWDDw7O8kxz2CkN9CP2YOgkFeDNdtrh7MQVTkNWeXz7XMuQzQBBqGCGr9771R5ioDaRWRtMZDNe5hgnatsu1
    sudo: true
mounts:
  - { source: LABEL=raid, target: /mnt/root }
storage:
  - { path: /var/lib/etcd, on: /mnt/root/var/lib/etcd }
packages: [openssh-server, nfs-kernel-server]
";

#[test]
fn a_master_boots_with_its_name_its_disks_and_its_stages_on_the_console() {
    let bench = Workbench::new();
    let node = bench.home.path().join("node.yaml");
    fs::write(&node, NODE).unwrap();
    let options = ["--hostname", "k8s-master-1", "--node", node.to_str().unwrap()];
    let image = bench.built("virt-arm64", "master", "master.img", &options);
    let disk = bench.home.path().join("raid.img");
    succeeds(Command::new("mke2fs").args(["-q", "-t", "ext4", "-L", "raid"]).arg(&disk).arg("64M"));

    let mut guest = Guest::boot_with_disk(&image, &disk);
    for stage in ["grow", "clock", "storage", "packages", "kernel"] {
        guest.wait_for(&format!("imgforge: [{stage}]"), FIRST_BOOT);
    }
    let time = guest.wait_for("imgforge: first boot finished: k8s-master-1 (master)", FIRST_BOOT);
    println!("first boot finished after {:.0} s", time.as_secs_f64());
    guest.log_in("k8s-master-1", "ops", "imgforge");
    guest.ask("findmnt -no SOURCE /var/lib/etcd | tr a-z A-Z", "/DEV/VDB[/VAR/LIB/ETCD]");
    guest.ask("echo state=$(systemctl is-system-running)", "state=running");
    // Packages that the image held unpacked are configured, their services run, and apt goes on from there.
    guest.ask("sudo dpkg --audit && echo audit=$((40 + 2))", "audit=42");
    guest.ask(
        "echo unconfigured=$(dpkg-query -Wf '${db:Status-Status}\\n' | grep -cv '^installed')",
        "unconfigured=0",
    );
    for service in ["containerd", "ssh", "nfs-server"] {
        guest.ask(&format!("echo {service}=$(systemctl is-active {service})"), &format!("{service}=active"));
        guest
            .ask(&format!("echo {service}:$(systemctl is-enabled {service})"), &format!("{service}:enabled"));
    }
    guest.ask("sudo ctr version > /dev/null && echo ctr=$((40 + 2))", "ctr=42");
    guest.ask("sudo apt-get check > /dev/null && echo check=$((40 + 2))", "check=42");
    // There are no package lists on the node yet, so what is installed is a package made there.
    guest.send("mkdir -p x/DEBIAN; printf 'Package: x\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\n' > x/DEBIAN/control\n");
    guest.send("printf 'Depends: containerd, conntrack\\nDescription: x\\n' >> x/DEBIAN/control\n");
    guest.ask("dpkg-deb --build x x.deb > /dev/null && echo built=$((40 + 2))", "built=42");
    guest.ask("apt-get --simulate install ./x.deb | grep -c '^Inst x'; echo apt=$?", "apt=0");
    guest.ask("imgforge-status; echo status=$?", "status=0");
    guest.send("sudo poweroff\n");
    guest.wait_for_power_off(ANSWER);
}
