//! The commands of docs/first-cluster.md, run as they stand there, but for those that want a vendor's servers, a card or boards.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::fs;

use imgforge_tests::{Home, repository, succeeds};

/// What goes out into the world.
const ELSEWHERE: [&str; 4] = ["lock", "flash", "build", "status"];

#[test]
fn the_first_clusters_page_is_run_as_far_as_this_machine_goes() {
    let page = fs::read_to_string(repository().join("docs/first-cluster.md")).unwrap();
    let home = Home::new();
    fs::create_dir_all(home.path().join(".ssh")).unwrap();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D me";
    fs::write(home.path().join(".ssh/id_ed25519.pub"), key).unwrap();
    let folder = home.path().join("home");
    fs::create_dir(&folder).unwrap();
    let code = page.lines().filter_map(|line| line.strip_prefix("    imgforge "));
    let (elsewhere, here): (Vec<_>, Vec<_>) =
        code.partition(|command| ELSEWHERE.iter().any(|verb| command.starts_with(verb)));
    for command in &here {
        succeeds(home.imgforge().current_dir(&folder).env("USER", "anna").args(command.split_whitespace()));
    }
    assert!(here.len() >= 4 && elsewhere.len() >= 2, "{here:?} {elsewhere:?}");
    for made in ["home.yaml", "home.secrets.yaml", "home.kubeconfig"] {
        assert!(folder.join(made).exists(), "{made}");
    }
}
