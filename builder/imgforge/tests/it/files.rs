//! Files of the settings, from the file that names them to the plan.

use std::fs;

use imgforge::{
    catalogue::Catalogue,
    image::change::{Access, Action, Change, Volume},
    plan,
    supply::pin::Additions,
    target::{SecretsPaths, cluster::ClusterFile, node::Node},
};
use imgforge_spec::Role;
use tempfile::TempDir;

use crate::plan::{boot, change, pinned, repository, request, root, text};

fn planned(settings: &str) -> Result<Vec<Change>, plan::Error> {
    let request = request("rpi4", Role::Base, settings);
    plan::plan(&pinned(&request), &Additions::default(), &root(), Some(&boot()))
}

fn access(changes: &[Change], path: &str) -> Access {
    let Action::File { attributes, .. } = &change(changes, Volume::Root, path).action else {
        panic!("no file")
    };
    attributes.access
}

/// What is said of a settings file that reads `settings`, beside which lies a file `motd`.
fn read(settings: &str) -> Result<Node, String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("node.yaml");
    fs::write(&path, settings).unwrap();
    fs::write(folder.path().join("motd"), b"\xff\0").unwrap();
    let told = |error: imgforge::target::node::Error| error.to_string();
    let read = Node::read(&path).map_err(told);
    read.map(|(node, _)| node).map_err(|said| said.replace(&format!("{}/", folder.path().display()), ""))
}

fn complaint(settings: &str) -> String {
    read(settings).unwrap_err()
}

#[test]
fn a_file_goes_where_it_belongs_with_mode_and_owner() {
    let settings = "
users: [{name: ops}]
files:
  - { path: /etc/motd, content: hello }
  - { path: /srv/www/index.html, content: '', owner: pi, mode: '0640' }
  - { path: /srv/ops, content: '', owner: 'ops:root' }
  - { path: /srv/33, content: '', owner: '33' }
  - { path: /home/ops/.config/app/app.toml, content: '', owner: ops }";
    let changes = planned(settings).unwrap();
    assert_eq!(text(&changes, Volume::Root, "/etc/motd"), "hello");
    assert_eq!(access(&changes, "/etc/motd"), Access::root(0o644));
    assert_eq!(access(&changes, "/srv/www/index.html"), Access { mode: 0o640, uid: 1000, gid: 1000 });
    assert_eq!(access(&changes, "/srv/ops"), Access { mode: 0o644, uid: 1001, gid: 0 }, "a new user's");
    let folder = |path: &str| match &change(&changes, Volume::Root, path).action {
        Action::Directory { attributes } => attributes.access.uid,
        _ => panic!("{path} is no folder"),
    };
    assert_eq!(["/home/ops/.config", "/home/ops/.config/app", "/srv/www"].map(folder), [1001, 1001, 0]);
    assert_eq!(access(&changes, "/srv/33"), Access { mode: 0o644, uid: 33, gid: 33 });
}

#[test]
fn below_its_mount_point_a_file_goes_into_the_boot_partition() {
    let changes =
        planned("files: [{ path: /boot/firmware/usercfg.txt, content: x, owner: nobody }]").unwrap();
    assert_eq!(text(&changes, Volume::Boot, "/usercfg.txt"), "x");
}

#[test]
fn an_owner_that_the_image_does_not_have_is_told() {
    let said = |owner: &str| {
        planned(&format!("files: [{{ path: /x, content: '', owner: '{owner}' }}]")).unwrap_err()
    };
    let message = said("www-data").to_string();
    assert!(
        message.starts_with("files[0].owner: /x is to be the user `www-data`'s, which neither the base"),
        "{message}"
    );
    let message = said("root:adm").to_string();
    assert!(message.contains("the group `adm`'s, which neither"), "{message}");
}

#[test]
fn an_image_with_a_secret_is_for_its_owner_and_may_hold_a_key() {
    let key = "-----BEGIN PRIVATE KEY-----";
    let settings = |more: &str| format!("files: [{{ path: /etc/vpn.key, content: '{key}'{more} }}]");
    let secret = request("rpi4", Role::Base, &settings(", secret: true"));
    let changes = planned(&settings(", secret: true")).unwrap();
    assert_eq!(access(&changes, "/etc/vpn.key"), Access::root(0o600));
    assert!(secret.holds_secrets(&changes) && !secret.is_release());
    let message = planned(&settings("")).unwrap_err().to_string();
    assert_eq!(message, "/etc/vpn.key holds a private key, and without --cluster an image is for everybody");
}

#[test]
fn a_file_may_lie_beside_the_settings_and_be_no_text() {
    let node = read("files: [{ path: /etc/motd, file: motd }]").unwrap();
    assert_eq!(node.files[0].content(), Some(&b"\xff\0"[..]));
}

#[test]
fn what_a_node_could_not_have_is_told_with_its_place() {
    for (settings, said) in [
        (
            "files:\n  - { path: /etc/fstab, content: '' }",
            "node.yaml:2:7: files[0].path: `/etc/fstab` would be replaced whole; give the disks under `mounts`",
        ),
        (
            "files: [{ path: etc/x, content: '' }]",
            "node.yaml:1:11: files[0].path: `etc/x` must begin with / and not climb with ..",
        ),
        (
            "files: [{ path: /etc/imgforge/x, content: '' }]",
            "node.yaml:1:11: files[0].path: `/etc/imgforge/x` is in /etc/imgforge, which is imgforge's own; take another place",
        ),
        (
            "files: [{ path: /x, content: '' }, { path: //x, content: '' }]",
            "node.yaml:1:38: files[1].path: `//x` is there twice",
        ),
        (
            "files: [{ path: /x, content: '', mode: rwx }]",
            "node.yaml:1:34: files[0].mode: `rwx` is no mode in octal digits, such as 0644",
        ),
        (
            "files: [{ path: /x, file: nothing }]",
            "node.yaml:1:21: files[0].file: cannot read nothing: No such file or directory (os error 2)",
        ),
        (
            "firewall: { from: [] }",
            "node.yaml:1:1: firewall: nobody would be heard: give `from` or `ports`, or `firewall: {}`",
        ),
        (
            "files: [{ path: /x }]",
            "node.yaml:1:9: files[0].content: there is neither a `content` nor a `file` for /x",
        ),
    ] {
        assert_eq!(complaint(settings), said);
    }
}

const CLUSTER: &str = "\
add-ons: { network: none }
users: [{ name: ops }]
files:
  - { path: /etc/motd, content: all }
nodes:
  - hostname: m1
    board: virt
    role: master
    files:
      - { path: /etc/issue, file: issue }
";

#[test]
fn those_of_a_cluster_are_on_every_node_and_told_once() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("issue"), "own").unwrap();
    let path = folder.path().join("home.yaml");
    let catalogue = Catalogue::load(vec![repository().join("board-profiles")]).unwrap();
    let look = |text: &str| {
        fs::write(&path, text).unwrap();
        ClusterFile::read(&path, &SecretsPaths::default(), &catalogue).unwrap()
    };
    let files = look(CLUSTER).targets(&[]).unwrap().remove(0).node.files;
    let shown: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.content().unwrap())).collect();
    assert_eq!(shown, [("/etc/motd", &b"all"[..]), ("/etc/issue", b"own")]);

    let said = |text: &str| {
        let found = look(text).findings().into_iter().map(|found| found.to_string());
        let ours = found.filter(|found| found.contains("files"));
        ours.map(|found| found.replace(&format!("{}/", folder.path().display()), "")).collect::<Vec<_>>()
    };
    assert_eq!(said(CLUSTER), [""; 0]);
    let two = format!("{CLUSTER}  - {{ hostname: w1, board: virt }}\n");
    assert_eq!(
        said(&two.replace("/etc/motd", "/etc/passwd")),
        ["home.yaml:4:7: files[0].path: `/etc/passwd` would be replaced whole; give people under `users`"]
    );
    assert_eq!(
        said(&CLUSTER.replace("/etc/issue", "/etc/motd")),
        ["home.yaml:10:11: nodes[0].files[0].path: `/etc/motd` is there twice"]
    );
    assert_eq!(
        said(&CLUSTER.replace("file: issue", "file: none")),
        ["home.yaml:10:29: nodes[0].files[0].file: cannot read none: No such file or directory (os error 2)"]
    );
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D me";

#[test]
fn keys_of_users_may_lie_in_files() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("node.yaml");
    fs::write(&path, "users: [{ name: ops, ssh-key-files: [me.pub] }]").unwrap();
    let read = |content: &str| {
        fs::write(folder.path().join("me.pub"), content).unwrap();
        Node::read(&path)
            .map(|(node, _)| node.users[0].ssh_keys.clone())
            .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
    };
    assert_eq!(read(&format!("# mine\n\n{KEY}\r\n{KEY}\n")).unwrap(), [KEY, KEY]);
    let at = "node.yaml:1:38: users[0].ssh-key-files[0]: me.pub";
    assert_eq!(read("# mine\n").unwrap_err(), format!("{at} has no key in it"));
    let message = read("\n-----BEGIN OPENSSH PRIVATE KEY-----\n").unwrap_err();
    assert!(message.contains("me.pub:2: this is a private key"), "{message}");

    let home = folder.path().join("home.yaml");
    fs::write(&home, CLUSTER.replace("file: issue", "content: x") + "ssh-key-files: [me.pub]\n").unwrap();
    fs::write(folder.path().join("me.pub"), KEY).unwrap();
    let catalogue = Catalogue::load(vec![repository().join("board-profiles")]).unwrap();
    let file = ClusterFile::read(&home, &SecretsPaths::default(), &catalogue).unwrap();
    assert_eq!(file.targets(&[]).unwrap()[0].node.users[0].ssh_keys, [KEY]);
}
