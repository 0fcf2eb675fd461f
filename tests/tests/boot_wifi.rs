//! A node joins a wireless network in QEMU: `make boot-all`. The kernel's simulated radios (mac80211_hwsim) are the card and the
//! access point, where hostapd makes its key of the passphrase itself.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{fs, path::Path, process::Command, time::Duration};

use imgforge_tests::{Guest, Workbench, repository, succeeds};

/// About ten times what an idle machine of two cores needs.
const FIRST_BOOT: Duration = Duration::from_secs(1800);

/// The password is `imgforge`: `openssl passwd -6 -salt imgforge imgforge`.
const NODE: &str = "\
users:
  - name: ops
    password-hash: $6$imgforge$ZTfWDDw7O8kxz2CkN9CP2YOgkFeDNdtrh7MQVTkNWeXz7XMuQzQBBqGCGr9771R5ioDaRWRtMZDNe5hgnatsu1
    sudo: true
wifi: { ssid: 'Käse & Co', passphrase: correct horse, country: DE, hidden: true }
packages: [hostapd, iw, dnsmasq-base, wireless-regdb]
files:
  - { path: /opt/air/mac80211_hwsim.ko.xz, file: mac80211_hwsim.ko.xz }
  - path: /etc/systemd/system/systemd-modules-load.service.d/air.conf
    content: |
      [Service]
      ExecStartPost=/usr/sbin/modprobe mac80211
      ExecStartPost=/usr/sbin/insmod /opt/air/mac80211_hwsim.ko.xz radios=2
  - path: /opt/air/hostapd.conf
    content: |
      interface=wlan1
      driver=nl80211
      ssid=Käse & Co
      utf8_ssid=1
      ignore_broadcast_ssid=1
      hw_mode=g
      channel=1
      wpa=2
      wpa_key_mgmt=WPA-PSK
      rsn_pairwise=CCMP
      wpa_passphrase=correct horse
run-once:
  - name: air
    script: |
      #!/bin/sh
      set -e
      ip netns add ap
      iw phy \"$(cat /sys/class/net/wlan1/phy80211/name)\" set netns name ap
      ip netns exec ap hostapd -B /opt/air/hostapd.conf
      ip -n ap address add 10.77.0.1/24 dev wlan1
      ip netns exec ap dnsmasq --interface=wlan1 --bind-interfaces --dhcp-range=10.77.0.10,10.77.0.50 --pid-file=/run/ap.pid
";

/// Takes the driver, which the bases leave out to be small, from the kernel's package into `folder`.
fn take_driver(folder: &Path) {
    let payloads = repository().join("out/bases/parts/arm64/payloads");
    let is_kernel = |path: &std::path::PathBuf| path.to_string_lossy().contains("/linux-image-");
    let kernel = fs::read_dir(payloads).unwrap().map(|entry| entry.unwrap().path()).find(is_kernel).unwrap();
    let tree = folder.join("kernel");
    succeeds(Command::new("dpkg-deb").arg("-x").arg(kernel).arg(&tree));
    let mut find = Command::new("find");
    find.arg(&tree).args(["-name", "mac80211_hwsim.ko.xz", "-exec", "cp", "{}"]).arg(folder).arg(";");
    succeeds(&mut find);
}

#[test]
fn a_node_joins_a_hidden_network_by_the_key_of_its_passphrase() {
    let bench = Workbench::new();
    let node = bench.home.path().join("node.yaml");
    fs::write(&node, NODE).unwrap();
    take_driver(bench.home.path());
    let options = ["--hostname", "air", "--node", node.to_str().unwrap()];
    let image = bench.built("virt-arm64", "base", "air.img", &options);

    let mut guest = Guest::boot(&image);
    guest.wait_for("imgforge: first boot finished: air (base)", FIRST_BOOT);
    guest.log_in("air", "ops", "imgforge");
    // A hidden network is looked for again after growing pauses; then its server is asked for an address.
    guest.ask(
        "until ip -4 -br address show wlan0 | grep -o '10[.]77[.]0' | tr 1 I | grep I; do sleep 1; done",
        "I0.77.0",
    );
    guest.ask("echo joined=$(sudo iw dev wlan0 link | grep -c SSID)", "joined=1");
    let stations = "sudo ip netns exec ap iw dev wlan1 station dump | grep -c 'authorized:.*yes'";
    guest.ask(&format!("echo stations=$({stations})"), "stations=1");
}
