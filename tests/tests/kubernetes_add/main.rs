//! `imgforge kubernetes`: the files of new patches, by the hashes that a project publishes, and what is newer than what is known.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod desk;
mod listed;
mod refused;

use std::fs;

use desk::{Desk, KNOWN, PROGRAMS, bumped, checksum, hash, pinned, said};
use imgforge_tests::{fails, repository, succeeds};

/// The file `text` without the remarks on where its hashes are from.
fn without_remarks(text: &str) -> &str {
    text.split_once("\n\n").unwrap().1
}

#[test]
fn a_patch_has_its_own_programs_and_all_else_of_its_line() {
    let desk = Desk::new();
    desk.publish_kubernetes("1.36.91");
    let (path, notes) = said(&succeeds(&mut desk.imgforge(&["add", "1.36.91"])));
    assert_eq!(path, format!("{}\n", desk.own("1.36").display()));
    let kept =
        format!("cri-tools v1.36.90, containerd v2.3.4, {}", desk.server.url("/elsewhere/cri-dockerd.tgz"));
    assert_eq!(
        notes,
        format!(
            "reading the hashes of Kubernetes 1.36.91\n\
             as in board-profiles/kubernetes/1.36.yaml: {kept}\n\
             nodes take it with `kubernetes: 1.36.91` in the cluster file; then `imgforge lock`\n"
        )
    );
    let written = fs::read_to_string(desk.own("1.36")).unwrap();
    let (remarks, rest) = written.split_once("\n\n").unwrap();
    assert_eq!(rest, bumped(&desk, "1.36.91"));
    let source = |program| format!("#   {}\n", desk.server.url(&checksum("1.36.91", program)));
    assert_eq!(
        remarks,
        format!(
            "# Written by `imgforge kubernetes add 1.36.91` from the file of {KNOWN}. Hashes of its programs, as their project \
             says them:\n{}# All else is as it was, and what is said of hashes below is of that: {kept}.",
            ["kubeadm", "kubectl", "kubelet"].map(source).concat()
        )
    );
    let asked = desk.server.requests();
    assert_eq!(asked, PROGRAMS.map(|program| format!("GET {}", checksum("1.36.91", program))));
}

#[test]
fn a_file_is_replaced_only_if_that_is_said_and_its_remarks_once() {
    let desk = Desk::new();
    desk.publish_kubernetes("1.36.91");
    desk.publish_kubernetes("1.36.92");
    succeeds(&mut desk.imgforge(&["add", "1.36.91"]));
    let (path, asked) = (desk.own("1.36"), desk.server.requests());
    let before = fs::read(&path).unwrap();
    let refused = fails(&mut desk.imgforge(&["add", "1.36.92"]), 1);
    assert_eq!(refused, format!("error: {} is there already\nhint: --force replaces it\n", path.display()));
    assert_eq!((fs::read(&path).unwrap(), desk.server.requests()), (before, asked));
    succeeds(&mut desk.imgforge(&["add", "1.36.92", "--force"]));
    let written = fs::read_to_string(&path).unwrap();
    assert!(written.contains("add 1.36.92` from the file of 1.36.91."), "{written}");
    assert_eq!(without_remarks(&written), bumped(&desk, "1.36.92"));
}

#[test]
fn a_bot_may_have_changed_the_number_alone() {
    let desk = Desk::new();
    desk.publish_kubernetes("1.36.91");
    let wanted = bumped(&desk, "1.36.91");
    desk.know("1.36", &desk.known("1.36").replace("version: 1.36.90", "version: 1.36.91"));
    let (listed, _) = said(&succeeds(&mut desk.imgforge(&["list"])));
    assert!(listed.contains("its programs are of 1.36.90"), "{listed}");
    succeeds(&mut desk.imgforge(&["add", "1.36.91", "--force", "--profiles", "board-profiles"]));
    assert_eq!(without_remarks(&desk.known("1.36")), wanted);
    assert!(!desk.own("1.36").exists());
}

#[test]
fn the_programs_own_file_is_enough_and_a_mirror_may_be_asked() {
    let desk = Desk::new();
    let built_in = fs::read_to_string(repository().join("board-profiles/kubernetes/1.36.yaml")).unwrap();
    let version = built_in.lines().find_map(|line| line.strip_prefix("version: 1.36.")).unwrap();
    let next = format!("1.36.{}", version.parse::<u16>().unwrap() + 1);
    desk.publish_kubernetes(&next);
    let mut command = desk.imgforge(&["add", &next]);
    succeeds(command.current_dir(desk.home.path()).env("IMGFORGE_CONFIG", desk.mirrored()));
    let written = fs::read_to_string(desk.own("1.36")).unwrap();
    let source = format!("#   {}\n", desk.server.url(&checksum(&next, "kubeadm")));
    assert!(written.contains(&source), "who was asked is said: {written}");
    let url = format!("https://dl.k8s.io/release/v{next}/bin/linux/arm64/kubelet");
    assert_eq!(pinned(&written, &url), hash(&next, "kubelet"));
}

#[test]
fn the_patch_that_is_known_has_the_hashes_it_is_pinned_by() {
    let desk = Desk::new();
    let known = desk.known("1.36");
    let pinned = |program: &str| pinned(&known, &format!("arm64/{program}"));
    for program in PROGRAMS {
        desk.publish(&checksum(KNOWN, program), pinned(program));
    }
    succeeds(&mut desk.imgforge(&["add", KNOWN]));
    let written = fs::read_to_string(desk.own("1.36")).unwrap();
    assert_eq!(without_remarks(&written), known);

    let other = hash(KNOWN, "kubelet");
    desk.publish(&checksum(KNOWN, "kubelet"), &other);
    let refused = fails(&mut desk.imgforge(&["add", KNOWN, "--force"]), 4);
    let objection = format!("kubelet has SHA-256 {other}, but {} is pinned for it\n", pinned("kubelet"));
    assert!(refused.contains(&objection), "{refused}");
    assert_eq!(fs::read_to_string(desk.own("1.36")).unwrap(), written);
}

#[test]
fn k3s_has_its_hashes_in_lists() {
    let desk = Desk::new();
    let lists = "/k3s/releases/download/v1.36.91%2Bk3s2/sha256sum";
    let list = |names: [&str; 2]| names.map(|name| format!("{}  {name}\n", hash("1.36.91", name))).concat();
    let (images, of_arm) = ("k3s-airgap-images-arm64.tar.zst", "k3s-airgap-images-arm.tar.zst");
    desk.publish(&format!("{lists}-arm64.txt"), &list([images, "k3s-arm64"]));
    desk.publish(&format!("{lists}-arm.txt"), &list([of_arm, "k3s-armhf"]));
    succeeds(&mut desk.imgforge(&["add", "k3s-1.36.91+k3s2"]));
    let written = fs::read_to_string(desk.own("k3s-1.36")).unwrap();
    let known = desk.known("k3s-1.36");
    let wanted = known
        .replace("1.36.90%2Bk3s1", "1.36.91%2Bk3s2")
        .replace("v1.36.90+k3s1", "v1.36.91+k3s2")
        .replace("version: 1.36.90", "version: 1.36.91")
        .replace(pinned(&known, "k3s-arm64"), &hash("1.36.91", "k3s-arm64"))
        .replace(pinned(&known, images), &hash("1.36.91", images));
    assert_eq!(without_remarks(&written), wanted);
    assert_eq!(written.matches("sha256sum-arm64.txt\n").count(), 1, "{written}");

    // What the lock is to find later has to be there now.
    desk.publish(&format!("{lists}-arm.txt"), &list([of_arm, "k3s-armel"]));
    let refused = fails(&mut desk.imgforge(&["add", "k3s-1.36.91+k3s2", "--force"]), 4);
    assert!(refused.contains("sha256sum-arm.txt holds no SHA-256 for k3s-armhf\n"), "{refused}");
    assert_eq!(fs::read_to_string(desk.own("k3s-1.36")).unwrap(), written);
}
