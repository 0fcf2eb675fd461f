//! Whether a board's processor can run an ELF file.
//!
//! The header is that of the System V ABI, <https://gabi.xinuos.com/>; for 32-bit Arm the section `.ARM.attributes`
//! (<https://github.com/ARM-software/abi-aa/blob/main/addenda32/addenda32.rst>) tells which architecture, floating point
//! and SIMD unit the code needs.

mod attributes;

use imgforge_spec::Architecture;
use std::io::{Read, Seek, SeekFrom};

pub use self::attributes::ArmAttributes;
use self::attributes::{ARMV6, ARMV7, ARMV7_NEON, Processor};
use crate::error::{Detail, Error, Result};

const MAGIC: &[u8; 4] = b"\x7fELF";
const HEADER_32: usize = 52;
const EM_ARM: u16 = 40;
const EM_AARCH64: u16 = 183;
const SHT_ARM_ATTRIBUTES: u32 = 0x7000_0003;
/// The ABI version in `e_flags`, and the bit for arguments in floating-point registers.
const EF_ARM_EABI_MASK: u32 = 0xff00_0000;
const EF_ARM_EABI_VER5: u32 = 0x0500_0000;
const EF_ARM_ABI_FLOAT_HARD: u32 = 0x0000_0400;
const EF_ARM_ABI_FLOAT_SOFT: u32 = 0x0000_0200;
const PT_DYNAMIC: u32 = 2;
const DT_NEEDED: u32 = 1;
/// Attribute sections are a few dozen bytes, the dynamic section and section tables of real files a few kilobytes.
const ATTRIBUTES_LIMIT: u32 = 1 << 16;

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("ELF: header ends early")]
    Truncated,
    #[error("ELF: class {class} with byte order {data}")]
    Identification { class: u8, data: u8 },
    #[error("ELF: section header of {0} bytes")]
    SectionHeader(u16),
    #[error("ELF: program header of {0} bytes")]
    ProgramHeader(u16),
    #[error("ELF: broken .ARM.attributes")]
    Attributes,
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Error::Malformed(Detail::new(kind))
    }
}

/// What a board's processor and system can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// AArch64, 64-bit programs only.
    Arm64,
    /// ARMv7-A with VFPv3-D16, hard-float ABI: Debian's armhf.
    Armv7 {
        /// Whether it has NEON, and with it 32 floating-point registers; nearly all boards do.
        neon: bool,
    },
    /// ARMv6 with VFPv2, hard-float ABI: Raspbian.
    Armv6,
}

impl From<Architecture> for Target {
    /// All boards with ARMv7 that there are profiles for have NEON.
    fn from(architecture: Architecture) -> Self {
        match architecture {
            Architecture::Arm64 => Target::Arm64,
            Architecture::Armv7 => Target::Armv7 { neon: true },
            Architecture::Armv6 => Target::Armv6,
        }
    }
}

/// How 32-bit Arm code passes floating-point numbers: programs and libraries of one kind cannot work with those of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatAbi {
    /// In the processor's general registers: Debian's armel.
    Soft,
    /// In floating-point registers: Debian's armhf and Raspbian.
    Hard,
}

impl std::fmt::Display for FloatAbi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            FloatAbi::Soft => "soft float",
            FloatAbi::Hard => "hard float",
        })
    }
}

/// An ELF file, as far as it matters where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// `EI_CLASS`: whether it is a 64-bit file.
    pub is_64_bit: bool,
    /// `EI_DATA`: whether it is little-endian.
    pub is_little_endian: bool,
    /// `e_machine`
    pub machine: u16,
    /// `e_flags`
    pub flags: u32,
    /// The build attributes of a 32-bit Arm file, if it has any.
    pub attributes: Option<ArmAttributes>,
    /// Whether a 32-bit Arm file uses shared libraries.
    pub needs_libraries: bool,
}

impl Elf {
    /// Reads what matters of a file; `None` if it is no ELF file. Files of other machines are not looked into.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the file is cut or inconsistent; [`Error::Io`] from the reader.
    pub fn read(file: &mut (impl Read + Seek)) -> Result<Option<Self>> {
        let header = read_at(file, 0, HEADER_32 as u64)?;
        if !header.starts_with(MAGIC) {
            return Ok(None);
        }
        let mut elf = Elf::decode(&header)?;
        if elf.machine == EM_ARM && !elf.is_64_bit && elf.is_little_endian {
            elf.attributes = read_attributes(file, &header)?;
            elf.needs_libraries = read_needs_libraries(file, &header)?;
        }
        Ok(Some(elf))
    }

    fn decode(header: &[u8]) -> Result<Self> {
        let (Some(&class), Some(&data)) = (header.get(4), header.get(5)) else {
            return Err(Kind::Truncated.into());
        };
        let (is_64_bit, is_little_endian) = match (class, data) {
            (1 | 2, 1 | 2) => (class == 2, data == 1),
            _ => return Err(Kind::Identification { class, data }.into()),
        };
        // Both classes have e_machine at 18; e_flags follow the three addresses, of 4 or 8 bytes each.
        let flags_at = if is_64_bit { 48 } else { 36 };
        let number = |at: usize, length: usize| {
            let bytes = header.get(at..at + length).ok_or(Kind::Truncated)?;
            let digits = |sum: u32, byte: &u8| sum << 8 | u32::from(*byte);
            Ok::<_, Kind>(if is_little_endian {
                bytes.iter().rev().fold(0, digits)
            } else {
                bytes.iter().fold(0, digits)
            })
        };
        let machine = number(18, 2)? as u16;
        let flags = number(flags_at, 4)?;
        Ok(Elf { is_64_bit, is_little_endian, machine, flags, attributes: None, needs_libraries: false })
    }

    /// Why `target` cannot run the file; `None` if nothing speaks against it.
    pub fn misfit(&self, target: Target) -> Option<String> {
        match target {
            Target::Arm64 if self.machine == EM_AARCH64 && self.is_64_bit && self.is_little_endian => None,
            Target::Arm64 => Some(format!("{} instead of 64-bit Arm", self.machine_name())),
            Target::Armv7 { neon: true } => self.arm_misfit(&ARMV7_NEON),
            Target::Armv7 { neon: false } => self.arm_misfit(&ARMV7),
            Target::Armv6 => self.arm_misfit(&ARMV6),
        }
    }

    fn arm_misfit(&self, processor: &Processor) -> Option<String> {
        if self.machine != EM_ARM || self.is_64_bit || !self.is_little_endian {
            return Some(format!("{} instead of 32-bit Arm", self.machine_name()));
        }
        if self.flags & EF_ARM_EABI_MASK != EF_ARM_EABI_VER5 {
            return Some(format!("not of the Arm EABI version 5 (flags {:#x})", self.flags));
        }
        self.attributes.as_ref().and_then(|attributes| attributes.misfit(processor))
    }

    /// How a 32-bit Arm file passes floating-point numbers, where it says so: linkers write it into programs and libraries.
    pub fn float_abi(&self) -> Option<FloatAbi> {
        match self.flags & (EF_ARM_ABI_FLOAT_HARD | EF_ARM_ABI_FLOAT_SOFT) {
            EF_ARM_ABI_FLOAT_HARD if self.machine == EM_ARM => Some(FloatAbi::Hard),
            EF_ARM_ABI_FLOAT_SOFT if self.machine == EM_ARM => Some(FloatAbi::Soft),
            _ => None,
        }
    }

    /// Why the file cannot use the libraries of a system with programs like `other`; `None` if nothing speaks against it. A file
    /// that uses none does not care.
    pub fn misfit_beside(&self, other: &Elf) -> Option<String> {
        let (mine, others) = (self.float_abi()?, other.float_abi()?);
        (self.needs_libraries && mine != others)
            .then(|| format!("is made for libraries of {mine}, those of the base are of {others}"))
    }

    fn machine_name(&self) -> String {
        let bits = if self.is_64_bit { 64 } else { 32 };
        match self.machine {
            EM_ARM => "32-bit Arm".to_owned(),
            EM_AARCH64 => "64-bit Arm".to_owned(),
            3 | 62 => format!("{bits}-bit x86"),
            243 => format!("{bits}-bit RISC-V"),
            other => format!("machine {other} ({bits}-bit)"),
        }
    }
}

/// Finds the attributes section by its type: `e_shoff` at 32, `e_shentsize` at 46, `e_shnum` at 48; of each section
/// header, `sh_type` at 4, `sh_offset` at 16, `sh_size` at 20.
fn read_attributes(file: &mut (impl Read + Seek), header: &[u8]) -> Result<Option<ArmAttributes>> {
    let table = word(header, 32).ok_or(Kind::Truncated)?;
    let entry_size = half(header, 46).ok_or(Kind::Truncated)?;
    let count = half(header, 48).ok_or(Kind::Truncated)?;
    if table == 0 || count == 0 {
        return Ok(None);
    }
    if entry_size < 40 {
        return Err(Kind::SectionHeader(entry_size).into());
    }
    let table = read_at(file, table.into(), u64::from(entry_size) * u64::from(count))?;
    let section =
        table.chunks_exact(entry_size.into()).find(|section| word(section, 4) == Some(SHT_ARM_ATTRIBUTES));
    let Some((offset, size)) = section.and_then(|section| Some((word(section, 16)?, word(section, 20)?)))
    else {
        return Ok(None);
    };
    if size > ATTRIBUTES_LIMIT {
        return Err(Kind::Attributes.into());
    }
    let bytes = read_at(file, offset.into(), size.into())?;
    Ok(Some(ArmAttributes::decode(&bytes).ok_or(Kind::Attributes)?))
}

/// Whether the dynamic section names a library. The program headers: `e_phoff` at 28, `e_phentsize` at 42, `e_phnum` at 44; of
/// each, `p_type` at 0, `p_offset` at 4, `p_filesz` at 16. The section is pairs of tag and value.
fn read_needs_libraries(file: &mut (impl Read + Seek), header: &[u8]) -> Result<bool> {
    let table = word(header, 28).ok_or(Kind::Truncated)?;
    let entry_size = half(header, 42).ok_or(Kind::Truncated)?;
    let count = half(header, 44).ok_or(Kind::Truncated)?;
    if table == 0 || count == 0 {
        return Ok(false);
    }
    if entry_size < 32 {
        return Err(Kind::ProgramHeader(entry_size).into());
    }
    let table = read_at(file, table.into(), u64::from(entry_size) * u64::from(count))?;
    let segment = table.chunks_exact(entry_size.into()).find(|segment| word(segment, 0) == Some(PT_DYNAMIC));
    let Some((offset, size)) = segment.and_then(|segment| Some((word(segment, 4)?, word(segment, 16)?)))
    else {
        return Ok(false);
    };
    let dynamic = read_at(file, offset.into(), size.min(ATTRIBUTES_LIMIT).into())?;
    Ok(dynamic.chunks_exact(8).any(|pair| word(pair, 0) == Some(DT_NEEDED)))
}

/// Up to `length` bytes: fewer at the end of the file.
fn read_at(file: &mut (impl Read + Seek), offset: u64, length: u64) -> Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

#[cfg(test)]
mod tests;
