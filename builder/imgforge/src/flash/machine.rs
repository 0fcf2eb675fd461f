//! The disks of this machine, read from what the kernel shows below `/sys`, `/proc` and `/dev`, and what udev knows of them.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::fs::{FileExt, FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use imgforge_disk::{
    partition::SECTOR,
    probe::{self, Contents},
};

use super::{
    block_device::{BlockDevice, Partition, Use},
    error::{Error, Refusal},
    kernel::{self, Mount, Transport, udev_property},
    label::label,
    system,
};

/// Partitions that are told one by one.
const TOLD: usize = 4;
/// What is made of a disk may itself be a part of something, so often at most.
const DEEPEST: usize = 8;

/// A machine: this one, or what lies in a folder as on this one.
#[derive(Debug)]
pub(crate) struct Machine {
    root: PathBuf,
}

/// Who uses what.
struct Uses {
    mounts: Vec<Mount>,
    swaps: Vec<String>,
}

impl Machine {
    /// This machine.
    pub(crate) fn this() -> Self {
        Self { root: "/".into() }
    }

    /// Its disks that can be taken out and that have something in them, by name.
    pub(crate) fn removable(&self) -> Result<Vec<BlockDevice>, Error> {
        let failed = |source| Error::Look { path: self.path("sys/block"), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path("sys/block")).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        let uses = self.uses()?;
        // Optical drives are removable, too.
        let disks = names.iter().filter(|name| !name.starts_with("sr"));
        let devices = disks.filter_map(|name| self.device(name, &uses));
        Ok(devices.filter(|device| device.is_removable && device.size > 0).collect())
    }

    /// The disk that `path` names, itself or by a link to it.
    pub(crate) fn find(&self, path: &Path) -> Result<BlockDevice, Error> {
        let missing = || Refusal::Missing { path: path.to_owned() };
        let found = fs::canonicalize(path).map_err(|_| missing())?;
        let metadata = fs::metadata(&found).map_err(|_| missing())?;
        if !metadata.file_type().is_block_device() {
            return Err(Refusal::NoDevice { path: path.to_owned() }.into());
        }
        let number = system::number(metadata.rdev());
        // What is no disk of its own is a partition, whose folder lies in that of its disk.
        let place = fs::canonicalize(self.path("sys/dev/block").join(number)).map_err(|_| missing())?;
        let name = |place: &Path| place.file_name().map(|name| name.to_string_lossy().into_owned());
        if place.join("partition").exists() {
            let disk = place.parent().and_then(name).map(|name| node(&name)).ok_or_else(missing)?;
            return Err(Refusal::Partition { path: path.to_owned(), disk }.into());
        }
        let name = name(&place).ok_or_else(missing)?;
        Ok(self.device(&name, &self.uses()?).ok_or_else(missing)?)
    }

    /// What lies in `root` as on a machine.
    #[cfg(test)]
    pub(crate) fn below(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    fn uses(&self) -> Result<Uses, Error> {
        let read = |path: &str| {
            let path = self.path(path);
            fs::read_to_string(&path).map_err(|source| Error::Look { path, source })
        };
        // A kernel without swap space has no such file.
        let swaps = read("proc/swaps").unwrap_or_default();
        Ok(Uses { mounts: kernel::mounts(&read("proc/self/mountinfo")?), swaps: kernel::swaps(&swaps) })
    }

    /// The disk `name`; nothing if it went away meanwhile.
    fn device(&self, name: &str, uses: &Uses) -> Option<BlockDevice> {
        let folder = self.path("sys/block").join(name);
        let number = attribute(&folder, "dev")?;
        let link = fs::read_link(&folder).unwrap_or_default();
        let kind = attribute(&folder, "device/type");
        let transport = Transport::of(&link.to_string_lossy(), kind.as_deref());
        let partitions = self.partitions(&folder);
        let mut device = BlockDevice {
            path: node(name),
            number,
            sequence: attribute(&folder, "diskseq"),
            size: sectors(&folder, "size")?,
            model: model(&folder),
            transport,
            is_removable: attribute(&folder, "removable")? == "1" || transport.is_pluggable(),
            is_read_only: attribute(&folder, "ro")? == "1",
            sector: attribute(&folder, "queue/logical_block_size")
                .and_then(|size| size.parse().ok())
                .unwrap_or(SECTOR),
            uses: self.uses_of(name, &partitions, uses),
            partitions,
            contents: String::new(),
        };
        device.contents = self.contents(&device);
        Some(device)
    }

    fn partitions(&self, disk: &Path) -> Vec<Partition> {
        let mut partitions = Vec::new();
        for entry in fs::read_dir(disk).into_iter().flatten().flatten() {
            let folder = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let partition = || {
                attribute(&folder, "partition")?;
                let (start, size) = (sectors(&folder, "start")?, sectors(&folder, "size")?);
                Some(Partition { path: node(&name), number: attribute(&folder, "dev")?, start, size })
            };
            partitions.extend(partition());
        }
        partitions.sort_by_key(|partition| partition.start);
        partitions
    }

    /// What uses the disk `name`, its `partitions`, and what is made of them.
    fn uses_of(&self, name: &str, partitions: &[Partition], uses: &Uses) -> Vec<Use> {
        let file_name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let parts = partitions.iter().filter_map(|partition| file_name(&partition.path));
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut level: Vec<String> = [name.to_owned()].into_iter().chain(parts).collect();
        for _ in 0..DEEPEST {
            let mut above = Vec::new();
            for name in level.into_iter().filter(|name| seen.insert(name.clone())) {
                let folder = self.path("sys/class/block").join(&name);
                let part = node(&name);
                let number = attribute(&folder, "dev").unwrap_or_default();
                let is_part = |text: &str| Path::new(text) == part;
                let mounted =
                    uses.mounts.iter().filter(|mount| mount.number == number || is_part(&mount.source));
                found.extend(
                    mounted.map(|mount| Use::Mount { part: part.clone(), point: mount.point.clone() }),
                );
                if uses.swaps.iter().any(|swap| is_part(swap)) {
                    found.push(Use::Swap { part: part.clone() });
                }
                for holder in fs::read_dir(folder.join("holders")).into_iter().flatten().flatten() {
                    let holder = holder.file_name().to_string_lossy().into_owned();
                    found.push(Use::Holder { part: part.clone(), holder: node(&holder) });
                    above.push(holder);
                }
            }
            level = above;
        }
        found
    }

    /// What is on `device`, in words: by its own bytes if they may be read, else by what udev has seen.
    fn contents(&self, device: &BlockDevice) -> String {
        if device.size == 0 {
            return "no card".into();
        }
        let bytes = File::open(self.path(device.path.strip_prefix("/").unwrap_or(&device.path))).ok();
        let of = |range: (u64, u64), number: &str| match &bytes {
            Some(bytes) => probed(bytes, range).ok(),
            None => self.seen(number),
        };
        if device.partitions.is_empty() {
            return of((0, device.size), &device.number).unwrap_or_else(|| "cannot be read".into());
        }
        let words = |partition: &Partition| {
            of((partition.start, partition.size), &partition.number).unwrap_or_else(|| UNKNOWN.into())
        };
        let mut told: Vec<String> = device.partitions.iter().take(TOLD).map(words).collect();
        let more = device.partitions.len().saturating_sub(TOLD);
        told.extend((more > 0).then(|| format!("{more} more")));
        told.join(", ")
    }

    /// What udev has found on the device `number`.
    fn seen(&self, number: &str) -> Option<String> {
        let record = fs::read_to_string(self.path("run/udev/data").join(format!("b{number}"))).ok()?;
        let kind = udev_property(&record, "ID_FS_TYPE").or(udev_property(&record, "ID_PART_TABLE_TYPE"))?;
        Some(named(kind, udev_property(&record, "ID_FS_LABEL")))
    }
}

const UNKNOWN: &str = "nothing that is known";

/// What begins at `start` of `disk` and has `size` bytes.
fn probed(disk: &File, (start, size): (u64, u64)) -> io::Result<String> {
    let mut bytes = vec![0; size.min(probe::LENGTH as u64) as usize];
    disk.read_exact_at(&mut bytes, start)?;
    Ok(match probe::probe(&bytes) {
        None => UNKNOWN.into(),
        Some(Contents::Zeros) => "empty".into(),
        Some(contents) => named(contents.name(), label(contents, &bytes).as_deref()),
    })
}

fn named(kind: &str, label: Option<&str>) -> String {
    label.map_or_else(|| kind.to_owned(), |label| format!("{kind} `{label}`"))
}

/// Where the device that the kernel calls `name` is opened.
fn node(name: &str) -> PathBuf {
    Path::new("/dev").join(name.replace('!', "/"))
}

fn attribute(folder: &Path, name: &str) -> Option<String> {
    fs::read_to_string(folder.join(name)).ok().map(|text| text.trim().to_owned())
}

/// A number of sectors of 512 bytes, whatever the disk has; in bytes.
fn sectors(folder: &Path, name: &str) -> Option<u64> {
    attribute(folder, name)?.parse::<u64>().ok()?.checked_mul(SECTOR)
}

/// What the disk calls itself: vendor and model of a SCSI disk, the model of others, the name of a card.
fn model(folder: &Path) -> String {
    let words = ["device/vendor", "device/model", "device/name"].map(|name| attribute(folder, name));
    let words: Vec<String> = words.into_iter().flatten().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}
