//! What is not added, and what is said then. Nothing half written is left.

use std::fs;

use imgforge_tests::{Fault, fails};

use crate::desk::{Desk, KNOWN, checksum, hash, newest_line, pinned};

/// What is published in place of kubectl's hash, with what is then said.
#[test]
fn what_is_no_hash_is_not_written() {
    const PORTAL: &str = "hint: something else answers in the project's place: a portal, a proxy, or a mirror in config.yaml\n";
    let desk = Desk::new();
    desk.publish_kubernetes("1.36.91");
    let path = checksum("1.36.91", "kubectl");
    let url = desk.server.url(&path);
    let known = desk.known("1.36");
    let old = pinned(&known, "arm64/kubectl");
    let none = format!("error: {url} holds no SHA-256 for kubectl\n{PORTAL}");
    for (published, answer) in [
        ("<!DOCTYPE html><html><body>Log in</body></html>", none.clone()),
        ("", none.clone()),
        // A SHA-1.
        ("da39a3ee5e6b4b0d3255bfef95601890afd80709", none.clone()),
        (&hash("1.36.91", "kubectl")[..63], none.clone()),
        (&format!("{}  kubelet\n", hash("1.36.91", "kubectl")), none),
        (
            old,
            format!(
                "error: {url} says that kubectl has SHA-256 {old}, which is that of {KNOWN}\n\
                 hint: a mirror lies, or the file was changed: compare with what the project says elsewhere\n"
            ),
        ),
    ] {
        desk.publish(&path, published);
        let refused = fails(desk.imgforge(&["add", "1.36.91"]).arg("--quiet"), 4);
        assert_eq!(refused, answer, "{published}");
    }
    desk.server.misbehave(&path, &[Fault::Status(403)]);
    let refused = fails(desk.imgforge(&["add", "1.36.91"]).arg("--quiet"), 4);
    assert_eq!(
        refused,
        format!(
            "error: cannot fetch {url}\n  caused by: the server answered 403 Forbidden\n\
             hint: a mirror can be named in config.yaml\n"
        )
    );
    assert!(!desk.path(".config").exists(), "nothing is left behind");
}

#[test]
fn what_there_is_not_is_not_added() {
    let desk = Desk::new();
    let url = desk.server.url(&checksum("1.36.99", "kubeadm"));
    let unpublished = format!(
        "error: Kubernetes 1.36.99 is not published\n  caused by: cannot fetch {url}\n  \
         caused by: the server answered 404 Not Found\n\
         hint: `imgforge kubernetes list --online` says which patch of a line is the newest\n"
    );
    let newest = newest_line();
    let later = "hint: a later imgforge may know it\n";
    for (release, answer) in [
        ("1.36.99", unpublished),
        ("1.99.1", format!("error: imgforge knows Kubernetes 1.20 to 1.{newest}, not 1.99.1\n{later}")),
        ("k3s-1.30.1", format!("error: imgforge knows k3s from 1.34 on, not 1.30.1\n{later}")),
        (
            "1.20.2",
            "error: there is no file of the release `1.20`, from which that of 1.20.2 could be made\n\
             hint: write kubernetes/1.20.yaml beside the profiles, as the others are; known releases: 1.36, k3s-1.36\n"
                .into(),
        ),
    ] {
        let mut command = desk.imgforge(&["add", release, "--quiet", "--profiles", "board-profiles"]);
        assert_eq!(fails(command.arg("--force"), 1), answer);
    }
    for release in ["1.36", "1.36.x", "k3s-1.36", "../1.36.5"] {
        let refused = fails(&mut desk.imgforge(&["add", release]), 2);
        let sentence = format!("`{release}` is no patch release; write all three numbers");
        assert!(refused.contains(&sentence), "{refused}");
    }
}

/// Files of a person's own, with what is said of them.
#[test]
fn a_file_that_cannot_become_another_patchs_is_left_alone() {
    let desk = Desk::new();
    desk.publish_kubernetes("1.36.91");
    let known = desk.known("1.36");
    let cannot = "kubernetes/1.36.yaml: cannot become the file of 1.36.91: `version`, `description`, `url` and `sha256` must each \
                  stand on a line as in the files that imgforge has, and no `size` beside a hash that changes\n";
    let size = "path: /usr/bin/kubeadm\n        size: 7\n";
    let elsewhere = "kubernetes/1.36.yaml: names no program by an address with its version in it, so none of 1.36.91 either\n";
    for (text, answer) in [
        (known.replace("path: /usr/bin/kubeadm\n", size), cannot),
        (known.replace("version: 1.36.90", "? version\n: 1.36.90"), cannot),
        (known.replace("/v1.36.90/bin/", "/newest/bin/"), elsewhere),
        (
            known.replace("version: 1.36.90", "engine: k3s\nversion: 1.36.90"),
            "kubernetes/1.36.yaml: is a release of k3s\n",
        ),
        (
            known.replace(&desk.server.url("/dl.k8s.io"), "http://mirror.invalid"),
            "/v1.36.91/bin/linux/arm64/kubeadm.sha256 on its way: what it says cannot be pinned\n\
             hint: write https:// in the release's file, or name a mirror that has it in config.yaml\n",
        ),
        (known.replace("version:", "versoin:"), "hint: did you mean `version`?\n"),
    ] {
        desk.know("1.36", &text);
        let words = ["add", "1.36.91", "--force", "--profiles", "board-profiles"];
        let refused = fails(&mut desk.imgforge(&words), 1);
        assert!(refused.contains(answer), "{refused}");
        assert_eq!(desk.known("1.36"), text);
        assert_eq!(fs::read_dir(desk.path("checkout/board-profiles/kubernetes")).unwrap().count(), 2);
    }
}
