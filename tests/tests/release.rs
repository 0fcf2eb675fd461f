//! `scripts/release`: images are built, verified by building them again, signed, and listed for Raspberry Pi Imager.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use imgforge_tests::{Gnupg, Workbench, fails, repository, sha256, succeeds};
use serde_json::{Value, json};

/// `scripts/release` with the command, profiles and store of `bench`, signing with `key`.
fn release(bench: &Workbench, gnupg: &Gnupg, key: &str) -> Command {
    let imgforge = bench.imgforge();
    let mut command = Command::new(repository().join("scripts/release"));
    command
        .envs(imgforge.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("IMGFORGE", imgforge.get_program())
        .env("RELEASE_FOLDER", folder(bench))
        .env("RELEASE_KEY", key)
        .env("GNUPGHOME", gnupg.home());
    command
}

fn folder(bench: &Workbench) -> PathBuf {
    bench.home.path().join("release")
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_release_is_verified_signed_and_listed_with_what_imager_asks_for_unless_it_holds_secrets() {
    let bench = Workbench::new();
    let gnupg = Gnupg::new();
    let key = gnupg.key("release", "never");
    for board in ["rk3328", "rpi4"] {
        succeeds(release(&bench, &gnupg, &key).args(["build", board, "base"]));
    }
    succeeds(release(&bench, &gnupg, &key).args(["list", "https://example.org/images/"]));

    let list_path = folder(&bench).join("os-list.json");
    gnupg.approves(&folder(&bench).join("os-list.json.asc"), &list_path);
    let list = read(&list_path);
    let images = list["os_list"].as_array().unwrap();
    assert_eq!(images.len(), 2);
    for (image, (board, devices)) in
        images.iter().zip([("rk3328", Value::Null), ("rpi4", json!(["pi4-64bit"]))])
    {
        let file = folder(&bench).join(format!("{board}-base.img.xz"));
        gnupg.approves(&folder(&bench).join(format!("{board}-base.img.xz.asc")), &file);
        assert_eq!(image["url"], format!("https://example.org/images/{board}-base.img.xz"));
        assert_eq!(image["image_download_size"], fs::metadata(&file).unwrap().len());
        assert_eq!(image["image_download_sha256"], sha256(&file));
        let manifest = read(&folder(&bench).join(format!("{board}-base.img.xz.manifest.json")));
        assert_eq!(image["extract_size"], manifest["image"]["size"]);
        assert_eq!(image["extract_sha256"], manifest["image"]["sha256"]);
        let day = Command::new("date").args(["-u", "+%F", "-d", &format!("@{}", manifest["epoch"])]).output();
        assert_eq!(image["release_date"], String::from_utf8(day.unwrap().stdout).unwrap().trim());
        assert_eq!(image["devices"], devices);
    }

    let manifest = folder(&bench).join("rk3328-base.img.xz.manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"secrets\": false", "\"secrets\": true")).unwrap();
    let said = fails(release(&bench, &gnupg, &key).args(["list", "https://example.org/"]), 1);
    assert!(said.contains("holds secrets"), "{said}");
}
