//! `.ARM.attributes`: what a 32-bit Arm file was built for.
//!
//! <https://github.com/ARM-software/abi-aa/blob/main/addenda32/addenda32.rst>, "Build attributes". The section is `A`, then
//! subsections of vendors: length (4 bytes, itself included), name with NUL, then parts: tag (1 = whole file), length
//! (4 bytes, tag and itself included), then pairs of a ULEB128 tag and its value.

/// Tags of the vendor `aeabi`.
const TAG_CPU_ARCH: u64 = 6;
const TAG_FP_ARCH: u64 = 10;
const TAG_ADVANCED_SIMD_ARCH: u64 = 12;
const TAG_COMPATIBILITY: u64 = 32;
/// Tags whose value is a string; above 32, all odd ones have.
const STRING_TAGS: [u64; 2] = [4, 5];

/// What an application processor has, as the tag values it can serve.
pub(super) struct Processor {
    name: &'static str,
    cpu_arch: &'static [u64],
    fp_arch: &'static [u64],
    advanced_simd_arch: &'static [u64],
}

/// ARMv6K with VFPv2. Thumb-2 (8, ARMv6T2) and microcontrollers (11 to 13) are not part of it.
pub(super) const ARMV6: Processor = Processor {
    name: "ARMv6",
    cpu_arch: &[0, 1, 2, 3, 4, 5, 6, 7, 9],
    fp_arch: &[0, 1, 2],
    advanced_simd_arch: &[0],
};

/// ARMv7-A with the 16 registers of VFPv3-D16 (4).
pub(super) const ARMV7: Processor = Processor {
    name: "ARMv7",
    cpu_arch: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    fp_arch: &[0, 1, 2, 4],
    advanced_simd_arch: &[0],
};

/// … and with NEON, which comes with the 32 registers of VFPv3 (3).
pub(super) const ARMV7_NEON: Processor =
    Processor { name: "ARMv7 with NEON", fp_arch: &[0, 1, 2, 3, 4], advanced_simd_arch: &[0, 1], ..ARMV7 };

/// The attributes that say what the processor must have. Absent ones are zero: nothing is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArmAttributes {
    /// `Tag_CPU_arch`: 6 is ARMv6, 10 is ARMv7, 14 is ARMv8-A.
    pub cpu_arch: u64,
    /// `Tag_FP_arch`: 2 is VFPv2, 4 is VFPv3-D16, 3 is VFPv3 with 32 registers.
    pub fp_arch: u64,
    /// `Tag_Advanced_SIMD_arch`: not zero means NEON.
    pub advanced_simd_arch: u64,
}

impl ArmAttributes {
    /// Reads a section; `None` if it is broken.
    pub(super) fn decode(section: &[u8]) -> Option<Self> {
        let mut attributes = ArmAttributes::default();
        let mut rest = section.strip_prefix(b"A")?;
        while !rest.is_empty() {
            let (subsection, after) = split_length(rest, 0)?;
            rest = after;
            let name_end = subsection.iter().position(|&byte| byte == 0)?;
            if subsection.get(..name_end)? == b"aeabi" {
                attributes.decode_parts(subsection.get(name_end + 1..)?)?;
            }
        }
        Some(attributes)
    }

    fn decode_parts(&mut self, mut rest: &[u8]) -> Option<()> {
        while let Some((&tag, after)) = rest.split_first() {
            let (part, after) = split_length(after, 1)?;
            rest = after;
            if tag == 1 {
                self.decode_pairs(part)?;
            }
        }
        Some(())
    }

    fn decode_pairs(&mut self, mut rest: &[u8]) -> Option<()> {
        while !rest.is_empty() {
            let tag = uleb128(&mut rest)?;
            if STRING_TAGS.contains(&tag) || tag > TAG_COMPATIBILITY && tag % 2 == 1 {
                skip_string(&mut rest)?;
                continue;
            }
            let value = uleb128(&mut rest)?;
            match tag {
                TAG_CPU_ARCH => self.cpu_arch = value,
                TAG_FP_ARCH => self.fp_arch = value,
                TAG_ADVANCED_SIMD_ARCH => self.advanced_simd_arch = value,
                TAG_COMPATIBILITY => skip_string(&mut rest)?,
                _ => {}
            }
        }
        Some(())
    }

    /// What a processor lacks.
    pub(super) fn misfit(&self, processor: &Processor) -> Option<String> {
        let lacks = |what: String| Some(format!("needs {what}, the board has {}", processor.name));
        if !processor.cpu_arch.contains(&self.cpu_arch) {
            lacks(architecture_name(self.cpu_arch))
        } else if !processor.advanced_simd_arch.contains(&self.advanced_simd_arch) {
            lacks(if self.advanced_simd_arch == 1 { "NEON" } else { "NEON of a later version" }.to_owned())
        } else if !processor.fp_arch.contains(&self.fp_arch) {
            lacks(fp_name(self.fp_arch))
        } else {
            None
        }
    }
}

fn architecture_name(cpu_arch: u64) -> String {
    match cpu_arch {
        8 => "ARMv6T2".to_owned(),
        10 => "ARMv7".to_owned(),
        11..=13 => "an Arm microcontroller".to_owned(),
        14 => "ARMv8".to_owned(),
        other => format!("Arm architecture {other}"),
    }
}

fn fp_name(fp_arch: u64) -> String {
    match fp_arch {
        3 => "VFPv3 with 32 registers".to_owned(),
        4 => "VFPv3".to_owned(),
        5 | 6 => "VFPv4".to_owned(),
        7 | 8 => "the floating point of ARMv8".to_owned(),
        other => format!("floating point {other}"),
    }
}

/// Splits off what a length at the start covers; it counts itself and the `before` bytes that came before it.
fn split_length(bytes: &[u8], before: usize) -> Option<(&[u8], &[u8])> {
    let length = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let end = length.checked_sub(before).filter(|&end| end >= 4)?;
    Some((bytes.get(4..end)?, bytes.get(end..)?))
}

fn uleb128(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn skip_string(bytes: &mut &[u8]) -> Option<()> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    *bytes = bytes.get(end + 1..)?;
    Some(())
}
