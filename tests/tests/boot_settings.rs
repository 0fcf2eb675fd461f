//! A node with settings of its system boots in QEMU, and has them: `make boot-all`.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{fs, process::Command, time::Duration};

use imgforge_tests::{Guest, Lan, Workbench, succeeds};

/// About ten times what an idle machine of two cores needs.
const FIRST_BOOT: Duration = Duration::from_secs(1800);

/// The password is `imgforge`: `openssl passwd -6 -salt imgforge imgforge`.
const NODE: &str = "\
users:
  - name: ops
    password-hash: $6$imgforge$ZTfWDDw7O8kxz2CkN9CP2YOgkFeDNdtrh7MQVTkNWeXz7XMuQzQBBqGCGr9771R5ioDaRWRtMZDNe5hgnatsu1
    sudo: true
packages: [locales, console-setup]
system:
  time-zone: Europe/Berlin
  locale: de_DE.UTF-8
  keyboard: { layout: de, variant: nodeadkeys }
  certificates: [{ file: ca.pem }]
  watchdog: 15
  security-upgrades: true
proxy: { http: 'http://proxy.home.example:3128' }
files:
  - { path: /home/ops/.hushlogin, content: '', owner: ops }
run-once:
  - name: count
    script: |
      #!/bin/sh
      echo $IMGFORGE_HOSTNAME >> /var/lib/counted
";

/// Packages that would ask for them while they are configured leave them as they are.
#[test]
fn time_zone_language_and_keyboard_are_as_the_settings_say_and_a_script_runs_once() {
    let bench = Workbench::new();
    let node = bench.home.path().join("node.yaml");
    fs::write(&node, NODE).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=home", "-days", "3650", "-keyout",
        "ca.key",
    ]);
    succeeds(openssl.args(["-out", "ca.pem"]).current_dir(bench.home.path()));
    let options = ["--hostname", "desk", "--node", node.to_str().unwrap()];
    let image = bench.built("virt-arm64", "base", "desk.img", &options);

    let mut guest = Guest::boot_keeping(&image);
    guest.wait_for("imgforge: [scripts] 1 scripts have run", FIRST_BOOT);
    guest.wait_for("imgforge: first boot finished: desk (base)", FIRST_BOOT);
    guest.log_in("desk", "ops", "imgforge");
    guest.ask("echo zone=$(readlink /etc/localtime)", "zone=/usr/share/zoneinfo/Europe/Berlin");
    guest.ask("echo now=$(date +%Z | tr C X)", "now=XE");
    guest.ask("echo made=$(locale -a | grep -c de_DE.utf8)", "made=1");
    guest.ask("echo lang=$(bash -lc 'echo $LANG')", "lang=de_DE.UTF-8");
    guest.ask(
        "echo keyboard=$(. /etc/default/keyboard; echo $XKBLAYOUT $XKBVARIANT)",
        "keyboard=de nodeadkeys",
    );
    guest.ask("sudo setupcon -k --print-commands-only --force > /dev/null; echo setupcon=$?", "setupcon=0");
    guest.ask("echo owner=$(stat -c %U:%G .hushlogin)", "owner=ops:ops");
    let own = "/usr/local/share/ca-certificates/imgforge-1.crt";
    guest.ask(&format!("openssl verify {own} && echo trusted=$((40 + 2))"), "trusted=42");
    guest.ask("echo watchdog=$(systemctl show -P RuntimeWatchdogUSec)", "watchdog=15s");
    guest.ask("echo upgrades=$(systemctl is-enabled apt-daily-upgrade.timer | tr e E)", "upgrades=EnablEd");
    guest.ask("echo proxy=${http_proxy#http://}", "proxy=proxy.home.example:3128");
    guest.ask("sudo dpkg --audit && echo audit=$((40 + 2))", "audit=42");

    // A script runs once.
    guest.send("sudo poweroff\n");
    guest.wait_for_power_off(FIRST_BOOT);
    drop(guest);
    let mut guest = Guest::boot(&image);
    guest.wait_for("imgforge: [storage]", FIRST_BOOT);
    guest.log_in("desk", "ops", "imgforge");
    guest.ask("echo counted=$(tr d D < /var/lib/counted | tr '\\n' .)", "counted=Desk.");
}

/// Two nodes whose addresses are in a VLAN of the wire between them, and that stand in another VLAN of it, too.
#[test]
fn nodes_reach_each_other_in_their_vlan() {
    let bench = Workbench::new();
    let image = |number: u8| {
        let node = bench.home.path().join("node.yaml");
        let card = format!("interface: '52:54:00:12:34:{number:02x}', vlan: 20");
        let users = NODE.split_once("packages:").unwrap().0;
        let address = format!("address: {{ address: 192.168.20.{number}/24, {card} }}\n");
        let other = card.replace("20", "30");
        let networks = format!("networks: [{{ {other}, addresses: [10.0.30.{number}/24] }}]\n");
        fs::write(&node, format!("{users}{address}{networks}")).unwrap();
        let hostname = format!("desk-{number}");
        let options = ["--hostname", &hostname, "--node", node.to_str().unwrap()];
        bench.built("virt-arm64", "base", &format!("{hostname}.img"), &options)
    };
    let lan = Lan::new();
    let mut one = lan.boot(1, &image(1), &[]);
    let mut two = lan.boot(2, &image(2), &[]);
    two.wait_for("imgforge: first boot finished: desk-2 (base)", FIRST_BOOT);
    one.wait_for("imgforge: first boot finished: desk-1 (base)", FIRST_BOOT);
    one.log_in("desk-1", "ops", "imgforge");
    one.ask("bash -c 'exec 3<>/dev/tcp/192.168.20.2/22; read -r said <&3; echo ${said%%-*}=$(ip -br link | grep -c vlan20)'", "SSH=1");
    one.ask("bash -c 'exec 3<>/dev/tcp/10.0.30.2/22; read -r said <&3; echo ${said%%-*}=$(ip -br link | grep -c vlan30)' | tr 1 2", "SSH=2");
    one.ask("echo untagged=$(ip -4 -br address show enp0s1 2>&1 | grep -c 192)", "untagged=0");
}
