//! Why an image did not get onto a card.

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use imgforge_spec::{Class, Diagnose};

/// An error of this room.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was written, because it must not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The devices cannot be looked at.
    #[error("cannot look for devices: {} cannot be read", path.display())]
    Look {
        /// What the kernel should show.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The image cannot be read or decoded.
    #[error("cannot read {image}")]
    Image {
        /// The image.
        image: String,
        /// Why.
        source: imgforge_disk::Error,
    },
    /// It is no image, or not all of one.
    #[error("{image} is no image of a disk, or only the beginning of one")]
    NoImage {
        /// The file.
        image: String,
        /// What its partition table lacks; none where there is nothing like one.
        source: Option<imgforge_disk::Error>,
    },
    /// The block map beside the image is of no use.
    #[error("{} {fault}", path.display())]
    Map {
        /// The map.
        path: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The image has another size than its block map says.
    #[error("{image} has {found} bytes, and its block map is of an image of {expected}")]
    Size {
        /// The image.
        image: String,
        /// Its size.
        found: u64,
        /// The size that the map says.
        expected: u64,
    },
    /// The image is not the one that its block map is of.
    #[error("the bytes {} to {} of {image} are not those that its block map was made of", range.start, range.end)]
    Altered {
        /// The image.
        image: String,
        /// The bytes.
        range: Range<u64>,
    },
    /// The image turned out to be larger than the card, which its file did not say.
    #[error("the image in {image} does not fit: it is larger than the {size} bytes of the card")]
    Overflow {
        /// The image.
        image: String,
        /// The size of the card.
        size: u64,
    },
    /// The device cannot be opened, written or read.
    #[error("cannot {what} {}", path.display())]
    Device {
        /// What was tried.
        what: String,
        /// The device.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The device is not there any more.
    #[error("{} went away while it was written: was it pulled out?", path.display())]
    Gone {
        /// The device.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The card does not give back what was written.
    #[error("{} does not read back what was written to it, at the bytes {} to {}", path.display(), range.start, range.end)]
    ReadsBack {
        /// The device.
        path: PathBuf,
        /// The bytes.
        range: Range<u64>,
    },
    /// It was begun and not finished.
    #[error("{}", unfinished(path))]
    Unfinished {
        /// The device.
        path: PathBuf,
        /// Why.
        source: Box<Error>,
    },
}

/// What there is to say of a card that was begun and not finished.
pub(crate) fn unfinished(path: &Path) -> String {
    format!("{} is unfinished: it has no partition table, so nothing boots from it by half", path.display())
}

/// Why an image must not go onto a device. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such device.
    #[error("there is no {}", path.display())]
    Missing {
        /// What was named.
        path: PathBuf,
    },
    /// It is something else.
    #[error("{} is neither a disk nor a file", path.display())]
    NoDevice {
        /// What was named.
        path: PathBuf,
    },
    /// It is a part of a disk.
    #[error("{} is a partition, and the image is that of a whole disk", path.display())]
    Partition {
        /// The partition.
        path: PathBuf,
        /// Its disk.
        disk: PathBuf,
    },
    /// A reader without a card.
    #[error("there is no card in {}", path.display())]
    NoMedium {
        /// The reader.
        path: PathBuf,
    },
    /// The machine runs from it.
    #[error("{} is a disk of this machine itself: {} is mounted at {point}", path.display(), part.display())]
    System {
        /// The disk.
        path: PathBuf,
        /// The device that is mounted.
        part: PathBuf,
        /// Where.
        point: String,
    },
    /// A part of it is mounted.
    #[error("{} is in use: {} is mounted at {point}", path.display(), part.display())]
    Mounted {
        /// The disk.
        path: PathBuf,
        /// The device that is mounted.
        part: PathBuf,
        /// Where.
        point: String,
    },
    /// A part of it is swap space.
    #[error("{} is in use: {} is swap space", path.display(), part.display())]
    Swap {
        /// The disk.
        path: PathBuf,
        /// The device with the swap space.
        part: PathBuf,
    },
    /// A RAID or the like is made of it.
    #[error("{} is in use: {} is made of {}", path.display(), holder.display(), part.display())]
    Held {
        /// The disk.
        path: PathBuf,
        /// The device that is held.
        part: PathBuf,
        /// Who holds it.
        holder: PathBuf,
    },
    /// The kernel says that somebody has it for himself.
    #[error("{} is in use by another program", path.display())]
    Busy {
        /// The device.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("{} cannot be written: it is read-only", path.display())]
    ReadOnly {
        /// The device.
        path: PathBuf,
    },
    /// Its sectors are not those of the image's partition table.
    #[error("{} has sectors of {sector} bytes, and the image is for sectors of 512", path.display())]
    Sectors {
        /// The device.
        path: PathBuf,
        /// Bytes in its sectors.
        sector: u64,
    },
    /// It is the image.
    #[error("{} is the image itself", path.display())]
    Itself {
        /// The file.
        path: PathBuf,
    },
    /// The image does not fit.
    #[error("{} is too small: it has {size} bytes, and the image {needed}", path.display())]
    TooSmall {
        /// The device.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// That of the image.
        needed: u64,
    },
    /// It is built in.
    #[error("{}{} cannot be taken out of this machine, so it is no card", path.display(), in_brackets(model))]
    NotRemovable {
        /// The device.
        path: PathBuf,
        /// What it calls itself.
        model: String,
    },
    /// `--force-device` names another one.
    #[error("--force-device names {}, and the image would go onto {}", forced.display(), path.display())]
    OtherForced {
        /// The device.
        path: PathBuf,
        /// The one that was named.
        forced: PathBuf,
    },
    /// Who asks may not write to it.
    #[error("{} can be written by root only{}", path.display(), of_udisks(reason.as_deref()))]
    Denied {
        /// The device.
        path: PathBuf,
        /// Why UDisks does not open it, where that runs.
        reason: Option<String>,
        /// The command that root would give.
        command: String,
    },
    /// No card is there.
    #[error("there is no card or stick that an image could go onto{}", unusable.concat())]
    NoCard {
        /// Those that are there, and why they are not taken, each on its line.
        unusable: Vec<String>,
    },
    /// There is more than one and nobody to ask.
    #[error("there are several cards: {}", devices.join(", "))]
    Several {
        /// Their devices.
        devices: Vec<String>,
    },
    /// There is nobody to ask.
    #[error("nobody can be asked whether everything on {} may go: standard input is no terminal", path.display())]
    NoTerminal {
        /// The device.
        path: PathBuf,
    },
    /// Who was asked said no.
    #[error("nothing was written")]
    Declined,
    /// The card that was just written has not been changed.
    #[error("the card in {} is still that of {node}", path.display())]
    StillThere {
        /// The device.
        path: PathBuf,
        /// Whose card it is.
        node: String,
    },
    /// Cards are changed by hand.
    #[error("the cards of a whole cluster are changed by hand, and standard input is no terminal")]
    NobodyChangesCards,
}

fn of_udisks(reason: Option<&str>) -> String {
    reason.map(|reason| format!(", and UDisks does not open it: {reason}")).unwrap_or_default()
}

fn in_brackets(model: &str) -> String {
    if model.is_empty() { String::new() } else { format!(" ({model})") }
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        Some(match self {
            Self::Refused(refusal) => refusal,
            Self::Image { source, .. } => source,
            Self::Unfinished { source, .. } => &**source,
            _ => return None,
        })
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Map { .. } | Self::Size { .. } | Self::Altered { .. } => {
                "get or build the image again, with its map; without the map beside it, all of the image is written"
            }
            Self::Image { source: imgforge_disk::Error::Io { source, .. }, .. }
                if source.kind() == io::ErrorKind::NotFound =>
            {
                "is it a node of a cluster? `--cluster FILE` names the file that it stands in"
            }
            Self::NoImage { image, .. } if image.ends_with(".yaml") => {
                "a cluster file is given with --cluster, a node's settings to `imgforge build`"
            }
            Self::NoImage { .. } => "get or build the image again; `imgforge inspect` says what is in it",
            Self::Overflow { .. } => "take a larger card",
            Self::Gone { .. } => "put it in again and flash it again",
            Self::ReadsBack { .. } => {
                "the card is worn out, or smaller than it says: take another one. If that fails, too, try another reader"
            }
            Self::Unfinished { source, .. } => {
                return Some(source.hint().unwrap_or_else(|| {
                    "flash it again; if that fails, too, try another card or another reader".into()
                }));
            }
            _ => return self.below()?.hint(),
        };
        Some(hint.into())
    }

    fn class(&self) -> Class {
        match self {
            Self::NoImage { .. } | Self::Map { .. } | Self::Size { .. } | Self::Altered { .. } => {
                Class::Image
            }
            Self::Overflow { .. } => Class::Input,
            Self::Look { .. } | Self::Device { .. } | Self::Gone { .. } | Self::ReadsBack { .. } => {
                Class::Machine
            }
            _ => self.below().map_or(Class::Input, Diagnose::class),
        }
    }
}

impl Diagnose for Refusal {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing { .. } | Self::NoDevice { .. } => {
                "`imgforge flash --list` shows the cards that are there"
            }
            Self::Partition { disk, .. } => return Some(format!("its disk is {}", disk.display())),
            Self::NoMedium { .. } => "put one in",
            Self::System { .. } => {
                "choose another device; `imgforge flash --list` shows the cards that are there"
            }
            Self::Mounted { part, .. } => {
                let part = part.display();
                return Some(format!(
                    "if it is the right card: `udisksctl unmount -b {part}`, or `sudo umount {part}`"
                ));
            }
            Self::Swap { part, .. } => return Some(format!("`sudo swapoff {}`", part.display())),
            Self::Held { .. } => "end what uses it, if it is the right one",
            Self::Busy { .. } => "is another flash at work on it, or has it been mounted meanwhile?",
            Self::ReadOnly { .. } => {
                "cards and adapters have a switch at their side; a worn-out card locks itself for good"
            }
            Self::Sectors { .. } => "take a card or a stick: those have sectors of 512 bytes",
            Self::Itself { .. } => "name the device, such as /dev/sdb, or a file that stands for a card",
            Self::TooSmall { .. } => "take a larger card",
            Self::NotRemovable { path, .. } => {
                return Some(format!(
                    "if everything on it may go all the same: `--force-device {}`",
                    path.display()
                ));
            }
            Self::OtherForced { .. } => "name the same device twice, or leave out --force-device",
            Self::Denied { command, .. } => return Some(format!("`{command}`")),
            Self::NoCard { .. } => "put one in, or name the device",
            Self::Several { .. } => "name the one that is meant, or take the others out",
            Self::NoTerminal { .. } => "`--yes` says so",
            Self::Declined => return None,
            Self::StillThere { .. } => "take it out, and put another one in",
            Self::NobodyChangesCards => {
                "flash one node at a time: `imgforge flash NODE DEVICE --cluster FILE --yes`"
            }
        };
        Some(hint.into())
    }

    fn class(&self) -> Class {
        match self {
            Self::Busy { .. } | Self::Denied { .. } => Class::Machine,
            _ => Class::Input,
        }
    }
}
