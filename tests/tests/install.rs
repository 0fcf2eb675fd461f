//! The program alone: away from a checkout it knows its boards, can write them out, and keeps locks where its user can write.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use imgforge_tests::{Base, Home, approved, fails, is_root, repository, same, succeeds};
use serde_json::Value;
use tempfile::tempdir;

/// Anybody: `nobody` of Debian.
const NOBODY: u32 = 65534;

/// `imgforge` in an empty folder of an empty home, far from the repository.
fn alone(home: &Home) -> Command {
    let elsewhere = home.path().join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    let mut command = home.imgforge();
    command.current_dir(elsewhere);
    command
}

/// All files below `folder`: path, content, whether it can be run. Locks are not looked at.
fn files(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, bool)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            let below = files(&path).into_iter();
            found.extend(below.map(|(path, file)| (Path::new(&name).join(path), file)));
        } else if !name.to_string_lossy().ends_with(".lock.yaml") {
            let runs = entry.metadata().unwrap().permissions().mode() & 0o100 != 0;
            found.insert(name.into(), (fs::read(path).unwrap(), runs));
        }
    }
    found
}

#[test]
fn a_lone_program_knows_its_boards_and_finds_them_in_the_cache() {
    let home = Home::new();
    let output = succeeds(alone(&home).args(["boards", "show", "rk3328", "--json"]));
    let board: Value = serde_json::from_slice(&output.stdout).unwrap();
    let profile = board["profile"].as_str().unwrap();
    let cache = home.path().join(".cache/imgforge");
    assert!(profile.starts_with(cache.to_str().unwrap()), "{profile}");
    // Profiles of the folder it runs in come first.
    let output = succeeds(home.imgforge().args(["boards", "show", "rk3328", "--json"]));
    let board: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(board["profile"], "board-profiles/rk3328.yaml");
}

#[test]
fn what_is_inside_is_what_the_repository_has_and_is_written_out_as_it_lies_there() {
    let home = Home::new();
    let export = home.path().join("export");
    succeeds(alone(&home).args(["boards", "--export"]).arg(&export));
    for folder in ["board-profiles", "overlays", "examples"] {
        let (expected, found) = (files(&repository().join(folder)), files(&export.join(folder)));
        assert!(expected == found, "{folder} differs");
        assert!(!found.is_empty());
    }
    fs::write(export.join("board-profiles/rk3328.yaml"), "mine").unwrap();
    let said = fails(alone(&home).args(["boards", "--export"]).arg(&export), 1);
    assert_eq!(
        said,
        format!(
            "error: {} is not empty\nhint: --force writes into it all the same, over files of the same names\n",
            export.display()
        )
    );
    assert_eq!(fs::read(export.join("board-profiles/rk3328.yaml")).unwrap(), b"mine");
    succeeds(alone(&home).args(["boards", "--force", "--export"]).arg(&export));
    assert_ne!(fs::read(export.join("board-profiles/rk3328.yaml")).unwrap(), b"mine");
}

#[test]
fn a_lone_program_makes_the_image_that_a_checkout_makes() {
    let home = Home::new();
    let dir = tempdir().unwrap();
    let build = |mut command: Command, name: &str| {
        let image = dir.path().join(name);
        let base = Base::VirtArm64.image();
        command.args(["build", "--board", "virt-arm64", "--role", "base", "--frozen", "--base"]).arg(base);
        succeeds(command.arg("--output").arg(&image));
        image
    };
    let (lone, checkout) = (build(alone(&home), "lone.img"), build(home.imgforge(), "checkout.img"));
    approved(&lone, dir.path());
    same(&lone, &checkout, &["", ".bmap"]);
}

#[test]
fn a_lock_is_kept_where_its_user_can_write() {
    let home = Home::new();
    // Which lock is missing says where it would be.
    let missing = |command: &mut Command| {
        fails(command.args(["build", "--board", "rk3328", "--role", "base", "--frozen"]), 1)
    };
    let own = home.path().join(".config/imgforge/locks/rk3328.lock.yaml");
    let said = missing(&mut alone(&home));
    assert!(said.contains(&format!("the lock of rk3328 is kept in {}\n", own.display())), "{said}");
    assert!(said.contains(&format!("{} ", own.display())), "{said}");

    // Beside the profile, where that can be written; else it is as if the profile were inside of the program.
    let folder = home.path().join("shared");
    succeeds(alone(&home).args(["boards", "--export"]).arg(&folder));
    let said = missing(home.imgforge().current_dir(&folder));
    assert!(said.contains("board-profiles/rk3328.lock.yaml") && !said.contains(".config"), "{said}");
    fs::set_permissions(folder.join("board-profiles"), fs::Permissions::from_mode(0o555)).unwrap();
    let mut nobody = home.imgforge();
    if is_root() {
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (theirs, program) = (home.path().join("theirs"), home.path().join("imgforge"));
        fs::create_dir(&theirs).unwrap();
        chown(&theirs, Some(NOBODY), Some(NOBODY)).unwrap();
        fs::copy(home.imgforge().get_program(), &program).unwrap();
        nobody = Command::new(program);
        nobody.env_clear().env("HOME", &theirs).uid(NOBODY).gid(NOBODY);
    }
    let said = missing(nobody.current_dir(&folder));
    assert!(said.contains("/.config/imgforge/locks/rk3328.lock.yaml"), "{said}");
    fs::set_permissions(folder.join("board-profiles"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn it_is_installed_with_its_manual_and_completions() {
    let (home, root) = (Home::new(), tempdir().unwrap());
    let mut install = Command::new(repository().join("scripts/install-files"));
    install.arg(home.imgforge().get_program()).env("DESTDIR", root.path()).env("PREFIX", "/usr");
    succeeds(&mut install);
    let usr = root.path().join("usr");
    for file in [
        "man/man1/imgforge-build.1",
        "zsh/site-functions/_imgforge",
        "fish/vendor_completions.d/imgforge.fish",
    ] {
        assert!(usr.join("share").join(file).is_file(), "{file}");
    }
    succeeds(Command::new("bash").arg("-n").arg(usr.join("share/bash-completion/completions/imgforge")));
    let mut installed = Command::new(usr.join("bin/imgforge"));
    let boards = succeeds(installed.arg("boards").env("HOME", home.path()).current_dir("/"));
    assert!(String::from_utf8(boards.stdout).unwrap().contains("rk3328"));
}
