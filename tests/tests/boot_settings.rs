//! A node with settings of its system boots in QEMU, and has them: `make boot-all`.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{fs, time::Duration};

use imgforge_tests::{Guest, Workbench};

/// About ten times what an idle machine of two cores needs.
const FIRST_BOOT: Duration = Duration::from_secs(1800);

/// The password is `imgforge`: `openssl passwd -6 -salt imgforge imgforge`.
const NODE: &str = "\
users:
  - name: ops
    password-hash: $6$imgforge$ZTfWDDw7O8kxz2CkN9CP2YOgkFeDNdtrh7MQVTkNWeXz7XMuQzQBBqGCGr9771R5ioDaRWRtMZDNe5hgnatsu1
    sudo: true
packages: [locales, console-setup]
system: { time-zone: Europe/Berlin, locale: de_DE.UTF-8, keyboard: { layout: de, variant: nodeadkeys } }
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
    let options = ["--hostname", "desk", "--node", node.to_str().unwrap()];
    let image = bench.built("virt-arm64", "base", "desk.img", &options);

    let mut guest = Guest::boot(&image);
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
    guest.ask("sudo dpkg --audit && echo audit=$((40 + 2))", "audit=42");

    // A script runs once.
    guest.send("sudo reboot\n");
    guest.wait_for("imgforge: [storage]", FIRST_BOOT);
    guest.log_in("desk", "ops", "imgforge");
    guest.ask("echo counted=$(tr d D < /var/lib/counted | tr '\\n' .)", "counted=Desk.");
}
