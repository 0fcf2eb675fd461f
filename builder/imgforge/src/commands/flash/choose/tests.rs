//! What people read and answer before a card is written.

use std::fs;

use super::*;

#[test]
fn another_name_of_the_image_is_the_image() {
    let folder = tempfile::tempdir().unwrap();
    let (image, copy) = (folder.path().join("image"), folder.path().join("copy"));
    fs::write(&image, "x").unwrap();
    fs::hard_link(&image, &copy).unwrap();
    let refused = file(&copy, &image.to_string_lossy()).map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("copy"), "{refused}");
    fs::write(folder.path().join("other"), "x").unwrap();
    assert!(file(&folder.path().join("other"), &image.to_string_lossy()).is_ok());
}

/// A machine in a folder: what the kernel and udev show of it.
struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let lab = Self { folder: tempfile::tempdir().unwrap() };
        lab.write("proc/self/mountinfo", "27 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n");
        lab.write("proc/swaps", "Filename Type Size Used Priority\n");
        lab
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A disk `name` of so many bytes at `place` in the kernel's tree, with what its files have.
    fn disk(&self, name: &str, place: &str, size: u64, attributes: &[(&str, &str)]) {
        let folder = format!("sys/devices/{place}/block/{name}");
        self.block(&folder, name, size, attributes);
        self.link("sys/block", name, &folder);
    }

    /// The partition `number` of it, at `start`.
    fn partition(
        &self,
        disk: &str,
        place: &str,
        number: u32,
        (start, size): (u64, u64),
        holder: Option<&str>,
    ) {
        let name = format!("{disk}{number}");
        let folder = format!("sys/devices/{place}/block/{disk}/{name}");
        let attributes = [("partition", number.to_string()), ("start", (start / 512).to_string())];
        let attributes = attributes.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.block(&folder, &name, size, &attributes);
        holder.iter().for_each(|holder| self.write(&format!("{folder}/holders/{holder}"), ""));
    }

    fn block(&self, folder: &str, name: &str, size: u64, attributes: &[(&str, &str)]) {
        let number = format!("8:{}", name.bytes().map(u32::from).sum::<u32>());
        for (file, value) in
            [("dev", number.as_str()), ("removable", "0"), ("ro", "0"), ("size", &(size / 512).to_string())]
        {
            self.write(&format!("{folder}/{file}"), &format!("{value}\n"));
        }
        attributes
            .iter()
            .for_each(|(file, value)| self.write(&format!("{folder}/{file}"), &format!("{value}\n")));
        self.link("sys/class/block", name, folder);
    }

    fn link(&self, from: &str, name: &str, folder: &str) {
        let from = self.folder.path().join(from);
        fs::create_dir_all(&from).unwrap();
        let up = if from.ends_with("sys/block") { "../../" } else { "../../../" };
        std::os::unix::fs::symlink(format!("{up}{folder}"), from.join(name)).unwrap();
    }

    fn udev(&self, name: &str, record: &str) {
        let number = name.bytes().map(u32::from).sum::<u32>();
        self.write(&format!("run/udev/data/b8:{number}"), record);
    }

    fn removable(&self) -> Vec<BlockDevice> {
        Machine::below(self.folder.path()).removable().unwrap()
    }
}

const USB: &str = "pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:0";
const SLOT: &str = "pci0000:00/0000:02:00.0/mmc_host/mmc0/mmc0:aaaa";
const GB: u64 = 1_000_000_000;

/// A laptop with its own disk, a stick with two partitions, a card in its slot and a reader without one.
fn laptop() -> Lab {
    let lab = Lab::new();
    lab.disk("nvme0n1", "pci0000:00/nvme/nvme0", 512 * GB, &[("device/model", "Samsung SSD 980")]);
    lab.disk(
        "sdb",
        USB,
        31_914_983_424,
        &[("removable", "1"), ("device/vendor", "SanDisk "), ("device/model", "Ultra")],
    );
    lab.partition("sdb", USB, 1, (4 << 20, 512 << 20), None);
    lab.partition("sdb", USB, 2, (516 << 20, 8 << 30), None);
    lab.udev("sdb1", "E:ID_FS_TYPE=vfat\nE:ID_FS_LABEL=bootfs\n");
    lab.udev("sdb2", "E:ID_FS_TYPE=ext4\nE:ID_FS_LABEL=rootfs\n");
    lab.disk("mmcblk0", SLOT, 15_931_539_456, &[("device/type", "SD"), ("device/name", "SC16G")]);
    lab.disk("sdc", &USB.replace("6:0:0:0", "6:0:0:1"), 0, &[("removable", "1")]);
    lab.disk("sr0", "pci0000:00/ata1", 4 * GB, &[("removable", "1")]);
    lab
}

#[test]
fn cards_and_sticks_are_listed_with_what_is_on_them() {
    assert_eq!(
        listing(&laptop().removable()),
        "\
DEVICE        SIZE      MODEL          REACHED BY  ON IT
/dev/mmcblk0  15.93 GB  SC16G          SD card     cannot be read
/dev/sdb      31.91 GB  SanDisk Ultra  USB         vfat `bootfs`, ext4 `rootfs`
"
    );
}

#[test]
fn what_is_on_a_card_is_read_from_it_where_that_may_be() {
    let lab = laptop();
    let image = lab.folder.path().join("image");
    let made = std::process::Command::new("mkfs.fat")
        .args(["-C", "-F", "32", "-n", "OLDBOOT"])
        .arg(&image)
        .arg((64 << 10).to_string())
        .output()
        .unwrap();
    assert!(made.status.success());
    fs::create_dir_all(lab.folder.path().join("dev")).unwrap();
    fs::rename(&image, lab.folder.path().join("dev/mmcblk0")).unwrap();
    assert_eq!(lab.removable()[0].contents, "FAT `OLDBOOT`");
}

/// Who is chosen on the laptop, with this answer; and the question.
fn chosen(lab: &Lab, needed: u64, yes: bool, answer: Option<&str>) -> (Result<PathBuf, Error>, String) {
    let mut asked = String::new();
    let mut ask = |question: &str| {
        asked.push_str(question);
        Ok(answer.map(str::to_owned))
    };
    let chosen = among(lab.removable(), ("k1.img", Some(needed)), yes, &mut ask);
    (chosen.map(|device| device.path), asked)
}

#[test]
fn the_only_card_is_taken_after_a_question() {
    let lab = laptop();
    let (device, asked) = chosen(&lab, 20 * GB, false, Some("y"));
    assert_eq!(device.unwrap(), Path::new("/dev/sdb"), "the other is too small");
    assert_eq!(
        asked,
        "\
DEVICE    SIZE      MODEL          REACHED BY  ON IT
/dev/sdb  31.91 GB  SanDisk Ultra  USB         vfat `bootfs`, ext4 `rootfs`
Everything on /dev/sdb goes, and k1.img takes its place. Write it? [y/N]"
    );
    for answer in ["", "n", "yess", "/dev/sdb"] {
        let (device, _) = chosen(&lab, 20 * GB, false, Some(answer));
        assert!(matches!(device, Err(Error::Refused(Refusal::Declined))), "{answer}");
    }
    let (device, _) = chosen(&lab, 20 * GB, false, None);
    assert!(matches!(device, Err(Error::Refused(Refusal::NoTerminal { .. }))));
    let (device, asked) = chosen(&lab, 20 * GB, true, None);
    assert_eq!((device.unwrap().as_path(), asked.as_str()), (Path::new("/dev/sdb"), ""));
}

#[test]
fn of_several_cards_one_is_named() {
    let lab = laptop();
    let (_, asked) = chosen(&lab, GB, false, Some(""));
    let question = "Everything on the one that you name goes, and k1.img takes its place. \
                    Which one? [/dev/mmcblk0, /dev/sdb, Enter for none]";
    assert_eq!(asked.lines().last(), Some(question));
    for (answer, expected) in [
        ("sdb", Some("/dev/sdb")),
        ("/dev/mmcblk0", Some("/dev/mmcblk0")),
        ("", None),
        ("sd", None),
        ("nvme0n1", None),
    ] {
        let (device, _) = chosen(&lab, GB, false, Some(answer));
        assert_eq!(device.ok().as_deref(), expected.map(Path::new), "{answer}");
    }
    // --yes says that everything may go, not on which.
    let (device, asked) = chosen(&lab, GB, true, Some("y"));
    assert!(matches!(device, Err(Error::Refused(Refusal::Several { .. }))) && asked.is_empty());
}

#[test]
fn cards_that_are_not_taken_are_told_with_the_reason() {
    let lab = laptop();
    lab.write("sys/devices/pci0000:00/0000:02:00.0/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0/ro", "1\n");
    lab.write(
        "proc/self/mountinfo",
        "27 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n40 27 0:60 / /media/ops/rootfs rw - btrfs /dev/sdb2 rw\n",
    );
    let (device, _) = chosen(&lab, GB, false, Some("y"));
    assert_eq!(
        device.unwrap_err().to_string(),
        "there is no card or stick that an image could go onto\
         \n  /dev/mmcblk0 cannot be written: it is read-only\
         \n  /dev/sdb is in use: /dev/sdb2 is mounted at /media/ops/rootfs"
    );
}

#[test]
fn what_is_made_of_a_card_keeps_it_from_being_taken() {
    let lab = laptop();
    lab.partition("sdb", USB, 3, (9 << 30, 1 << 30), Some("dm-0"));
    lab.block("sys/devices/virtual/block/dm-0", "dm-0", 1 << 30, &[]);
    lab.write("sys/devices/virtual/block/dm-0/holders/dm-1", "");
    lab.block("sys/devices/virtual/block/dm-1", "dm-1", 1 << 30, &[]);
    let (device, _) = chosen(&lab, 20 * GB, true, None);
    assert!(device.unwrap_err().to_string().ends_with("/dev/sdb is in use: /dev/dm-0 is made of /dev/sdb3"));
    // The root file system in a volume of an encrypted disk.
    lab.write("proc/self/mountinfo", "27 1 8:442 / / rw - ext4 /dev/mapper/root rw\n");
    lab.write("sys/class/block/dm-1/dev", "8:442\n");
    let (device, _) = chosen(&lab, 20 * GB, true, None);
    let error = device.unwrap_err().to_string();
    assert!(
        error.ends_with("/dev/sdb is a disk of this machine itself: /dev/dm-1 is mounted at /"),
        "{error}"
    );
    lab.write("proc/self/mountinfo", "");
    lab.write("proc/swaps", "Filename Type Size Used Priority\n/dev/sdb1 partition 1 0 -2\n");
    let (device, _) = chosen(&lab, 20 * GB, true, None);
    assert!(device.unwrap_err().to_string().ends_with("/dev/sdb is in use: /dev/sdb1 is swap space"));
}

#[test]
fn a_forced_device_is_the_one_that_is_named() {
    let forced = |device: Option<&str>, forced: &str| {
        let wish = Wish { device: device.map(Path::new), forced: Some(Path::new(forced)), yes: true };
        named(wish).map(|path| path.map(Path::to_owned))
    };
    assert_eq!(forced(None, "/dev/sda").unwrap().unwrap(), Path::new("/dev/sda"));
    assert_eq!(forced(Some("/dev/sda"), "/dev/sda").unwrap().unwrap(), Path::new("/dev/sda"));
    let error = forced(Some("/dev/sdb"), "/dev/sda").unwrap_err();
    assert_eq!(error.to_string(), "--force-device names /dev/sda, and the image would go onto /dev/sdb");
}
