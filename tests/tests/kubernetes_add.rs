//! `imgforge kubernetes`: the files of new patches, by the hashes that a project publishes, and what is newer than what is known.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use imgforge_tests::{Fault, Home, VendorServer, fails, repository, succeeds};
use serde_json::Value;

/// What the programs of a patch are called, in the order of a release's file.
const PROGRAMS: [&str; 3] = ["kubeadm", "kubelet", "kubectl"];
/// What the release's file has besides them.
const KEPT: &str = "cri-tools v1.36.0, plugins v1.9.1, runc v1.4.3, containerd v2.3.4, cri-dockerd v0.3.26";

/// A user in a checkout whose release 1.36, and k3s' as well, are published by a server of the test.
struct Desk {
    home: Home,
    server: VendorServer,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { home: Home::new(), server: VendorServer::start() };
        let hosts =
            [("https://dl.k8s.io", "/dl.k8s.io"), ("https://github.com/k3s-io", "/github.com/k3s-io")];
        for name in ["1.36", "k3s-1.36"] {
            let known = repository().join(format!("board-profiles/kubernetes/{name}.yaml"));
            let known = fs::read_to_string(known).unwrap();
            let local =
                |text: String, (host, path): &(&str, &str)| text.replace(host, &desk.server.url(path));
            desk.write(
                &format!("checkout/board-profiles/kubernetes/{name}.yaml"),
                &hosts.iter().fold(known, local),
            );
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    /// The release's file in the checkout.
    fn known(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("checkout/board-profiles/kubernetes/{name}.yaml"))).unwrap()
    }

    /// Where a release's file goes that is the user's own.
    fn own(&self, name: &str) -> PathBuf {
        self.path(&format!(".config/imgforge/board-profiles/kubernetes/{name}.yaml"))
    }

    fn imgforge(&self, words: &[&str]) -> Command {
        let mut command = self.home.imgforge();
        command.current_dir(self.path("checkout")).arg("kubernetes").args(words);
        command
    }

    /// Publishes `text` under `path`.
    fn publish(&self, path: &str, text: &str) {
        let file = format!("published/{}", path.replace('/', "_"));
        self.write(&file, text);
        self.server.add(path, &self.path(&file));
    }

    /// Publishes the hashes of a patch of Kubernetes.
    fn publish_kubernetes(&self, version: &str) {
        for program in PROGRAMS {
            self.publish(&checksum(version, program), &hash(version, program));
        }
    }
}

/// Where a program's hash is published.
fn checksum(version: &str, program: &str) -> String {
    format!("/dl.k8s.io/release/v{version}/bin/linux/arm64/{program}.sha256")
}

/// A hash like no other program's.
fn hash(version: &str, program: &str) -> String {
    let letters = version
        .bytes()
        .chain(program.bytes())
        .fold(7_u64, |sum, byte| sum * 31 % (1 << 40) + u64::from(byte));
    format!("{letters:064x}")
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// The hash that `text` pins the file at an address with `part` in it by.
fn pinned<'a>(text: &'a str, part: &str) -> &'a str {
    let (_, behind) = text.split_once(part).unwrap();
    behind.split_once("sha256: ").unwrap().1.split_once('\n').unwrap().0
}

/// The file of 1.36 in the checkout as that of `version`.
fn bumped(desk: &Desk, version: &str) -> String {
    let known = desk.known("1.36");
    let text = known.replace("1.36.4", version);
    PROGRAMS.iter().fold(text, |text, program| {
        text.replace(pinned(&known, &format!("arm64/{program}\n")), &hash(version, program))
    })
}

#[test]
fn a_patch_has_its_own_programs_and_all_else_of_its_line() {
    let desk = Desk::new();
    desk.publish_kubernetes("1.36.12");
    let (path, notes) = said(&succeeds(&mut desk.imgforge(&["add", "1.36.12"])));
    assert_eq!(path, format!("{}\n", desk.own("1.36").display()));
    assert_eq!(
        notes,
        format!(
            "reading the hashes of Kubernetes 1.36.12\n\
             as in board-profiles/kubernetes/1.36.yaml: {KEPT}\n\
             nodes take it with `kubernetes: 1.36.12` in the cluster file; then `imgforge lock`\n"
        )
    );
    let written = fs::read_to_string(desk.own("1.36")).unwrap();
    let (remarks, rest) = written.split_once("\n\n").unwrap();
    assert_eq!(rest, bumped(&desk, "1.36.12"));
    let sources: String = ["kubeadm", "kubectl", "kubelet"]
        .map(|program| format!("#   {}\n", desk.server.url(&checksum("1.36.12", program))))
        .concat();
    assert_eq!(
        remarks,
        format!(
            "# Written by `imgforge kubernetes add 1.36.12` from the file of 1.36.4. Hashes of its programs, as their project \
             says them:\n{sources}# All else is as it was, and what is said of hashes below is of that: {KEPT}."
        )
    );
    let asked = desk.server.requests();
    assert_eq!(asked, PROGRAMS.map(|program| format!("GET {}", checksum("1.36.12", program))));
}

#[test]
fn a_file_is_replaced_only_if_that_is_said_and_its_remarks_once() {
    let desk = Desk::new();
    desk.publish_kubernetes("1.36.5");
    desk.publish_kubernetes("1.36.6");
    succeeds(&mut desk.imgforge(&["add", "1.36.5"]));
    let (before, asked) = (fs::read(desk.own("1.36")).unwrap(), desk.server.requests());
    let refused = fails(&mut desk.imgforge(&["add", "1.36.6"]), 1);
    let path = desk.own("1.36");
    assert_eq!(refused, format!("error: {} is there already\nhint: --force replaces it\n", path.display()));
    assert_eq!((fs::read(&path).unwrap(), desk.server.requests()), (before, asked));
    succeeds(&mut desk.imgforge(&["add", "1.36.6", "--force"]));
    let written = fs::read_to_string(&path).unwrap();
    let (remarks, rest) = written.split_once("\n\n").unwrap();
    assert!(remarks.contains("add 1.36.6` from the file of 1.36.5."), "{remarks}");
    assert_eq!(rest, bumped(&desk, "1.36.6"));
}

#[test]
fn a_bot_may_have_changed_the_number_alone() {
    let desk = Desk::new();
    desk.publish_kubernetes("1.36.5");
    let wanted = bumped(&desk, "1.36.5");
    let text = desk.known("1.36").replace("version: 1.36.4", "version: 1.36.5");
    desk.write("checkout/board-profiles/kubernetes/1.36.yaml", &text);
    let (listed, _) = said(&succeeds(&mut desk.imgforge(&["list"])));
    assert!(listed.contains("its programs are of 1.36.4"), "{listed}");
    succeeds(&mut desk.imgforge(&["add", "1.36.5", "--force", "--profiles", "board-profiles"]));
    assert_eq!(desk.known("1.36").split_once("\n\n").unwrap().1, wanted);
    assert!(!desk.own("1.36").exists());
}

#[test]
fn the_programs_own_file_is_enough_and_a_mirror_may_be_asked() {
    let desk = Desk::new();
    desk.publish_kubernetes("1.36.5");
    let mirrors = format!("mirrors: {{ 'https://dl.k8s.io/': ['{}'] }}\n", desk.server.url("/dl.k8s.io/"));
    desk.write("config.yaml", &mirrors);
    let mut command = desk.imgforge(&["add", "1.36.5"]);
    succeeds(command.current_dir(desk.home.path()).env("IMGFORGE_CONFIG", desk.path("config.yaml")));
    let written = fs::read_to_string(desk.own("1.36")).unwrap();
    let source = format!("#   {}\n", desk.server.url(&checksum("1.36.5", "kubeadm")));
    assert!(written.contains(&source), "who was asked is said: {written}");
    let url = "https://dl.k8s.io/release/v1.36.5/bin/linux/arm64/kubelet\n";
    assert_eq!(pinned(&written, url), hash("1.36.5", "kubelet"));
}

#[test]
fn k3s_has_its_hashes_in_lists() {
    let desk = Desk::new();
    let folder = "/github.com/k3s-io/k3s/releases/download/v1.36.5%2Bk3s2";
    let list = |names: [&str; 2]| names.map(|name| format!("{}  {name}\n", hash("1.36.5", name))).concat();
    let images = "k3s-airgap-images-arm64.tar.zst";
    desk.publish(&format!("{folder}/sha256sum-arm64.txt"), &list([images, "k3s-arm64"]));
    desk.publish(
        &format!("{folder}/sha256sum-arm.txt"),
        &list(["k3s-airgap-images-arm.tar.zst", "k3s-armhf"]),
    );
    succeeds(&mut desk.imgforge(&["add", "k3s-1.36.5+k3s2"]));
    let written = fs::read_to_string(desk.own("k3s-1.36")).unwrap();
    let known = desk.known("k3s-1.36");
    let new = known
        .replace("1.36.4%2Bk3s1", "1.36.5%2Bk3s2")
        .replace("v1.36.4+k3s1", "v1.36.5+k3s2")
        .replace("version: 1.36.4", "version: 1.36.5")
        .replace(pinned(&known, "k3s-arm64\n"), &hash("1.36.5", "k3s-arm64"))
        .replace(pinned(&known, &format!("{images}\n")), &hash("1.36.5", images));
    assert_eq!(written.split_once("\n\n").unwrap().1, new);

    // What the lock is to find later has to be there now.
    desk.publish(
        &format!("{folder}/sha256sum-arm.txt"),
        &list(["k3s-airgap-images-arm.tar.zst", "k3s-armel"]),
    );
    let refused = fails(&mut desk.imgforge(&["add", "k3s-1.36.5+k3s2", "--force"]), 4);
    assert!(refused.contains("sha256sum-arm.txt holds no SHA-256 for k3s-armhf\n"), "{refused}");
    assert_eq!(fs::read_to_string(desk.own("k3s-1.36")).unwrap(), written);
}

/// What is published in place of kubectl's hash, with what is then said.
#[test]
fn what_is_no_hash_is_not_written() {
    const PORTAL: &str = "hint: something else answers in the project's place: a portal, a proxy, or a mirror in config.yaml\n";
    let desk = Desk::new();
    desk.publish_kubernetes("1.36.5");
    let path = checksum("1.36.5", "kubectl");
    let url = desk.server.url(&path);
    let known = desk.known("1.36");
    let old = pinned(&known, "arm64/kubectl\n");
    let none = format!("error: {url} holds no SHA-256 for kubectl\n{PORTAL}");
    for (published, answer) in [
        ("<!DOCTYPE html><html><body>Log in</body></html>", none.clone()),
        ("", none.clone()),
        // A SHA-1.
        ("da39a3ee5e6b4b0d3255bfef95601890afd80709", none.clone()),
        (&hash("1.36.5", "kubectl")[..63], none.clone()),
        (&format!("{}  kubelet\n", hash("1.36.5", "kubectl")), none),
        (
            old,
            format!(
                "error: {url} says that kubectl has SHA-256 {old}, which is that of 1.36.4\n\
                 hint: a mirror lies, or the file was changed: compare with what the project says elsewhere\n"
            ),
        ),
    ] {
        desk.publish(&path, published);
        let refused = fails(desk.imgforge(&["add", "1.36.5"]).arg("--quiet"), 4);
        assert_eq!(refused, answer, "{published}");
    }
    desk.server.misbehave(&path, &[Fault::Status(403)]);
    let refused = fails(desk.imgforge(&["add", "1.36.5"]).arg("--quiet"), 4);
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
    let url = desk.server.url(&checksum("1.36.9", "kubeadm"));
    let unpublished = format!(
        "error: Kubernetes 1.36.9 is not published\n  caused by: cannot fetch {url}\n  caused by: the server answered 404 Not Found\n\
         hint: `imgforge kubernetes list --online` says which patch of a line is the newest\n"
    );
    for (release, code, answer) in [
        ("1.36.9", 1, unpublished.as_str()),
        (
            "1.99.1",
            1,
            "error: imgforge knows Kubernetes 1.20 to 1.37, not 1.99.1\nhint: a later imgforge may know it\n",
        ),
        (
            "k3s-1.30.1",
            1,
            "error: imgforge knows k3s from 1.34 on, not 1.30.1\nhint: a later imgforge may know it\n",
        ),
        (
            "1.34.2",
            1,
            "error: there is no file of the release `1.34`, from which that of 1.34.2 could be made\n\
             hint: write kubernetes/1.34.yaml beside the profiles, as the others are; known releases: 1.26, 1.35, 1.36, debian, k3s-1.36\n",
        ),
    ] {
        let refused = fails(desk.imgforge(&["add", release]).arg("--quiet"), code);
        assert_eq!(refused, answer);
    }
    for release in ["1.36", "1.36.x", "k3s-1.36", "../1.36.5"] {
        let refused = fails(&mut desk.imgforge(&["add", release]), 2);
        assert!(
            refused.contains(&format!("`{release}` is no patch release; write all three numbers")),
            "{refused}"
        );
    }
    assert!(!desk.path(".config").exists(), "nothing is left behind");
}

/// Files of a person's own, with what `add` says of them.
#[test]
fn a_file_that_cannot_become_another_patchs_is_left_alone() {
    let desk = Desk::new();
    desk.publish_kubernetes("1.36.5");
    let known = desk.known("1.36");
    let file = "checkout/board-profiles/kubernetes/1.36.yaml";
    let cannot = "cannot become the file of 1.36.5: `version`, `description`, `url` and `sha256` must each stand on a line as in the \
                  files that imgforge has, and no `size` beside a hash that changes\n";
    let size = "path: /usr/bin/kubeadm\n        size: 7\n";
    let elsewhere = "kubernetes/1.36.yaml: names no program by an address with its version in it, so none of 1.36.5 either\n";
    for (text, code, answer) in [
        (known.replace("path: /usr/bin/kubeadm\n", size), 1, cannot),
        (known.replace("version: 1.36.4", "? version\n: 1.36.4"), 1, cannot),
        (known.replace("/v1.36.4/bin/", "/newest/bin/"), 1, elsewhere),
        (
            known.replace("version: 1.36.4", "engine: k3s\nversion: 1.36.4"),
            1,
            "kubernetes/1.36.yaml: is a release of k3s\n",
        ),
        (
            known.replace(&desk.server.url("/dl.k8s.io"), "http://mirror.invalid"),
            1,
            "/v1.36.5/bin/linux/arm64/kubeadm.sha256 on its way: what it says cannot be pinned\n\
             hint: write https:// in the release's file, or name a mirror that has it in config.yaml\n",
        ),
        (known.replace("version:", "versoin:"), 1, "hint: did you mean `version`?\n"),
    ] {
        desk.write(file, &text);
        let refused =
            fails(&mut desk.imgforge(&["add", "1.36.5", "--force", "--profiles", "board-profiles"]), code);
        assert!(refused.contains(answer), "{refused}");
        assert_eq!(fs::read_to_string(desk.path(file)).unwrap(), text);
    }
}

fn listed(desk: &Desk, words: &[&str]) -> Value {
    let output = succeeds(desk.imgforge(&["list", "--json"]).args(words));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn of<'a>(listed: &'a Value, release: &str) -> &'a Value {
    listed.as_array().unwrap().iter().find(|row| row["release"] == release).unwrap()
}

#[test]
fn releases_are_listed_with_what_is_newer() {
    let desk = Desk::new();
    let rows = listed(&desk, &[]);
    let row = of(&rows, "1.36");
    assert_eq!(row["version"], "1.36.4");
    assert_eq!(row["engine"], "kubeadm");
    assert_eq!(row["architectures"], serde_json::json!(["arm64"]));
    assert_eq!((&row["packages"], &row["built-in"]), (&true.into(), &false.into()));
    assert_eq!(row["file"], "board-profiles/kubernetes/1.36.yaml");
    assert_eq!(row["newest-patch"], Value::Null);
    assert_eq!(row["newer"], serde_json::json!(["the line 1.37 is known"]));
    let row = of(&rows, "1.26");
    assert_eq!(
        row["newer"],
        serde_json::json!(["the line 1.37 is known for arm64"]),
        "32-bit Arm has no later one"
    );
    assert_eq!(row["built-in"], true);
    let row = of(&rows, "debian");
    assert_eq!((&row["version"], &row["newer"]), (&Value::Null, &serde_json::json!([])));
    assert!(desk.server.requests().is_empty());

    desk.publish("/dl.k8s.io/release/stable-1.36.txt", "v1.36.5\n");
    desk.write(
        "config.yaml",
        &format!("mirrors: {{ 'https://dl.k8s.io/': ['{}'] }}\n", desk.server.url("/dl.k8s.io/")),
    );
    for (line, newest) in [("1.26", "v1.26.15"), ("1.35", "v1.35.12")] {
        desk.publish(&format!("/dl.k8s.io/release/stable-{line}.txt"), newest);
    }
    let config = desk.path("config.yaml").display().to_string();
    let rows = listed(&desk, &["--online", "--config", &config]);
    let row = of(&rows, "1.36");
    assert_eq!(row["newest-patch"], "1.36.5");
    assert_eq!(row["newer"], serde_json::json!(["1.36.5 is published", "the line 1.37 is known"]));
    assert_eq!(of(&rows, "1.26")["newer"].as_array().unwrap().len(), 1, "its last patch is known");

    let (text, notes) = said(&succeeds(&mut desk.imgforge(&["list", "--online", "--config", &config])));
    assert_eq!(notes, "of what patches there are, nobody was asked: k3s-1.36\n");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("RELEASE   VERSION  ENGINE   BINARIES FOR  NEWER"), "{text}");
    assert!(
        lines[1].starts_with("1.26      1.26.15  kubeadm  arm64, armv7  the line 1.37 is known for arm64"),
        "{text}"
    );
    assert!(lines[1].ends_with("  built in"), "{text}");
    assert!(
        lines[3].contains("arm64         1.36.5 is published; the line 1.37 is known  board-profiles/"),
        "{text}"
    );

    desk.publish("/dl.k8s.io/release/stable-1.36.txt", "<html>v1.36.5</html>");
    let refused = fails(&mut desk.imgforge(&["list", "--online", "--config", &config]), 4);
    let url = desk.server.url("/dl.k8s.io/release/stable-1.36.txt");
    assert!(
        refused.starts_with(&format!("error: {url} names no patch of Kubernetes 1.36\nhint: ")),
        "{refused}"
    );
}

#[test]
fn a_persons_file_that_hides_a_newer_one_is_told() {
    let desk = Desk::new();
    desk.publish_kubernetes("1.36.2");
    succeeds(&mut desk.imgforge(&["add", "1.36.2"]));
    let rows = listed(&desk, &[]);
    let row = of(&rows, "1.36");
    assert_eq!(
        (&row["version"], &row["file"]),
        (&"1.36.2".into(), &desk.own("1.36").display().to_string().into())
    );
    let hidden = "board-profiles/kubernetes/1.36.yaml has 1.36.4, which this file hides";
    assert_eq!(row["newer"][0], hidden);

    // Folders that are configured come before the user's own.
    desk.write("config.yaml", "profiles: [board-profiles]\n");
    let config = desk.path("config.yaml").display().to_string();
    desk.publish_kubernetes("1.36.3");
    let (_, notes) = said(&succeeds(&mut desk.imgforge(&["add", "1.36.3", "--force", "--config", &config])));
    assert!(notes.ends_with("board-profiles/kubernetes/1.36.yaml comes first and hides it\n"), "{notes}");
}
