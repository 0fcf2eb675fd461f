//! The FAT boot partition: checked before it is touched, edited with fatfs, left as `fsck.fat` wants it.
//!
//! fatfs 0.3.6 has two faults that damage volumes: a directory that grows does not clear its new cluster, and a new
//! directory gets long names for its dot entries. So free clusters are cleared before fatfs may take them, and new
//! directories are repaired afterwards.

mod boot_sector;
mod clock;
mod directory;
mod table;
mod volume;

use std::io::{self, Read, Seek, SeekFrom, Write};

use fatfs::{FileSystem, FsOptions};
use imgforge_ext4::Device;

use self::{boot_sector::Root, clock::Epoch, volume::Volume};
use crate::{
    disk::Disk,
    error::{Error, Result},
    window::Window,
};

/// The largest file that is read into memory, in bytes.
const MAX_READ: u64 = 256 << 20;

/// A volume that is damaged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the partition has no FAT boot sector")]
    NoBootSector,
    #[error("the FAT boot sector's {field} cannot be {value}")]
    BootSector { field: &'static str, value: u64 },
    #[error("the FAT volume ends at byte {end}, but its partition has {size} bytes")]
    BeyondPartition { end: u64, size: u64 },
    #[error("the FAT volume is marked as not cleanly unmounted; run fsck.fat on the base image")]
    Dirty,
    #[error("the two copies of the file allocation table differ from byte {at} on")]
    CopiesDiffer { at: u64 },
    #[error("cluster {cluster} of `{path}` on the FAT volume {what}")]
    Chain { path: String, cluster: u32, what: &'static str },
    #[error("`{path}` on the FAT volume has {size} bytes, but {clusters} clusters")]
    Size { path: String, size: u32, clusters: u64 },
    #[error("`{path}` on the FAT volume is nested too deeply")]
    TooDeep { path: String },
    #[error("a directory of the FAT volume has {length} bytes, more than 65536 entries")]
    DirectoryLength { length: u64 },
    #[error("the FAT volume cannot be read: {0}")]
    Reader(String),
}

/// A volume or a wish we do not take.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Foreign {
    #[error("FAT volumes that use only one copy of their table are not supported")]
    NoMirror,
    #[error("FAT volumes of {0} clusters are not supported")]
    Clusters(u32),
    #[error("`{path}` on the FAT volume cannot be done: {reason}")]
    Operation { path: String, reason: String },
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The long name, or the short one if there is no other.
    pub name: String,
    /// Whether it is a directory.
    pub directory: bool,
    /// Size in bytes; 0 for a directory.
    pub size: u64,
}

/// A FAT volume (12, 16 or 32) in a partition's window.
///
/// Paths have `/` between their names; case does not matter. Nothing is written unless something changes. Call
/// [`finish`](Self::finish) at the end.
#[derive(Debug)]
pub struct Fat<'a> {
    window: Window<&'a mut Disk>,
    epoch: &'static Epoch,
    volume: Volume,
    changed: bool,
}

impl<'a> Fat<'a> {
    /// Opens and checks the volume in `window`. Times written will be `epoch`, in seconds since 1970.
    ///
    /// Refuses volumes that were not unmounted cleanly, whose tables differ, or whose chains loop, cross or do not fit
    /// the files they belong to.
    pub fn open(window: Window<&'a mut Disk>, epoch: u64) -> Result<Self> {
        let volume = Volume::check(&window)?;
        // fatfs wants its clock to live for ever; it is 14 bytes.
        let epoch = Box::leak(Box::new(Epoch::new(epoch)));
        Ok(Self { window, epoch, volume, changed: false })
    }

    /// The bytes of the file at `path`.
    pub fn read(&mut self, path: &str) -> Result<Vec<u8>> {
        self.session(path, |fs| {
            let mut bytes = Vec::new();
            fs.root_dir().open_file(path)?.take(MAX_READ).read_to_end(&mut bytes)?;
            Ok(bytes)
        })
    }

    /// What is in the directory at `path`, by name. The root is the empty path.
    pub fn list(&mut self, path: &str) -> Result<Vec<Entry>> {
        let mut entries = self.session(path, |fs| {
            let root = fs.root_dir();
            let directory = if path.trim_matches('/').is_empty() { root } else { root.open_dir(path)? };
            let entry = |entry: io::Result<fatfs::DirEntry<'_, _>>| {
                entry.map(|entry| Entry {
                    name: entry.file_name(),
                    directory: entry.is_dir(),
                    size: entry.len(),
                })
            };
            directory.iter().map(entry).collect::<io::Result<Vec<_>>>()
        })?;
        entries.retain(|entry| entry.name != "." && entry.name != "..");
        entries.sort();
        Ok(entries)
    }

    /// Makes `bytes` the content of the file at `path`, which is created if it is not there. Its directory must exist.
    ///
    /// Writes nothing if the file has this content. Fails before anything is written if there is not enough space.
    pub fn write(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let old = match self.read(path) {
            Ok(old) if old == bytes => return Ok(()),
            Ok(old) => old.len() as u64,
            Err(Error::NotFound { .. }) => 0,
            Err(error) => return Err(error),
        };
        // A cluster more for the directory, which may have to grow.
        self.reserve(bytes.len() as u64, old)?;
        self.edit(path, |fs| {
            let mut file = fs.root_dir().create_file(path)?;
            file.truncate()?;
            file.write_all(bytes)?;
            file.flush()
        })
    }

    /// Creates the directory at `path` if it is not there. The directory it is in must exist.
    pub fn make_directory(&mut self, path: &str) -> Result<()> {
        match self.list(path) {
            Err(Error::NotFound { .. }) => {}
            other => return other.map(drop),
        }
        self.reserve(self.volume.geometry.cluster_size, 0)?;
        self.edit(path, |fs| fs.root_dir().create_dir(path).map(drop))
    }

    /// Removes the file or the empty directory at `path`.
    pub fn remove(&mut self, path: &str) -> Result<()> {
        self.edit(path, |fs| fs.root_dir().remove(path))
    }

    /// Leaves nothing of what was removed in the free space.
    pub fn finish(mut self) -> Result<()> {
        if self.changed {
            self.clear_free()?;
        }
        Ok(())
    }

    /// Runs `work` on the volume as fatfs sees it.
    fn session<T>(
        &mut self,
        path: &str,
        work: impl FnOnce(&FileSystem<&mut Window<&'a mut Disk>>) -> io::Result<T>,
    ) -> Result<T> {
        let options = FsOptions::new().time_provider(self.epoch).update_accessed_date(false);
        self.window.seek(SeekFrom::Start(0)).map_err(Error::Disk)?;
        let fs = FileSystem::new(&mut self.window, options)
            .map_err(|error| Error::from(Fault::Reader(error.to_string())))?;
        let result = work(&fs).map_err(|error| failed(path, error));
        // Errors while unmounting are lost if it is left to the destructor.
        fs.unmount().map_err(Error::Disk)?;
        result
    }

    /// Runs an editing `work`, with free clusters that are zero, and mends what fatfs gets wrong.
    fn edit(
        &mut self,
        path: &str,
        work: impl FnOnce(&FileSystem<&mut Window<&'a mut Disk>>) -> io::Result<()>,
    ) -> Result<()> {
        self.clear_free()?;
        let result = self.session(path, work);
        self.changed = true;
        self.volume = Volume::check(&self.window)?;
        self.repair_directories()?;
        self.write_fs_info()?;
        result
    }

    /// Space for `bytes` more in the place of `old` bytes, and a cluster for the directory to grow.
    fn reserve(&self, bytes: u64, old: u64) -> Result<()> {
        let whole = |bytes: u64| bytes.next_multiple_of(self.volume.geometry.cluster_size);
        let needed = whole(bytes) + self.volume.geometry.cluster_size;
        let free = self.volume.free_bytes() + whole(old);
        if needed > free { Err(Error::VolumeFull { needed, free }) } else { Ok(()) }
    }

    fn clear_free(&mut self) -> Result<()> {
        let geometry = &self.volume.geometry;
        for (first, count) in &self.volume.free {
            let length = u64::from(*count) * geometry.cluster_size;
            self.window.zero(geometry.cluster(*first).start, length).map_err(Error::Disk)?;
        }
        Ok(())
    }

    fn repair_directories(&mut self) -> Result<()> {
        let root = match self.volume.geometry.root {
            Root::Cluster(cluster) => Some(cluster),
            Root::Fixed(_) => None,
        };
        for cluster in &self.volume.directories {
            let at = self.volume.geometry.cluster(*cluster).start;
            let mut slots = [0; 4 * directory::ENTRY];
            self.window.read_at(at, &mut slots).map_err(Error::Disk)?;
            if let Some(repaired) = directory::repaired(&slots, root) {
                self.window.write_at(at, &repaired).map_err(Error::Disk)?;
            }
        }
        Ok(())
    }

    /// Lets FSInfo tell the number of free clusters as it is (offset 488; a vendor's may be wrong, or unknown).
    fn write_fs_info(&mut self) -> Result<()> {
        const FREE_COUNT: u64 = 488;
        let Some(fs_info) = self.volume.geometry.fs_info else { return Ok(()) };
        let free: u32 = self.volume.free.iter().map(|(_, count)| *count).sum();
        self.window.write_at(fs_info + FREE_COUNT, &free.to_le_bytes()).map_err(Error::Disk)
    }
}

fn failed(path: &str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path: path.to_owned() },
        _ => Error::unsupported(Foreign::Operation { path: path.to_owned(), reason: error.to_string() }),
    }
}

fn le16(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
