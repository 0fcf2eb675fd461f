//! What the programs of an image run on. Labels of images are wrong now and then, programs are not:
//! <https://github.com/kubernetes/kubernetes/issues/104085>

use std::io::{self, Cursor, Read};

use imgforge_debian::{Compression, Elf, Target};
use tar::{Archive, Entry, EntryType};

/// Bytes of a program that are looked at: the header of an ELF file.
const HEADER: u64 = 64;
/// A layer that is larger when it is unpacked is not looked through to its end.
const MOST_BYTES: u64 = 16 << 30;

/// What is known of the programs in a layer, or in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Programs {
    /// There are none.
    None,
    /// One of them runs.
    Run,
    /// None of them runs: the first, and why not.
    Fail {
        /// Its path.
        path: String,
        /// What it is, instead of what it should be.
        reason: String,
    },
}

impl Programs {
    /// The programs in the `layer`, compressed like this, on a board that is a `target`.
    ///
    /// # Errors
    /// If it is no such layer.
    pub(crate) fn of_layer(layer: impl Read, compression: Compression, target: Target) -> io::Result<Self> {
        let plain = compression.decode(layer).map_err(io::Error::other)?;
        let mut archive = Archive::new(plain.take(MOST_BYTES));
        let mut found = Programs::None;
        for entry in archive.entries()? {
            let mut entry = entry?;
            let Some(elf) = elf(&mut entry)? else { continue };
            let Some(reason) = elf.misfit(target) else { return Ok(Programs::Run) };
            if found == Programs::None {
                found = Programs::Fail { path: entry.path()?.display().to_string(), reason };
            }
        }
        Ok(found)
    }
}

/// What a member of a layer says of itself, if it is a program. What is no whole header is none.
fn elf(entry: &mut Entry<'_, impl Read>) -> io::Result<Option<Elf>> {
    if entry.header().entry_type() != EntryType::Regular {
        return Ok(None);
    }
    let mut header = Vec::new();
    entry.take(HEADER).read_to_end(&mut header)?;
    Ok(Elf::read(&mut Cursor::new(header)).ok().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AARCH64: u16 = 183;
    const X86_64: u16 = 62;

    /// A layer with these files: text, or a program for a machine.
    fn layer(files: &[Option<u16>]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (index, machine) in files.iter().enumerate() {
            let mut content = vec![b'x'; 200];
            if let Some(machine) = machine {
                content[..6].copy_from_slice(b"\x7fELF\x02\x01");
                content[18..20].copy_from_slice(&machine.to_le_bytes());
            }
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, format!("usr/bin/{index}"), content.as_slice()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn programs(files: &[Option<u16>]) -> Programs {
        Programs::of_layer(layer(files).as_slice(), Compression::None, Target::Arm64).unwrap()
    }

    #[test]
    fn one_program_that_runs_is_enough() {
        assert_eq!(programs(&[]), Programs::None);
        assert_eq!(programs(&[None, None]), Programs::None);
        assert_eq!(programs(&[None, Some(AARCH64)]), Programs::Run);
        assert_eq!(programs(&[Some(X86_64), Some(AARCH64)]), Programs::Run);
        let fail =
            Programs::Fail { path: "usr/bin/1".into(), reason: "64-bit x86 instead of 64-bit Arm".into() };
        assert_eq!(programs(&[None, Some(X86_64)]), fail);
    }

    #[test]
    fn what_is_no_layer_is_an_error() {
        let cut = &layer(&[None, None])[..700];
        for (bytes, compression) in
            [(cut, Compression::None), (cut, Compression::Gzip), (b"x", Compression::Zstd)]
        {
            assert!(Programs::of_layer(bytes, compression, Target::Arm64).is_err(), "{compression:?}");
        }
    }
}
