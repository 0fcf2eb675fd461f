//! Settings of the system, judged by the programs that read them on a node.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{fs, process::Command};

use imgforge_tests::{Workbench, approved, fails, file_in, succeeds};
use tempfile::tempdir;

const WIFI: &str = "wifi: { ssid: ThisIsASSID, passphrase: ThisIsAPassword, country: DE, hidden: true }\n";
const CONFIGURATION: &str = "/etc/wpa_supplicant/wpa_supplicant-imgforge.conf";

/// A network that wpa_supplicant(8) reads. There is no such card here, so it ends with what it has read on its lips.
fn read_by_wpa_supplicant(configuration: &str) -> String {
    let folder = tempdir().unwrap();
    let file = folder.path().join("wpa_supplicant.conf");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new("/sbin/wpa_supplicant");
    let output = command.args(["-d", "-i", "nosuch0", "-D", "wired", "-c"]).arg(&file).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn wpa_supplicant_reads_the_network_and_makes_the_same_key() {
    let bench = Workbench::new();
    let node = bench.home.path().join("node.yaml");
    fs::write(&node, WIFI).unwrap();
    let image = bench.built("rk3328", "base", "node.img", &["--node", node.to_str().unwrap()]);
    let folder = tempdir().unwrap();
    let configuration = file_in(&approved(&image, folder.path()), CONFIGURATION);

    let said = read_by_wpa_supplicant(&configuration);
    assert!(said.contains("ssid='ThisIsASSID'"), "{said}");
    assert!(!said.contains("Line "), "{said}");
    let wrong = read_by_wpa_supplicant(&configuration.replace("scan_ssid", "scan"));
    assert!(wrong.contains("Line "), "a judge that takes everything is none: {wrong}");

    let made = succeeds(Command::new("wpa_passphrase").args(["ThisIsASSID", "ThisIsAPassword"]));
    let key = |text: &str| {
        text.lines().find_map(|line| line.trim().strip_prefix("psk=").map(str::to_owned)).unwrap()
    };
    assert_eq!(key(&configuration), key(&String::from_utf8(made.stdout).unwrap()));
}

#[test]
fn no_error_has_a_passphrase_in_it() {
    let bench = Workbench::new();
    let node = bench.home.path().join("node.yaml");
    fs::write(&node, WIFI.replace("ThisIsAPassword", "secret7")).unwrap();
    let (_, mut command) = bench.build("rk3328", "base", "node.img");
    let said = fails(command.arg("--node").arg(&node), 1);
    assert!(
        said.contains("node.yaml:1:") && said.contains("wifi.passphrase: a passphrase has 8 to 63"),
        "{said}"
    );
    assert!(!said.contains("secret7"), "{said}");
}
