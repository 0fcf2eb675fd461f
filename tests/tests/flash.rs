//! Images onto cards: files that stand for one, and loop devices where the test is root.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    fs::{self, OpenOptions},
    io::{BufRead, BufReader},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use imgforge_tests::{
    Home, LoopDevice, Workbench, card_image, fails, has_no_table, is_root, map_of, read_at, same, succeeds,
    used_card,
};

const MIB: u64 = 1 << 20;
/// What is zeroed at the end of a card.
const LAST: u64 = 4 * MIB;

/// A home with an image and a card that was used before.
struct Bench {
    home: Home,
    image: PathBuf,
    card: PathBuf,
}

impl Bench {
    /// An image of so many bytes, and a card of so many.
    fn new(image_size: u64, card_size: u64) -> Self {
        let home = Home::new();
        let (image, card) = (home.path().join("k1.img"), home.path().join("card"));
        card_image(&image, image_size);
        used_card(&card, card_size);
        Self { home, image, card }
    }

    /// `imgforge flash` with these words.
    fn flash(&self, words: &[&Path]) -> Command {
        let mut command = self.home.imgforge();
        command.arg("flash").args(words);
        command
    }

    /// The image onto the card, without a question.
    fn flashed(&self) -> Command {
        self.flash(&[&self.image, &self.card, Path::new("--yes")])
    }

    /// The image onto `device`, which no program takes for a card by itself.
    fn forced(&self, device: &Path) -> Command {
        let mut command = self.flash(&[&self.image, device, Path::new("--yes")]);
        command.arg("--force-device").arg(device);
        command
    }

    /// The same text for every home.
    fn plain(&self, said: &str) -> String {
        said.replace(&self.home.path().display().to_string(), "~")
    }

    fn loop_device(&self, options: &[&str]) -> Option<LoopDevice> {
        LoopDevice::over(&self.card, options)
    }
}

/// Waits until `is_so`.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Starts `command` and halts it as soon as it has begun with `card`.
fn halted(command: &mut Command, card: &Path) -> Child {
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the flash does not begin", || has_no_table(card));
    signal(&child, "STOP");
    child
}

fn signal(child: &Child, name: &str) {
    succeeds(Command::new("kill").args(["-s", name, &child.id().to_string()]));
}

#[test]
fn a_file_has_the_image_byte_for_byte() {
    let bench = Bench::new(64 * MIB, 64 * MIB);
    fs::write(&bench.card, vec![0; 64 * MIB as usize]).unwrap();
    let output = succeeds(&mut bench.flashed());
    same(&bench.image, &bench.card, &[""]);
    let said = String::from_utf8(output.stdout).unwrap();
    let said = bench.plain(&said);
    assert!(
        said.starts_with("~/card: ~/k1.img, ") && said.ends_with(" MB written and read back\n"),
        "{said}"
    );
    let said = bench.plain(&String::from_utf8(output.stderr).unwrap());
    assert_eq!(said, "writing ~/card\nreading back ~/card\n");
}

#[test]
fn compressed_images_are_decoded_on_the_way_by_their_maps_or_whole() {
    let bench = Bench::new(32 * MIB, 32 * MIB);
    for (program, ending) in [("xz", "xz"), ("zstd", "zst"), ("gzip", "gz")] {
        let packed = PathBuf::from(format!("{}.{ending}", bench.image.display()));
        let mut pack = Command::new("sh");
        pack.args(["-c", &format!("{program} -1 -c \"$0\" > \"$1\"")]).args([&bench.image, &packed]);
        succeeds(&mut pack);
        let map = PathBuf::from(format!("{}.bmap", bench.image.display()));
        // As bmaptool finds it, beside the compressed file under the image's name; then under its own; then none.
        for map_of_packed in [Some(map.clone()), Some(format!("{}.bmap", packed.display()).into()), None] {
            let kept = fs::read(&map).unwrap();
            fs::remove_file(&map).unwrap();
            map_of_packed.iter().for_each(|path| fs::write(path, &kept).unwrap());
            used_card(&bench.card, 32 * MIB);
            succeeds(&mut bench.flash(&[&packed, &bench.card, Path::new("--yes")]));
            // Without a map, zeros are written as well; with one, what it leaves out stays as it was.
            let is_same = Command::new("cmp").arg("-s").args([&bench.image, &bench.card]).status().unwrap();
            assert_eq!(is_same.success(), map_of_packed.is_none(), "{program} {map_of_packed:?}");
            as_its_map_says(&bench.card, &kept);
            map_of_packed.iter().for_each(|path| fs::remove_file(path).unwrap());
            fs::write(&map, &kept).unwrap();
        }
    }
}

/// bmaptool, which checks every digest of `map` as it reads, takes `card` for an image that the map is of.
fn as_its_map_says(card: &Path, map: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map");
    fs::write(&path, map).unwrap();
    let mut copy = Command::new("bmaptool");
    succeeds(copy.arg("copy").arg("--bmap").arg(path).arg(card).arg(folder.path().join("copy")));
}

#[test]
fn a_build_ends_with_the_command_that_puts_its_image_onto_a_card() {
    let bench = Workbench::new();
    let path = |name: &str| bench.home.path().join(name);
    for name in ["k1.img", "k1.img.zst"] {
        let (image, mut build) = bench.build("rk3328", "base", name);
        let said = String::from_utf8(succeeds(&mut build).stderr).unwrap();
        let next = format!("onto a card: `imgforge flash {}`", image.display());
        assert_eq!(said.lines().last(), Some(next.as_str()));
        let (card, theirs) = (path("card"), path("theirs"));
        let _ = fs::remove_file(&theirs);
        succeeds(Command::new("bmaptool").arg("copy").args([&image, &theirs]));
        let size = fs::metadata(&theirs).unwrap().len();
        fs::File::create(&card).unwrap().set_len(size).unwrap();
        succeeds(bench.imgforge().arg("flash").args([&image, &card]).arg("--yes"));
        same(&card, &theirs, &[""]);
    }
}

#[test]
fn a_device_has_what_bmaptool_writes_and_no_trace_of_an_older_use_at_its_end() {
    let bench = Bench::new(64 * MIB, 96 * MIB);
    let other = bench.home.path().join("other");
    fs::copy(&bench.card, &other).unwrap();
    let (Some(device), Some(theirs)) = (bench.loop_device(&[]), LoopDevice::over(&other, &[])) else {
        return;
    };
    succeeds(&mut bench.forced(device.path()));
    succeeds(Command::new("bmaptool").arg("copy").arg(&bench.image).arg(theirs.path()));
    drop((device, theirs));
    let beginning = |path: &Path| read_at(path, 0, 96 * MIB - LAST);
    assert!(beginning(&bench.card) == beginning(&other));
    assert!(read_at(&bench.card, 96 * MIB - LAST, LAST).iter().all(|byte| *byte == 0));
    assert!(
        read_at(&other, 96 * MIB - LAST, LAST).iter().all(|byte| *byte != 0),
        "bmaptool leaves the end as it is"
    );
}

#[test]
fn the_backup_of_an_old_gpt_goes() {
    let bench = Bench::new(64 * MIB, 96 * MIB);
    succeeds(Command::new("sgdisk").args(["--clear", "--new=1:0:0"]).arg(&bench.card));
    succeeds(&mut bench.flashed());
    // The table is the image's, and sgdisk finds no GPT that could be mended from its backup.
    let said = succeeds(Command::new("sgdisk").arg("--verify").arg(&bench.card));
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("Invalid partition data") || said.contains("No problems found"), "{said}");
    let table = succeeds(Command::new("sfdisk").arg("--dump").arg(&bench.card));
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("label: dos"), "{table}");
    let marks = succeeds(Command::new("wipefs").arg("--parsable").arg(&bench.card));
    let marks = String::from_utf8_lossy(&marks.stdout).into_owned();
    assert!(!marks.contains("gpt"), "{marks}");
}

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
        let output = script.env("HOME", bench.home.path()).output().unwrap();
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
    let said = fails(&mut bench.flash(&[Path::new("k8s-worker-2"), &bench.card]), 4);
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

/// The last block that the map beside `image` has, in bytes.
fn last_of_map(image: &Path) -> u64 {
    let map = fs::read_to_string(format!("{}.bmap", image.display())).unwrap();
    let blocks = map.lines().rfind(|line| line.contains("<Range")).unwrap();
    let blocks = blocks.split_once('>').unwrap().1.split_once('<').unwrap().0.trim();
    let last: u64 = blocks.rsplit('-').next().unwrap().parse().unwrap();
    last * 4096
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
