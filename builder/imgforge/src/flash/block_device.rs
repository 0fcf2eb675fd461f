//! A disk of this machine, and whether an image may go onto it.

use std::path::{Path, PathBuf};

use super::{error::Refusal, kernel::Transport};

/// A whole disk.
#[derive(Debug, Clone)]
pub(crate) struct BlockDevice {
    /// Where it is opened, `/dev/sdb`.
    pub path: PathBuf,
    /// Its number, `major:minor`.
    pub(super) number: String,
    /// The kernel's count of the disks and cards that it has seen, where it counts: another card has another number.
    pub(super) sequence: Option<String>,
    /// Its size in bytes; 0 if there is no card in the reader.
    pub size: u64,
    /// What it calls itself; empty if it says nothing.
    pub model: String,
    /// How it is reached.
    pub transport: Transport,
    /// Whether it, or what is in it, can be taken out.
    pub is_removable: bool,
    /// Whether it cannot be written: a card whose lock is on.
    pub(super) is_read_only: bool,
    /// Bytes that it reads and writes at once.
    pub(super) sector: u64,
    /// Its partitions as the kernel knows them.
    pub partitions: Vec<Partition>,
    /// What makes use of it or of a part of it.
    pub(super) uses: Vec<Use>,
    /// What is on it, in words.
    pub contents: String,
}

/// A partition of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Partition {
    /// Where it is opened, `/dev/sdb1`.
    pub path: PathBuf,
    /// Its number, `major:minor`.
    pub(super) number: String,
    /// Its first byte on the disk.
    pub(super) start: u64,
    /// Its size in bytes.
    pub(super) size: u64,
}

/// Something that makes use of a disk or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Use {
    /// It is mounted, or what is made of it is.
    Mount {
        /// The device that is mounted.
        part: PathBuf,
        /// Where.
        point: String,
    },
    /// It is swap space.
    Swap {
        /// The device.
        part: PathBuf,
    },
    /// A RAID, a volume of LVM or an opened encryption is made of it.
    Holder {
        /// The device that is held.
        part: PathBuf,
        /// Who holds it.
        holder: PathBuf,
    },
}

/// Where a running machine mounts what it cannot be without.
const OF_THE_SYSTEM: [&str; 9] =
    ["/", "/boot", "/boot/efi", "/boot/firmware", "/efi", "/home", "/nix", "/usr", "/var"];

impl BlockDevice {
    /// Why an image must not go onto it, if it must not; `forced` names the one device that need not be removable.
    pub(crate) fn refusal(&self, forced: Option<&Path>) -> Option<Refusal> {
        let path = || self.path.clone();
        if self.size == 0 {
            return Some(Refusal::NoMedium { path: path() });
        }
        if let Some(refusal) = self.refusal_by_use() {
            return Some(refusal);
        }
        if self.is_read_only {
            return Some(Refusal::ReadOnly { path: path() });
        }
        if self.sector > imgforge_disk::partition::SECTOR {
            return Some(Refusal::Sectors { path: path(), sector: self.sector });
        }
        (!self.is_removable && forced != Some(self.path.as_path()))
            .then(|| Refusal::NotRemovable { path: path(), model: self.model.clone() })
    }

    /// The same, for what of the machine uses it: first what it cannot be without.
    fn refusal_by_use(&self) -> Option<Refusal> {
        let path = || self.path.clone();
        let is_system = |using: &&Use| matches!(using, Use::Mount { point, .. } if OF_THE_SYSTEM.contains(&point.as_str()));
        let first = self.uses.iter().find(is_system).or_else(|| self.uses.first())?;
        Some(match first.clone() {
            Use::Mount { part, point } if is_system(&first) => Refusal::System { path: path(), part, point },
            Use::Mount { part, point } => Refusal::Mounted { path: path(), part, point },
            Use::Swap { part } => Refusal::Swap { path: path(), part },
            Use::Holder { part, holder } => Refusal::Held { path: path(), part, holder },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> BlockDevice {
        BlockDevice {
            path: "/dev/sdb".into(),
            number: "8:16".into(),
            sequence: None,
            size: 32_000_000_000,
            model: "SanDisk Ultra".into(),
            transport: Transport::Usb,
            is_removable: true,
            is_read_only: false,
            sector: 512,
            partitions: Vec::new(),
            uses: Vec::new(),
            contents: String::new(),
        }
    }

    fn mount(point: &str) -> Use {
        Use::Mount { part: "/dev/sdb1".into(), point: point.into() }
    }

    #[test]
    fn a_card_that_nobody_uses_is_taken() {
        assert!(card().refusal(None).is_none());
    }

    #[test]
    fn what_is_not_removable_is_taken_under_its_own_name_only() {
        let disk = BlockDevice { is_removable: false, ..card() };
        for forced in [None, Some("/dev/sda"), Some("sdb"), Some("/dev/sdb1")] {
            let refusal = disk.refusal(forced.map(Path::new));
            assert!(matches!(refusal, Some(Refusal::NotRemovable { .. })), "{forced:?}");
        }
        assert!(disk.refusal(Some(Path::new("/dev/sdb"))).is_none());
    }

    #[test]
    fn force_overrules_nothing_else() {
        let forced = Some(Path::new("/dev/sdb"));
        let held = Use::Holder { part: "/dev/sdb2".into(), holder: "/dev/md0".into() };
        let using = |uses: &[Use]| BlockDevice { uses: uses.to_vec(), ..card() };
        let cases = [
            (BlockDevice { size: 0, ..card() }, "there is no card in /dev/sdb"),
            (BlockDevice { is_read_only: true, ..card() }, "/dev/sdb cannot be written: it is read-only"),
            (
                BlockDevice { sector: 4096, ..card() },
                "/dev/sdb has sectors of 4096 bytes, and the image is for sectors of 512",
            ),
            (using(&[mount("/media/x")]), "/dev/sdb is in use: /dev/sdb1 is mounted at /media/x"),
            (
                using(&[mount("/media/x"), mount("/boot/firmware")]),
                "/dev/sdb is a disk of this machine itself: /dev/sdb1 is mounted at /boot/firmware",
            ),
            (
                using(&[Use::Swap { part: "/dev/sdb3".into() }, mount("/")]),
                "/dev/sdb is a disk of this machine itself: /dev/sdb1 is mounted at /",
            ),
            (using(&[Use::Swap { part: "/dev/sdb3".into() }]), "/dev/sdb is in use: /dev/sdb3 is swap space"),
            (using(&[held]), "/dev/sdb is in use: /dev/md0 is made of /dev/sdb2"),
        ];
        for (device, expected) in cases {
            assert_eq!(device.refusal(forced).unwrap().to_string(), expected);
        }
    }
}
