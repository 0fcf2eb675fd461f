//! An image onto a card: which devices there are and what uses them, the image range by range, writing and reading back.
//!
//! Text of the kernel and bytes of cards are parsed by pure functions ([`kernel`], [`label`], [`map`]); [`machine`] looks at
//! the devices, [`card`] opens one, by [`udisks`] for whoever may not himself; [`write`] knows only of ranges and of a
//! [`Medium`] to put them on.

mod block_device;
mod buffer;
mod card;
#[cfg(target_os = "linux")]
mod dbus;
mod error;
mod kernel;
mod label;
mod machine;
mod map;
mod ranges;
mod source;
mod system;
#[cfg(target_os = "linux")]
mod udisks;
#[cfg(not(target_os = "linux"))]
mod udisks {
    use std::{fs::File, path::Path};

    use rustix::fs::OFlags;

    /// There is none.
    pub(super) fn open(_device: &Path, _flags: OFlags) -> Result<File, Option<String>> {
        Err(None)
    }
}
mod write;

pub use self::error::Error;
pub(crate) use self::{
    block_device::BlockDevice,
    card::Card,
    error::{Refusal, unfinished},
    machine::Machine,
    source::Source,
    write::{Medium, write},
};
