//! What goes wrong while a card is written: it is left without a partition table, and says so.

use std::{
    fs::{self, OpenOptions},
    io::{BufRead, BufReader},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::bench::{Bench, MIB, as_its_map_says, halted, last_of_map, signal, wait_until};
use imgforge_tests::{LoopDevice, fails, has_no_table, is_root, map_of, succeeds, used_card};

#[test]
fn an_interrupted_card_has_no_table_says_so_and_is_flashed_again() {
    let bench = Bench::new(128 * MIB, 128 * MIB);
    for name in ["INT", "TERM", "KILL"] {
        used_card(&bench.card, 128 * MIB);
        let child = halted(&mut bench.flashed(), &bench.card);
        signal(&child, name);
        signal(&child, "CONT");
        let output = child.wait_with_output().unwrap();
        assert!(!output.status.success(), "{name}");
        assert!(has_no_table(&bench.card), "{name}");
        let said = bench.plain(&String::from_utf8(output.stderr).unwrap());
        let told = "~/card is unfinished: it has no partition table, so nothing boots from it by half: flash it again\n";
        assert_eq!(said.ends_with(told), name != "KILL", "{said}");
        succeeds(&mut bench.flashed());
        as_its_map_says(&bench.card, &fs::read(format!("{}.bmap", bench.image.display())).unwrap());
    }
}

#[test]
fn a_card_that_reads_back_other_bytes_is_found_out() {
    let bench = Bench::new(128 * MIB, 128 * MIB);
    let mut child = bench.flashed().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    while !said.contains("reading back") {
        assert!(lines.read_line(&mut said).unwrap() > 0, "{said}");
    }
    // A page in the last range that the map has goes bad now.
    let last = last_of_map(&bench.image);
    OpenOptions::new().write(true).open(&bench.card).unwrap().write_all_at(&[0xA5; 4096], last).unwrap();
    std::io::Read::read_to_string(&mut lines, &mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4), "{said}");
    let said = bench.plain(&said);
    let told = "error: ~/card is unfinished: it has no partition table, so nothing boots from it by half\n  \
                caused by: ~/card does not read back what was written to it, at the bytes ";
    assert!(said.contains(told), "{said}");
    assert!(has_no_table(&bench.card));
}

#[test]
fn an_image_that_was_altered_after_its_map_is_not_finished() {
    let bench = Bench::new(64 * MIB, 64 * MIB);
    let last = last_of_map(&bench.image);
    OpenOptions::new().write(true).open(&bench.image).unwrap().write_all_at(b"altered", last).unwrap();
    let said = bench.plain(&fails(&mut bench.flashed(), 3));
    let told = "error: ~/card is unfinished: it has no partition table, so nothing boots from it by half\n  \
                caused by: the bytes ";
    assert!(said.contains(told), "{said}");
    let told = " of ~/k1.img are not those that its block map was made of\n\
                hint: get or build the image again, with its map; without the map beside it, all of the image is written\n";
    assert!(said.ends_with(told), "{said}");
    assert!(has_no_table(&bench.card));
    // With a map of its own it goes through.
    map_of(&bench.image);
    succeeds(&mut bench.flashed());
    assert!(!has_no_table(&bench.card));

    let map = PathBuf::from(format!("{}.bmap", bench.image.display()));
    let text = fs::read_to_string(&map).unwrap().replacen("<Range chksum=\"", "<Range chksum=\"0", 1);
    fs::write(&map, text).unwrap();
    let said = bench.plain(&fails(&mut bench.flashed(), 3));
    assert!(
        said.starts_with("error: ~/k1.img.bmap was changed: it has not the checksum that it names\n"),
        "{said}"
    );
}

/// A card whose server is at our mercy: nbdkit behind nbdfuse.
struct Mercy {
    server: Child,
    mount: PathBuf,
    folder: PathBuf,
}

impl Mercy {
    /// One over the file `card`; writes fail as soon as there is a file `trigger`.
    fn over(card: &Path) -> Option<Self> {
        let may = is_root() && Path::new("/dev/fuse").exists();
        if !may {
            eprintln!("not tried: a card at our mercy needs root and /dev/fuse");
            return None;
        }
        let folder = card.parent().unwrap().to_owned();
        let mount = folder.join("mercy");
        fs::write(&mount, "").unwrap();
        let server = Command::new("nbdfuse")
            .arg(&mount)
            .args(["--command", "nbdkit", "-s", "--exit-with-parent", "--filter=error", "file"])
            .arg(card)
            .args(["error-pwrite=EIO", "error-pwrite-rate=100%"])
            .arg(format!("error-pwrite-file={}", folder.join("trigger").display()))
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("nbdfuse: {error}: install the package libnbd-bin"));
        let size = fs::metadata(card).unwrap().len();
        wait_until("nbdfuse does not come up", || {
            fs::metadata(&mount).is_ok_and(|found| found.len() == size)
        });
        Some(Self { server, mount, folder })
    }
}

impl Drop for Mercy {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = Command::new("umount").arg("--lazy").arg(&self.mount).status();
    }
}

#[test]
fn a_device_that_fails_while_it_is_written_is_left_without_a_table() {
    let bench = Bench::new(128 * MIB, 128 * MIB);
    let Some(mercy) = Mercy::over(&bench.card) else { return };
    let Some(device) = LoopDevice::over(&mercy.mount, &[]) else { return };
    let child = halted(&mut bench.forced(device.path()), device.path());
    fs::write(mercy.folder.join("trigger"), "").unwrap();
    signal(&child, "CONT");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    let path = device.path().display();
    let told = format!(
        "error: {path} is unfinished: it has no partition table, so nothing boots from it by half\n  \
         caused by: cannot write to {path}\n  caused by: Input/output error (os error 5)\n\
         hint: flash it again; if that fails, too, try another card or another reader\n"
    );
    assert!(said.ends_with(&told), "{said}");
    assert!(has_no_table(&bench.card));
    fs::remove_file(mercy.folder.join("trigger")).unwrap();
    succeeds(&mut bench.forced(device.path()));
    assert!(!has_no_table(&bench.card));
}

#[test]
fn a_device_that_vanishes_while_it_is_written_is_left_without_a_table() {
    let bench = Bench::new(128 * MIB, 128 * MIB);
    let Some(mut mercy) = Mercy::over(&bench.card) else { return };
    let Some(device) = LoopDevice::over(&mercy.mount, &[]) else { return };
    let child = halted(&mut bench.forced(device.path()), device.path());
    mercy.server.kill().unwrap();
    signal(&child, "CONT");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("is unfinished: it has no partition table"), "{said}");
    assert!(has_no_table(&bench.card));
}
