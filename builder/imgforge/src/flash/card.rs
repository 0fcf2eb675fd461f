//! A device or a file that is written as a card.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use imgforge_disk::partition::SECTOR;
use rustix::{fs::OFlags, io::Errno};

use super::{
    block_device::BlockDevice,
    buffer::Buffer,
    error::{Error, Refusal},
    system::{self, DIRECT},
    udisks,
    write::Medium,
};

/// A card, open for this program alone.
#[derive(Debug)]
pub(crate) struct Card {
    file: File,
    path: PathBuf,
    size: u64,
    /// Whether bytes go to the device and come from it without the kernel keeping them.
    is_direct: bool,
    /// What the kernel shows of it while it is there.
    presence: Option<PathBuf>,
    /// Its number among all that the kernel has seen.
    sequence: Option<String>,
}

impl Card {
    /// Opens `device`, by UDisks where whoever asks may not himself; `command` is what root would do.
    ///
    /// `O_EXCL` without `O_CREAT` is what the kernel itself does when it mounts: it refuses a device of which anything is
    /// mounted or held, and as long as it is open here nobody can mount it (open(2)).
    pub(crate) fn open(device: &BlockDevice, command: &str) -> Result<Self, Error> {
        let path = &device.path;
        let file = match opened(path, OFlags::EXCL | DIRECT) {
            // A device without such a way.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => opened(path, OFlags::EXCL),
            opened => opened,
        };
        let file = match file {
            Err(error) if is_denied(&error) => by_udisks(path, command)?,
            file => file.map_err(|source| refused(path, source))?,
        };
        let is_direct = rustix::fs::fcntl_getfl(&file).is_ok_and(|flags| flags.intersects(DIRECT));
        let rdev = file.metadata().map_err(|source| unopened(path, source))?.rdev();
        // Names go to others when devices come and go.
        if device.number != system::number(rdev) {
            return Err(Refusal::Missing { path: path.clone() }.into());
        }
        let presence = Some(Path::new("/sys/dev/block").join(&device.number));
        Ok(Self {
            file,
            path: path.clone(),
            size: device.size,
            is_direct,
            presence,
            sequence: device.sequence.clone(),
        })
    }

    /// Opens the file `path`, which stands for a card of its size.
    pub(crate) fn open_file(path: &Path) -> Result<Self, Error> {
        let file =
            OpenOptions::new().read(true).write(true).open(path).map_err(|source| unopened(path, source))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(Refusal::Busy { path: path.to_owned() }.into()),
            // A file system without locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let size = file.metadata().map_err(|source| unopened(path, source))?.len();
        Ok(Self { file, path: path.to_owned(), size, is_direct: false, presence: None, sequence: None })
    }

    /// Its number among all that the kernel has seen, where it counts them; a file has none.
    pub(crate) fn sequence(&self) -> Option<&str> {
        self.sequence.as_deref()
    }

    /// Whether a device takes only whole sectors, and `length` bytes are none.
    fn is_ragged(&self, length: usize) -> bool {
        self.is_direct && !(length as u64).is_multiple_of(SECTOR)
    }
}

fn opened(path: &Path, flags: OFlags) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(flags.bits().cast_signed()).open(path)
}

fn is_denied(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ACCESS | Errno::PERM))
}

fn by_udisks(path: &Path, command: &str) -> Result<File, Refusal> {
    udisks::open(path, OFlags::EXCL | DIRECT | OFlags::CLOEXEC).map_err(|reason| Refusal::Denied {
        path: path.to_owned(),
        reason,
        command: command.to_owned(),
    })
}

fn refused(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    match Errno::from_io_error(&source) {
        Some(Errno::BUSY) => Refusal::Busy { path }.into(),
        Some(Errno::ROFS) => Refusal::ReadOnly { path }.into(),
        Some(Errno::NOMEDIUM) => Refusal::NoMedium { path }.into(),
        _ => unopened(&path, source),
    }
}

fn unopened(path: &Path, source: io::Error) -> Error {
    Error::Device { what: "open".into(), path: path.to_owned(), source }
}

impl Medium for Card {
    fn path(&self) -> &Path {
        &self.path
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        if !self.is_ragged(bytes.len()) {
            return self.file.write_all_at(bytes, at);
        }
        // The rest of an image's last sector is zero.
        let mut whole = Buffer::zeros(bytes.len().next_multiple_of(SECTOR as usize));
        whole.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.file.write_all_at(&whole, at)
    }

    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        if !self.is_ragged(bytes.len()) {
            return self.file.read_exact_at(bytes, at);
        }
        let mut whole = Buffer::zeros(bytes.len().next_multiple_of(SECTOR as usize));
        self.file.read_exact_at(&mut whole, at)?;
        bytes.iter_mut().zip(&*whole).for_each(|(to, from)| *to = *from);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()?;
        if !self.is_direct {
            system::forget(&self.file);
        }
        Ok(())
    }

    fn is_gone(&self) -> bool {
        self.presence.as_ref().is_some_and(|presence| !presence.exists())
    }
}
