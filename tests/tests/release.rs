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
        // What Imager's schema wants besides, and that it must not customise what is finished.
        assert!(image["icon"].as_str().unwrap().starts_with("data:image/svg+xml,"), "{}", image["icon"]);
        assert_eq!(image["bmap_url"], format!("https://example.org/images/{board}-base.img.xz.bmap"));
        assert_eq!(image["init_format"], "none");
        hangs_together(&read(&folder(&bench).join(format!("{board}-base.img.xz.spdx.json"))));
    }

    judge_signatures(&bench, &gnupg);

    let manifest = folder(&bench).join("rk3328-base.img.xz.manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"secrets\": false", "\"secrets\": true")).unwrap();
    let said = fails(release(&bench, &gnupg, &key).args(["list", "https://example.org/"]), 1);
    assert!(said.contains("holds secrets"), "{said}");
}

/// `verify --key` says who signed, and refuses what the key did not sign.
fn judge_signatures(bench: &Workbench, gnupg: &Gnupg) {
    let image = folder(bench).join("rpi4-base.img.xz");
    let fingerprint = gnupg.key("other", "never");
    for name in ["release", "other"] {
        fs::write(bench.home.path().join(format!("{name}.key")), gnupg.public_key(name)).unwrap();
    }
    let verify = |key: &str| {
        let mut command = bench.imgforge();
        command.arg("verify").arg(&image).arg("--key").arg(bench.home.path().join(format!("{key}.key")));
        command
    };
    let said = String::from_utf8(succeeds(&mut verify("release")).stdout).unwrap();
    assert!(said.contains("as its manifest says, signed by "), "{said}");
    assert!(!said.contains(&fingerprint), "{said}");
    let said = fails(&mut verify("other"), 3);
    assert!(said.contains("rpi4-base.img.xz.asc does not vouch for "), "{said}");
    let others = bench.home.path().join("others.asc");
    fs::write(&others, gnupg.sign("release", &folder(bench).join("rk3328-base.img.xz"))).unwrap();
    let said = fails(verify("release").arg("--signature").arg(&others), 3);
    assert!(said.contains("others.asc does not vouch for "), "{said}");
}

/// From the document's own element, by what it describes and that contains, every element is reached; and the image has what
/// NTIA's minimum elements ask for.
fn hangs_together(document: &Value) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let relationships = document["relationships"].as_array().unwrap();
    let mut reached = vec!["SPDXRef-DOCUMENT".to_owned()];
    let mut at = 0;
    while let Some(from) = reached.get(at).cloned() {
        for relationship in relationships.iter().filter(|one| one["spdxElementId"] == from.as_str()) {
            let to = text(&relationship["relatedSpdxElement"]);
            let holds =
                ["DESCRIBES", "CONTAINS"].contains(&relationship["relationshipType"].as_str().unwrap());
            if holds && !reached.contains(&to) {
                reached.push(to);
            }
        }
        at += 1;
    }
    let packages = document["packages"].as_array().unwrap();
    assert!(packages.len() > 10, "the packages of the base are there");
    for package in packages {
        assert!(reached.contains(&text(&package["SPDXID"])), "{package} hangs on nothing");
        assert!(package["supplier"].is_string(), "{package}");
    }
    let image = packages.iter().find(|package| package["SPDXID"] == "SPDXRef-Image").unwrap();
    assert!(image["versionInfo"].as_str().unwrap().starts_with("sha256:"), "{image}");
    assert!(image["supplier"].as_str().unwrap().starts_with("Organization: "), "{image}");
}
