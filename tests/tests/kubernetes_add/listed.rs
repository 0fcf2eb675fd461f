//! What `imgforge kubernetes list` says of the releases that there are.

use std::path::Path;

use imgforge_tests::{fails, succeeds};
use serde_json::{Value, json};

use crate::desk::{Desk, newest_line, said};

fn listed(desk: &Desk, words: &[&str]) -> Value {
    let output = succeeds(desk.imgforge(&["list", "--json"]).args(words));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn of<'a>(listed: &'a Value, release: &str) -> &'a Value {
    listed.as_array().unwrap().iter().find(|row| row["release"] == release).unwrap()
}

/// `imgforge kubernetes list --online` of the checkout alone, with the server asked in place of Kubernetes' own.
fn online(desk: &Desk, config: &Path) -> std::process::Command {
    let mut command = desk.imgforge(&["list", "--online", "--profiles", "board-profiles"]);
    command.env("IMGFORGE_CONFIG", config);
    command
}

#[test]
fn releases_are_listed_with_what_is_newer() {
    let desk = Desk::new();
    let line = format!("the line 1.{} is known", newest_line());
    let rows = listed(&desk, &[]);
    let row = of(&rows, "1.36");
    assert_eq!((&row["version"], &row["engine"]), (&json!("1.36.90"), &json!("kubeadm")));
    assert_eq!(row["architectures"], json!(["arm64"]));
    assert_eq!((&row["packages"], &row["built-in"]), (&json!(true), &json!(false)));
    assert_eq!(row["file"], "board-profiles/kubernetes/1.36.yaml");
    assert_eq!((&row["newest-patch"], &row["newer"]), (&Value::Null, &json!([line])));
    let row = of(&rows, "1.26");
    assert_eq!(row["newer"], json!([format!("{line} for arm64")]), "32-bit Arm has no later one");
    assert_eq!(row["built-in"], true);
    let row = of(&rows, "debian");
    assert_eq!((&row["version"], &row["newer"]), (&Value::Null, &json!([])));
    assert!(desk.server.requests().is_empty());
}

#[test]
fn the_projects_are_asked_for_the_newest_patches() {
    let desk = Desk::new();
    let config = desk.mirrored();
    let line = format!("the line 1.{} is known", newest_line());
    let old = "release: \"1.26\"\nversion: 1.26.15\ndescription: an old one\nartifacts:\n  armv7:\n    files:\n      \
               - url: https://dl.k8s.io/release/v1.26.15/bin/linux/arm/kubelet\n        \
               sha256: 2c3b6271536ba1fee4f0bde97922997c0b1d3ae0cc4d77cb48fd90a7d40126bd\n        path: /usr/bin/kubelet\n";
    desk.know("1.26", old);
    desk.know("debian", "release: debian\ndescription: packages\npackages: [containerd]\n");
    desk.publish("/dl.k8s.io/release/stable-1.36.txt", "v1.36.91\n");
    desk.publish("/dl.k8s.io/release/stable-1.26.txt", "v1.26.15");
    let rows: Value = serde_json::from_slice(&succeeds(online(&desk, &config).arg("--json")).stdout).unwrap();
    assert_eq!(of(&rows, "1.36")["newest-patch"], "1.36.91");
    assert_eq!(of(&rows, "1.26")["newest-patch"], "1.26.15");

    let (text, notes) = said(&succeeds(&mut online(&desk, &config)));
    assert_eq!(notes, "of what patches there are, nobody was asked: k3s-1.36\n");
    let cells = |line: &str| -> Vec<String> {
        line.split("  ").map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect()
    };
    let rows: Vec<Vec<String>> = text.lines().map(cells).collect();
    let file = |name: &str| format!("board-profiles/kubernetes/{name}.yaml");
    assert_eq!(rows[0], ["RELEASE", "VERSION", "ENGINE", "BINARIES FOR", "NEWER", "FILE"]);
    assert_eq!(rows[1], ["1.26", "1.26.15", "kubeadm", "armv7", &file("1.26")], "it is the last one");
    let newer = format!("1.36.91 is published; {line}");
    assert_eq!(rows[2], ["1.36", "1.36.90", "kubeadm", "arm64", &newer, &file("1.36")]);
    assert_eq!(rows[3], ["debian", "none", "kubeadm", "none", &file("debian")]);
    assert_eq!(rows[4], ["k3s-1.36", "1.36.90", "k3s", "arm64, armv7", &line, &file("k3s-1.36")]);

    for other in ["<html>v1.36.91</html>", "v1.35.7", ""] {
        desk.publish("/dl.k8s.io/release/stable-1.36.txt", other);
        let refused = fails(&mut online(&desk, &config), 4);
        let url = desk.server.url("/dl.k8s.io/release/stable-1.36.txt");
        let message =
            format!("error: {url} names no patch of Kubernetes 1.36\nhint: something else answers ");
        assert!(refused.starts_with(&message), "{refused}");
    }
}

#[test]
fn a_persons_file_that_hides_a_newer_one_is_told() {
    let desk = Desk::new();
    desk.publish_kubernetes("1.36.2");
    succeeds(&mut desk.imgforge(&["add", "1.36.2"]));
    let rows = listed(&desk, &[]);
    let row = of(&rows, "1.36");
    assert_eq!((&row["version"], &row["file"]), (&json!("1.36.2"), &json!(desk.own("1.36"))));
    assert_eq!(row["newer"][0], "board-profiles/kubernetes/1.36.yaml has 1.36.90, which this file hides");

    // Folders that are configured come before the user's own.
    desk.write("config.yaml", "profiles: [board-profiles]\n");
    desk.publish_kubernetes("1.36.3");
    let mut command = desk.imgforge(&["add", "1.36.3", "--force"]);
    let (_, notes) = said(&succeeds(command.env("IMGFORGE_CONFIG", desk.path("config.yaml"))));
    assert!(notes.ends_with("board-profiles/kubernetes/1.36.yaml comes first and hides it\n"), "{notes}");
}
