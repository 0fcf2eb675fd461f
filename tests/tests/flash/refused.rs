//! What is not written to, and what is said of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::bench::{Bench, MIB, as_its_map_says, halted, signal};
use imgforge_tests::{fails, read_at, succeeds, used_card};

#[test]
fn a_card_that_is_too_small_stays_as_it_is() {
    let bench = Bench::new(64 * MIB, 64 * MIB - 512);
    let said = fails(&mut bench.flashed(), 1);
    assert_eq!(
        bench.plain(&said),
        "error: ~/card is too small: it has 67108352 bytes, and the image 67108864\nhint: take a larger card\n"
    );
    assert!(read_at(&bench.card, 0, 4096).starts_with(b"old-data"));
}

#[test]
fn nobody_who_can_be_asked_means_no() {
    let bench = Bench::new(16 * MIB, 16 * MIB);
    let mut command = bench.flash(&[&bench.image, &bench.card]);
    let said = fails(command.stdin(Stdio::null()), 1);
    assert_eq!(
        bench.plain(&said),
        "error: nobody can be asked whether everything on ~/card may go: standard input is no terminal\n\
         hint: `--yes` says so\n"
    );
    assert!(read_at(&bench.card, 0, 4096).starts_with(b"old-data"));
}

#[test]
fn at_a_terminal_there_is_one_question() {
    let bench = Bench::new(16 * MIB, 16 * MIB);
    let flash = bench.flash(&[&bench.image, &bench.card]);
    let words: Vec<_> = [flash.get_program()].into_iter().chain(flash.get_args()).collect();
    let line = words.iter().map(|word| format!("'{}'", word.display())).collect::<Vec<_>>().join(" ");
    // script(1) gives it a terminal of its own.
    let answered = |answer: &str| {
        let mut script = Command::new("sh");
        script.args(["-c", "printf '%s\\n' \"$1\" | script -qec \"$0\" /dev/null", &line, answer]);
        let output = script.env("HOME", bench.home.path()).env("NO_COLOR", "1").output().unwrap();
        (output.status.code(), bench.plain(&String::from_utf8(output.stdout).unwrap()).replace('\r', ""))
    };
    let (code, said) = answered("n");
    let question = "~/card is a file of 16.78 MB.\n\
                    Everything on ~/card goes, and ~/k1.img takes its place. Write it? [y/N] ";
    assert!(said.contains(question), "{said}");
    assert!(said.ends_with("error: nothing was written\n"), "{said}");
    assert_eq!(code, Some(1));
    assert!(read_at(&bench.card, 0, 4096).starts_with(b"old-data"));
    let (code, said) = answered("y");
    assert_eq!(code, Some(0), "{said}");
    as_its_map_says(&bench.card, &fs::read(format!("{}.bmap", bench.image.display())).unwrap());
}

#[test]
fn what_is_no_card_is_refused_with_what_to_do() {
    let bench = Bench::new(16 * MIB, 16 * MIB);
    let cases: [(&str, &str); 3] = [
        (
            "/dev/nothing",
            "error: there is no /dev/nothing\nhint: `imgforge flash --list` shows the cards that are there\n",
        ),
        (
            "/dev/zero",
            "error: /dev/zero is neither a disk nor a file\n\
             hint: `imgforge flash --list` shows the cards that are there\n",
        ),
        (
            "/",
            "error: / is neither a disk nor a file\nhint: `imgforge flash --list` shows the cards that are there\n",
        ),
    ];
    for (device, expected) in cases {
        assert_eq!(
            fails(&mut bench.flash(&[&bench.image, Path::new(device), Path::new("--yes")]), 1),
            expected
        );
    }
    let said = bench.plain(&fails(&mut bench.flash(&[&bench.image, &bench.image, Path::new("--yes")]), 1));
    assert!(said.starts_with("error: ~/k1.img is the image itself\n"), "{said}");
    let said = fails(&mut bench.flash(&[Path::new("k8s-worker-2"), &bench.card]), 1);
    assert!(said.contains("is it a node of a cluster? `--cluster FILE` names"), "{said}");
}

#[test]
fn what_cannot_be_taken_out_is_named_twice() {
    let bench = Bench::new(16 * MIB, 16 * MIB);
    let Some(device) = bench.loop_device(&[]) else { return };
    let path = device.path();
    let said = fails(&mut bench.flash(&[&bench.image, path, Path::new("--yes")]), 1);
    let device = path.display();
    assert_eq!(
        said,
        format!(
            "error: {device} cannot be taken out of this machine, so it is no card\n\
             hint: if everything on it may go all the same: `--force-device {device}`\n"
        )
    );
    let mut other = bench.flash(&[&bench.image, path, Path::new("--yes")]);
    let said = fails(other.args(["--force-device", "/dev/loop-control"]), 1);
    assert!(
        said.starts_with("error: --force-device names /dev/loop-control, and the image would go onto"),
        "{said}"
    );
    assert!(read_at(&bench.card, 0, 4096).starts_with(b"old-data"));
}

#[test]
fn a_mounted_device_is_refused_whatever_is_forced() {
    let bench = Bench::new(16 * MIB, 32 * MIB);
    succeeds(&mut bench.flashed());
    let Some(device) = bench.loop_device(&["--partscan"]) else { return };
    let mount = bench.home.path().join("a mount");
    fs::create_dir(&mount).unwrap();
    // A kernel that scans partitions has one; else what is mounted lies at an offset.
    let partition = PathBuf::from(format!("{}p1", device.path().display()));
    let part = if partition.exists() { &partition } else { device.path() };
    if part == device.path() {
        succeeds(Command::new("mke2fs").args(["-q", "-F"]).arg(part));
    }
    succeeds(Command::new("mount").arg(part).arg(&mount));
    let said = bench.plain(&fails(&mut bench.forced(device.path()), 1));
    succeeds(Command::new("umount").arg(&mount));
    let (device, part) = (device.path().display(), part.display());
    assert_eq!(
        said,
        format!(
            "error: {device} is in use: {part} is mounted at ~/a mount\n\
             hint: if it is the right card: `udisksctl unmount -b {part}`, or `sudo umount {part}`\n"
        )
    );
}

#[test]
fn a_read_only_device_is_refused() {
    let bench = Bench::new(16 * MIB, 16 * MIB);
    let Some(device) = bench.loop_device(&["--read-only"]) else { return };
    let said = fails(&mut bench.forced(device.path()), 1);
    let expected = format!("error: {} cannot be written: it is read-only\n", device.path().display());
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn who_is_not_root_reads_the_command_that_needs_it() {
    let bench = Bench::new(16 * MIB, 16 * MIB);
    let Some(device) = bench.loop_device(&[]) else { return };
    let forced = bench.forced(device.path());
    succeeds(Command::new("chmod").args(["-R", "a+rX"]).arg(bench.home.path()));
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    nobody
        .arg(forced.get_program())
        .args(forced.get_args())
        .env("HOME", "/nonexistent")
        .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent");
    let said = bench.plain(&fails(&mut nobody, 4));
    let device = device.path().display();
    assert_eq!(
        said,
        format!(
            "error: {device} can be written by root only\n\
             hint: `sudo imgforge flash ~/k1.img {device} --force-device {device}`\n"
        )
    );
}

#[test]
fn a_second_flash_at_once_is_refused() {
    let bench = Bench::new(128 * MIB, 128 * MIB);
    let again = |mut command: Command, path: &Path| {
        let said = bench.plain(&fails(&mut command, 4));
        let path = bench.plain(&path.display().to_string());
        assert_eq!(
            said,
            format!(
                "error: {path} is in use by another program\n\
                 hint: is another flash at work on it, or has it been mounted meanwhile?\n"
            )
        );
    };
    let mut first = halted(&mut bench.flashed(), &bench.card);
    again(bench.flashed(), &bench.card);
    signal(&first, "CONT");
    assert!(first.wait().unwrap().success(), "the first goes on");

    used_card(&bench.card, 128 * MIB);
    let Some(device) = bench.loop_device(&[]) else { return };
    let mut first = halted(&mut bench.forced(device.path()), device.path());
    again(bench.forced(device.path()), device.path());
    signal(&first, "CONT");
    assert!(first.wait().unwrap().success(), "the first goes on");
}

#[test]
fn the_list_of_cards_says_when_there_is_none() {
    let bench = Bench::new(16 * MIB, 16 * MIB);
    let output = succeeds(bench.home.imgforge().args(["flash", "--list"]));
    let printed = String::from_utf8(output.stdout).unwrap();
    // Whoever tests may have a card in the machine.
    if printed.is_empty() {
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "there is no card or stick\n");
    } else {
        assert!(printed.starts_with("DEVICE "), "{printed}");
    }
}

#[test]
fn what_is_no_image_goes_onto_no_card() {
    let bench = Bench::new(16 * MIB, 16 * MIB);
    let path = |name: &str| bench.home.path().join(name);
    fs::write(path("home.yaml"), "name: home\n").unwrap();
    let said = fails(bench.flash(&[&path("home.yaml"), &bench.card]).arg("--yes"), 3);
    assert!(
        said.contains("is no image of a disk") && said.contains("a cluster file is given with --cluster"),
        "{said}"
    );

    // Half an image, without the map that would tell.
    fs::write(path("half.img"), &fs::read(&bench.image).unwrap()[..8 * MIB as usize]).unwrap();
    let half = fails(bench.flash(&[&path("half.img"), &bench.card]).arg("--yes"), 3);
    assert!(half.contains("or only the beginning of one"), "{half}");
    fs::write(path("text"), vec![b'x'; 4096]).unwrap();
    succeeds(Command::new("xz").arg("-k").arg(path("text")));
    fails(bench.flash(&[&path("text.xz"), &bench.card]).arg("--yes"), 3);
    assert!(read_at(&bench.card, 0, 4096).starts_with(b"old-data"));

    // A table that a build would not touch, as installers have it: one partition within another.
    let mut hybrid = vec![0; MIB as usize];
    for (entry, start, sectors) in [(446, 0u32, 2048u32), (462, 64, 128)] {
        hybrid[entry + 4] = 0x83;
        hybrid[entry + 8..entry + 12].copy_from_slice(&start.to_le_bytes());
        hybrid[entry + 12..entry + 16].copy_from_slice(&sectors.to_le_bytes());
    }
    hybrid[510..512].copy_from_slice(&[0x55, 0xaa]);
    fs::write(path("hybrid.iso"), &hybrid).unwrap();
    succeeds(bench.flash(&[&path("hybrid.iso"), &bench.card]).arg("--yes"));
    assert!(read_at(&bench.card, 0, 512) == hybrid[..512]);
}
