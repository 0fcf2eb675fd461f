//! `imgforge boards` and `imgforge matrix`, and a profile started from an image.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::fs;

use imgforge_tests::{Base, Workbench, approved, fails, repository, same_boot_loader, succeeds};
use serde_json::Value;
use tempfile::tempdir;

/// What `imgforge` with these arguments prints.
fn printed(bench: &Workbench, arguments: &[&str]) -> String {
    String::from_utf8(succeeds(bench.imgforge().args(arguments)).stdout).unwrap()
}

fn json(bench: &Workbench, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(bench, arguments)).unwrap()
}

#[test]
fn boards_are_listed_with_what_they_can_run_and_why_not_more() {
    let bench = Workbench::new();
    let boards = json(&bench, &["boards", "--json"]);
    let runs = |name: &str| {
        let boards = boards.as_array().unwrap();
        boards.iter().find(|board| board["board"] == name).unwrap()["runs"].clone()
    };
    assert_eq!(runs("rk3328")["frozen"], false);
    assert_eq!(runs("bananapi-m1")["kubernetes"], "1.26");
    assert_eq!(runs("bananapi-m1")["frozen"], true);
    let newest = runs("rk3328")["kubernetes"].as_str().unwrap().to_owned();
    let release = repository().join(format!("board-profiles/kubernetes/{newest}.yaml"));
    assert!(release.is_file(), "{newest} is a release that can be built");
    assert_eq!(runs("rpi1")["kubernetes"], Value::Null);
    assert_eq!(runs("rpi1")["roles"], serde_json::json!(["base"]));
    assert!(runs("cubieboard1")["reasons"].as_array().unwrap().len() == 2, "32-bit, and one core");
    let shown = printed(&bench, &["boards", "show", "renegade"]);
    assert!(shown.contains("board       rk3328\n"), "{shown}");
    assert!(shown.contains("hardware    arm64, cores: 4, memory: 1024 MiB\n"), "{shown}");
}

#[test]
fn every_board_builds_on_its_familys_base_and_keeps_its_boot_loader() {
    let bench = Workbench::new();
    let boards = json(&bench, &["boards", "--json"]);
    let node = bench.home.path().join("node.yaml");
    fs::write(&node, "allow: [foreign-base]\n").unwrap();
    for board in boards.as_array().unwrap().iter().map(|board| board["board"].as_str().unwrap()) {
        let base = Base::of(board).unwrap_or_else(|| panic!("{board}: Base::of has no base for it"));
        // Of ARMv6 there is a base only for `make boot-all`: the layout is proven on one of another architecture.
        let options = if board == "rpi1" { &["--node", node.to_str().unwrap()][..] } else { &[] };
        let image = bench.built(board, "base", "node.img", options);
        let dir = tempdir().unwrap();
        approved(&image, dir.path());
        same_boot_loader(&base.image(), &image);
    }
}

#[test]
fn the_matrix_has_every_role_a_board_can_have_and_no_other() {
    let bench = Workbench::new();
    let matrix = imgforge_matrix_of_the_repository(&bench);
    let roles = |board: &str| -> Vec<&str> {
        let of_board = matrix.as_array().unwrap().iter().filter(|image| image["board"] == board);
        of_board.map(|image| image["role"].as_str().unwrap()).collect()
    };
    assert_eq!(roles("rpi1"), ["base"]);
    assert_eq!(roles("cubieboard1"), ["base", "worker"]);
    assert_eq!(roles("rk3328"), ["base", "worker", "master"]);
    assert_eq!(matrix[0]["image"], format!("{}-base.img.xz", matrix[0]["board"].as_str().unwrap()));
}

/// The workbench's profiles have no Kubernetes from servers that tests cannot reach; these have.
fn imgforge_matrix_of_the_repository(bench: &Workbench) -> Value {
    let mut command = bench.imgforge();
    command
        .args(["matrix", "--json"])
        .env("IMGFORGE_PROFILES", imgforge_tests::repository().join("board-profiles"));
    serde_json::from_slice(&succeeds(&mut command).stdout).unwrap()
}

#[test]
fn a_board_that_cannot_have_the_role_is_refused_before_anything_is_fetched() {
    let bench = Workbench::with_empty_store();
    let (image, mut command) = bench.build("rpi1", "worker", "x.img");
    let said = fails(&mut command, 1);
    assert!(
        said.contains(
            "Raspberry Pi 1 Model B (rpi1) cannot be a worker: Kubernetes has no binaries for ARMv6"
        ),
        "{said}"
    );
    assert!(bench.server.requests().is_empty());
    assert!(!image.exists());
}

#[test]
fn a_profile_started_from_an_image_can_be_used_at_once() {
    let bench = Workbench::new();
    for (base, vendor, architecture) in [
        (Base::BananapiLike, "armbian", "armv7"),
        (Base::RaspiosLike, "raspberrypi", "arm64"),
        (Base::VirtArm64, "debian", "arm64"),
    ] {
        let image = base.compressed();
        let name = format!("my-{}", base.name());
        let path = printed(&bench, &["boards", "new", &name, "--from", image.to_str().unwrap()]);
        let profile = fs::read_to_string(path.trim_end()).unwrap();
        assert!(profile.contains(&format!("\nvendor: {vendor}\n")), "{profile}");
        assert!(profile.contains(&format!("\narchitecture: {architecture}\n")), "{profile}");
        let planned = printed(&bench, &["plan", "--board", &name, "--role", "base"]);
        let file = image.file_name().unwrap().to_str().unwrap();
        assert!(planned.contains(&format!("base {file}\n")), "{planned}");
        let again = fails(bench.imgforge().args(["boards", "new", &name, "--from"]).arg(&image), 4);
        assert!(again.contains("cannot write"), "what a person has filled in is never overwritten: {again}");
    }
}

#[test]
fn a_persons_own_profile_hides_the_one_of_the_same_name() {
    let bench = Workbench::new();
    let own = bench.home.path().join("configuration/imgforge/board-profiles");
    fs::create_dir_all(&own).unwrap();
    let profile = fs::read_to_string(bench.profiles().join("rk3328.yaml")).unwrap();
    fs::write(own.join("rk3328.yaml"), profile.replace("Libre Computer", "My own")).unwrap();
    let mut command = bench.imgforge();
    command.env_remove("IMGFORGE_PROFILES").env("XDG_CONFIG_HOME", bench.home.path().join("configuration"));
    command.args(["boards", "show", "renegade"]).current_dir(imgforge_tests::repository());
    let shown = String::from_utf8(succeeds(&mut command).stdout).unwrap();
    assert!(shown.contains("name        My own ROC-RK3328-CC (Renegade)\n"), "{shown}");
    assert!(shown.contains(own.to_str().unwrap()), "{shown}");
}
