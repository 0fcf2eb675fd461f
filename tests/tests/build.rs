//! `imgforge build` on the bases in the vendors' layouts, judged by other people's programs.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, PermissionsExt},
    },
    path::Path,
    process::Command,
};

use imgforge_tests::{
    Base, Tool, Workbench, approved, fails, file_in, read_at, repository, same_boot_loader, succeeds,
};
use tempfile::tempdir;

#[test]
fn every_board_is_patched_and_every_checker_is_content() {
    let bench = Workbench::new();
    for board in ["virt-arm64", "virt-armhf", "rk3328", "bananapi-m1", "odroid-c2", "rpi4"] {
        let image = bench.built(board, "master", &format!("{board}.img"), &["--hostname", "k8s-master-1"]);
        let dir = tempdir().unwrap();
        let root = approved(&image, dir.path());
        assert_eq!(file_in(&root, "/etc/hostname"), "k8s-master-1\n", "{board}");
        assert_eq!(file_in(&root, "/etc/machine-id"), "uninitialized\n", "{board}");
        same_boot_loader(&Base::of(board).unwrap().image(), &image);
        succeeds(bench.imgforge().arg("verify").arg(&image));
        // A card is larger than its image, and may not be smaller.
        let card = fs::OpenOptions::new().write(true).open(&image).unwrap();
        let size = card.metadata().unwrap().len();
        card.set_len(size + (64 << 20)).unwrap();
        succeeds(bench.imgforge().arg("verify").arg(&image));
        card.set_len(size - 4096).unwrap();
        assert!(!bench.imgforge().arg("verify").arg(&image).output().unwrap().status.success(), "{board}");
    }
}

#[test]
fn what_differs_from_the_base_is_what_was_planned() {
    let bench = Workbench::new();
    let (image, mut build) = bench.build("rpi4", "worker", "rpi4.img");
    let built: serde_json::Value = serde_json::from_slice(&succeeds(build.arg("--json")).stdout).unwrap();
    let built = &built["images"][0];
    assert_eq!(built["path"].as_str(), image.to_str());
    assert_eq!(built["hostname"], "rpi4-worker");
    let manifest = fs::read_to_string(built["manifest"].as_str().unwrap()).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(built["map-sha256"], manifest["image"]["map-sha256"]);
    let planned: Vec<String> = manifest["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| format!("{}:{}", change["volume"].as_str().unwrap(), change["path"].as_str().unwrap()))
        .collect();
    let output =
        bench.imgforge().arg("diff").arg(Base::RaspiosLike.compressed()).arg(&image).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let lines = String::from_utf8(output.stdout).unwrap();
    let differing: Vec<&str> =
        lines.lines().filter_map(|line| line.split(' ').nth(1)).filter(|p| p.contains(":/")).collect();
    assert!(differing.len() > 20, "{lines}");
    for path in differing {
        assert!(planned.iter().any(|planned| planned == path), "{path} differs, but nobody planned it");
    }

    // Programs are told the same.
    let told = |words: &[&str], files: &[&Path]| -> serde_json::Value {
        serde_json::from_slice(&bench.imgforge().args(words).args(files).output().unwrap().stdout).unwrap()
    };
    let base = Base::RaspiosLike.compressed();
    let differences = told(&["diff", "--json"], &[&base, &image]);
    assert_eq!(differences["differences"].as_array().unwrap().len(), lines.lines().count());
    let verified = told(&["verify", "--json"], &[&image]);
    assert_eq!(verified["changes"], planned.len());
    assert_eq!(built["changes"], planned.len());
    assert_eq!(verified["deviations"].as_array().unwrap().len(), 0);
    let inspected = told(&["inspect", "--json"], &[&image]);
    assert_eq!(inspected["size"], fs::metadata(&image).unwrap().len());
    assert_eq!(inspected["partitions"][1]["contents"], "ext4");
    assert_eq!(inspected["system"]["hostname"], "rpi4-worker");
    assert_eq!(inspected["system"]["built-by-imgforge"], true);
    // What is not as it should be is told them, too.
    let damaged = bench.home.path().join("damaged.img");
    fs::copy(&image, &damaged).unwrap();
    let file = File::options().write(true).open(&damaged).unwrap();
    file.write_all_at(b"x", inspected["partitions"][0]["start"].as_u64().unwrap() * 512 + 3).unwrap();
    let manifest = format!("{}.manifest.json", image.display());
    let said = fails(bench.imgforge().arg("verify").arg(&damaged), 1);
    assert!(said.contains("damaged.img.manifest.json: there is no such file; `build` writes it"), "{said}");
    let said = fails(bench.imgforge().arg("verify").arg(bench.home.path().join("mistyped.img")), 1);
    assert!(said.contains("cannot open ") && said.contains("mistyped.img"), "{said}");
    let verified = told(&["verify", "--json", "--manifest", &manifest], &[&damaged]);
    assert!(verified["deviations"][0].as_str().unwrap().contains("block map SHA-256"), "{verified}");
}

#[test]
fn the_same_inputs_give_the_same_bytes_whoever_builds_and_when() {
    let bench = Workbench::new();
    let one = bench.built("virt-arm64", "master", "one.img", &["--threads", "1"]);
    // Another user, umask, locale, time zone, working folder, number of threads, and an overlay tree whose directories
    // list their entries in another order.
    let folder = bench.home.path().join("elsewhere");
    fs::create_dir(&folder).unwrap();
    let overlays = folder.join("overlays");
    copy_backwards(&repository().join("overlays"), &overlays);
    for path in [bench.home.path(), &folder] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    // Another store, too, filled with what the lock of the first build names.
    let (exported, store) = (bench.home.path().join("store.tar"), folder.join("store"));
    let lock = bench.profiles().join("virt-arm64.lock.yaml");
    succeeds(bench.imgforge().args(["store", "export", "--lock"]).arg(lock).arg(&exported));
    let mut import = bench.imgforge();
    import.args(["store", "import"]).arg(&exported);
    succeeds(as_nobody("exec \"$@\"", &import).env("IMGFORGE_STORE", &store).env("TMPDIR", &folder));
    let (_, command) = bench.build("virt-arm64", "master", "elsewhere/two.img");
    let mut other = as_nobody("umask 077; exec faketime '+2 years' \"$@\"", &command);
    other
        .current_dir("/")
        .env("LC_ALL", "tr_TR.UTF-8")
        .env("TZ", "Pacific/Kiritimati")
        .env("HOME", &folder)
        .env("TMPDIR", &folder)
        .env("IMGFORGE_OVERLAYS", &overlays)
        .env("IMGFORGE_STORE", &store)
        .args(["--threads", "2", "--frozen"]);
    succeeds(&mut other);
    let two = folder.join("two.img");
    for suffix in ["", ".bmap", ".manifest.json", ".spdx.json"] {
        let (one, two) = (format!("{}{suffix}", one.display()), format!("{}{suffix}", two.display()));
        let same = Command::new("cmp").args([&one, &two]).output().unwrap();
        assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));
    }
    let mode = fs::metadata(&two).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "the umask of the builder does not show");
}

#[test]
fn names_that_are_no_text_go_in_and_read_back() {
    let bench = Workbench::new();
    let overlays = bench.home.path().join("overlays");
    copy_backwards(&repository().join("overlays"), &overlays);
    let etc = overlays.join("common/root/etc");
    fs::write(etc.join(OsStr::from_bytes(b"caf\xe9.conf")), "x\n").unwrap();
    std::os::unix::fs::symlink(OsStr::from_bytes(b"caf\xe9.conf"), etc.join(OsStr::from_bytes(b"l\xff")))
        .unwrap();
    let (image, mut command) = bench.build("virt-arm64", "base", "names.img");
    succeeds(command.env("IMGFORGE_OVERLAYS", &overlays));
    succeeds(bench.imgforge().arg("verify").arg(&image));
    let dir = tempdir().unwrap();
    let root = approved(&image, dir.path());
    let listed = Tool::DEBUGFS.run(["-R", "ls -p /etc", &root.to_string_lossy()]).stdout;
    for name in [b"/caf\xe9.conf/".as_slice(), b"/l\xff/"] {
        assert!(listed.windows(name.len()).any(|window| window == name), "{}", name.escape_ascii());
    }
}

/// Copies a tree, making the entries of each folder in reverse order.
fn copy_backwards(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    let mut entries: Vec<_> = fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries.into_iter().rev() {
        let target = to.join(entry.file_name().unwrap());
        if entry.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&entry).unwrap(), target).unwrap();
        } else if entry.is_dir() {
            copy_backwards(&entry, &target);
        } else {
            fs::copy(&entry, &target).unwrap();
        }
    }
}

/// `command` run by `sh -c script`, by the user nobody where the test is root.
fn as_nobody(script: &str, command: &Command) -> Command {
    let is_root =
        String::from_utf8(Command::new("id").arg("-u").output().unwrap().stdout).unwrap().trim() == "0";
    let mut wrapped = if is_root { Command::new("setpriv") } else { Command::new("sh") };
    if is_root {
        wrapped.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh"]);
    }
    wrapped.args(["-c", script, "sh"]).arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        wrapped.env(name, value.unwrap_or_default());
    }
    wrapped
}

#[test]
fn an_image_is_built_again_from_what_its_manifest_names_and_is_the_same() {
    let bench = Workbench::new();
    let node = bench.home.path().join("node.yaml");
    fs::write(&node, "mounts:\n  - { source: LABEL=data, target: /srv }\n").unwrap();
    let options = ["--hostname", "one", "--node", node.to_str().unwrap()];
    let image = bench.built("rk3328", "base", "node.img", &options);

    let verify = || {
        let mut command = bench.imgforge();
        command.args(["verify", "--rebuild"]).arg(&image);
        command
    };
    let verified = succeeds(verify().arg("--node").arg(&node).env("SOURCE_DATE_EPOCH", "1"));
    let said = String::from_utf8(verified.stdout).unwrap();
    assert!(said.contains("as its manifest says, and the same when built again"), "{said}");
    // Without the node's settings another image comes out, and it is said where it begins to be another.
    let said = fails(&mut verify(), 3);
    assert!(said.contains("built again, the image has block map SHA-256 "), "{said}");
    assert!(said.contains("/etc/fstab in the root file system, from node"), "{said}");
}

#[test]
fn with_everything_in_the_store_no_network_is_needed() {
    let bench = Workbench::with_empty_store();
    let first = bench.built("rk3328", "base", "first.img", &[]);
    let (second, command) = bench.build("rk3328", "base", "second.img");
    // A network namespace with nothing in it, not even the loopback interface up.
    let mut alone = Command::new("unshare");
    alone.args(["--user", "--map-root-user", "--net"]).arg(command.get_program()).args(command.get_args());
    alone.arg("--offline").env_clear();
    for (name, value) in command.get_envs() {
        alone.env(name, value.unwrap_or_default());
    }
    succeeds(alone.current_dir(repository()));
    assert!(Command::new("cmp").args([&first, &second]).status().unwrap().success());
}

#[test]
fn offline_without_the_base_says_what_is_missing() {
    let bench = Workbench::with_empty_store();
    let (image, mut command) = bench.build("rk3328", "base", "x.img");
    let said = fails(command.arg("--offline"), 4);
    assert!(said.contains("is not in the store, and --offline forbids to fetch it"), "{said}");
    assert!(said.contains("hint: "), "{said}");
    assert!(!image.exists());
}

#[test]
fn compressed_outputs_hold_the_same_image() {
    let bench = Workbench::new();
    let raw = bench.built("rpi4", "worker", "node.img", &[]);
    let raw_digest = digest(&raw);
    for (name, tool) in [("node.img.xz", "xz"), ("node.img.zst", "zstd"), ("node.img.gz", "gzip")] {
        let image = bench.built("rpi4", "worker", name, &[]);
        let decoded = bench.home.path().join("decoded.img");
        let output = File::create(&decoded).unwrap();
        let status = Command::new(tool).arg("-dc").arg(&image).stdout(output).status().unwrap();
        assert!(status.success(), "{tool}");
        assert_eq!(digest(&decoded), raw_digest, "{name}");
        succeeds(bench.imgforge().arg("verify").arg(&image));
        let sums = fs::read_to_string(format!("{}.sha256", image.display())).unwrap();
        assert_eq!(sums, format!("{}  {name}\n", digest(&image)));
    }
}

#[test]
fn the_checksum_of_a_raw_image_is_taken_on_request() {
    let bench = Workbench::new();
    let checksum = |image: &Path| fs::read_to_string(format!("{}.sha256", image.display()));
    let image = bench.built("rpi4", "worker", "node.img", &["--checksum"]);
    assert_eq!(checksum(&image).unwrap(), format!("{}  node.img\n", digest(&image)));
    succeeds(bench.imgforge().arg("verify").arg(&image));
    // Without it, the old one does not stay beside the new image, and the block map stands for the image's bytes.
    let image = bench.built("rpi4", "worker", "node.img", &[]);
    checksum(&image).unwrap_err();
    succeeds(bench.imgforge().arg("verify").arg(&image));
    // In the boot code of the first sector: what no file system uses is in no map.
    change_a_byte(&image, 100);
    let said = fails(bench.imgforge().arg("verify").arg(&image), 3);
    assert!(said.contains("the image has block map SHA-256 "), "{said}");
}

/// Changes the byte at `offset` of a file.
fn change_a_byte(path: &Path, offset: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[!byte[0]], offset).unwrap();
}

fn digest(path: &Path) -> String {
    Tool::SHA256SUM.approves([path.to_str().unwrap()]).split(' ').next().unwrap().to_owned()
}

#[test]
fn a_card_full_of_old_data_is_the_same_after_a_sparse_copy() {
    let bench = Workbench::new();
    let image = bench.built("rpi4", "worker", "node.img", &[]);
    let card = bench.home.path().join("card");
    let size = fs::metadata(&image).unwrap().len();
    let mut old = Command::new("sh");
    // Anything but zeros: what a card has that was used before.
    old.args(["-c", &format!("yes old-data | head -c {size} > \"$0\"")]).arg(&card);
    succeeds(&mut old);
    copy_mapped(&image, &card);
    let dir = tempdir().unwrap();
    approved(&card, dir.path());
    let manifest = format!("{}.manifest.json", image.display());
    // Free blocks keep the card's old bytes; they are in no map, and nobody reads them.
    succeeds(bench.imgforge().args(["verify", "--manifest", &manifest]).arg(&card));
}

/// Copies the blocks that the map beside `image` names, and no others, as bmaptool does to a device. (Where the target is a
/// file, bmaptool empties it first.)
fn copy_mapped(image: &Path, card: &Path) {
    let map = fs::read_to_string(format!("{}.bmap", image.display())).unwrap();
    let card = fs::OpenOptions::new().write(true).open(card).unwrap();
    for line in map.lines().filter(|line| line.contains("<Range")) {
        let blocks = line.split_once('>').unwrap().1.split_once('<').unwrap().0.trim();
        let (first, last) = blocks.split_once('-').unwrap_or((blocks, blocks));
        let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
        card.write_all_at(&read_at(image, first * 4096, (last - first + 1) * 4096), first * 4096).unwrap();
    }
}

#[test]
fn bmaptool_takes_the_map_and_finds_every_digest_right() {
    let bench = Workbench::new();
    let image = bench.built("rk3328", "worker", "node.img", &[]);
    let card = bench.home.path().join("card");
    let mut copy = Command::new("bmaptool");
    succeeds(copy.args(["copy", "--bmap"]).arg(format!("{}.bmap", image.display())).arg(&image).arg(&card));
    succeeds(
        bench
            .imgforge()
            .arg("verify")
            .arg("--manifest")
            .arg(format!("{}.manifest.json", image.display()))
            .arg(&card),
    );
}

#[test]
fn outputs_appear_only_when_they_are_whole() {
    let bench = Workbench::new();
    bench.built("virt-arm64", "base", "warm.img", &[]);
    // Killed at ever later moments, until it gets through.
    for milliseconds in std::iter::successors(Some(5), |last| Some(last * 3 / 2)) {
        let (image, mut command) = bench.build("virt-arm64", "base", "killed.img");
        let mut child = command.spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        let finished = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        if image.exists() {
            assert_eq!(digest(&image), digest(&bench.home.path().join("warm.img")));
        }
        if finished {
            break;
        }
    }
    bench.built("virt-arm64", "base", "killed.img", &[]);
    let left: Vec<String> = fs::read_dir(bench.home.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("partial"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    succeeds(bench.imgforge().arg("verify").arg(bench.home.path().join("killed.img")));
}
