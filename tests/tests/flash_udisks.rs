//! Cards of whoever is not root: a real bus, and on it a stand-in for UDisks (`tests/udisks`).

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use imgforge_tests::{Home, LoopDevice, card_image, fails, has_no_table, repository, succeeds, used_card};

const MIB: u64 = 1 << 20;

/// A bus as the system's is, with a service on it.
struct Bus {
    address: String,
    programs: Vec<Child>,
}

impl Bus {
    /// One in `folder`, with a UDisks that `does` what it is asked for, or not.
    fn new(folder: &Path, does: &str) -> Self {
        let socket = folder.join(format!("bus-{does}"));
        let config = folder.join("bus.conf");
        let text = format!(
            "<busconfig><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
             <policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/><allow send_destination=\"*\"/>\
             <allow receive_sender=\"*\"/></policy></busconfig>",
            socket.display()
        );
        fs::write(&config, text).unwrap();
        let mut daemon = Command::new("dbus-daemon");
        daemon.args(["--nofork", "--nopidfile", "--nosyslog", "--print-address"]);
        daemon.arg(format!("--config-file={}", config.display()));
        let daemon = started(&mut daemon, "dbus-daemon");
        let address = format!("unix:path={}", socket.display());
        let mut udisks = Command::new(repository().join("tests/udisks/stand-in"));
        let udisks = started(udisks.args([&address, does]), "python3-jeepney");
        Self { address, programs: vec![udisks, daemon] }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        for program in &mut self.programs {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}

/// `command`, once it has printed its first line; `package` is the one that it needs.
fn started(command: &mut Command, package: &str) -> Child {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: install the package {package}"));
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "{command:?} does not come up: is the package {package} installed?");
    child
}

/// A home with an image, and a loop device that only root may open.
struct Bench {
    home: Home,
    image: PathBuf,
    card: PathBuf,
    device: LoopDevice,
}

impl Bench {
    fn new() -> Option<Self> {
        let home = Home::new();
        let (image, card) = (home.path().join("k1.img"), home.path().join("card"));
        card_image(&image, 16 * MIB);
        used_card(&card, 16 * MIB);
        succeeds(Command::new("chmod").args(["-R", "a+rX"]).arg(home.path()));
        let device = LoopDevice::over(&card, &[])?;
        Some(Self { home, image, card, device })
    }

    /// The image onto the device, by the user nobody, with this bus.
    fn by_nobody(&self, bus: &str) -> Command {
        let program = self.home.imgforge();
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program.get_program());
        command.arg("flash").args([&self.image, self.device.path()]).arg("--yes");
        command.arg("--force-device").arg(self.device.path()).env("DBUS_SYSTEM_BUS_ADDRESS", bus);
        command
    }
}

#[test]
fn udisks_opens_the_card_for_a_plain_user() {
    let Some(bench) = Bench::new() else { return };
    let bus = Bus::new(bench.home.path(), "open");
    succeeds(&mut bench.by_nobody(&bus.address));
    let mut compare = Command::new("bmaptool");
    compare.arg("copy").arg("--bmap").arg(format!("{}.bmap", bench.image.display()));
    succeeds(compare.arg(&bench.card).arg(bench.home.path().join("copy")));
    assert!(!has_no_table(&bench.card));
}

#[test]
fn what_udisks_does_not_do_is_told_with_its_reason_and_the_command_for_root() {
    let Some(bench) = Bench::new() else { return };
    let device = bench.device.path().display().to_string();
    let image = bench.image.display().to_string();
    let expected = |reason: &str| {
        format!(
            "error: {device} can be written by root only{reason}\n\
             hint: `sudo imgforge flash {image} {device} --force-device {device}`\n"
        )
    };
    let refusing = Bus::new(bench.home.path(), "refuse");
    let said = fails(&mut bench.by_nobody(&refusing.address), 4);
    assert_eq!(said, expected(", and UDisks does not open it: Not authorized to perform operation"));
    // A device in use is one for UDisks as well.
    let opening = Bus::new(bench.home.path(), "open");
    let mut holder = Command::new("python3");
    holder.args([
        "-c",
        "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL); print(1, flush=True); sys.stdin.read()",
    ]);
    let mut holder = started(holder.arg(&device).stdin(Stdio::piped()), "python3");
    let said = fails(&mut bench.by_nobody(&opening.address), 4);
    let reason =
        format!(", and UDisks does not open it: Error opening device {device}: Device or resource busy");
    assert_eq!(said, expected(&reason));
    drop(holder.stdin.take());
    holder.wait().unwrap();
    // Where there is no bus there is no UDisks.
    assert_eq!(fails(&mut bench.by_nobody("unix:path=/nonexistent"), 4), expected(""));
}
