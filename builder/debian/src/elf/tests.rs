use std::io::Cursor;

use super::*;
use proptest::prelude::*;

/// A 32-bit Arm file with an attributes section, or without one.
fn arm_file(attributes: Option<&[u8]>) -> Vec<u8> {
    let mut file = vec![0; HEADER_32];
    file[..6].copy_from_slice(b"\x7fELF\x01\x01");
    file[18] = EM_ARM as u8;
    file[36..40].copy_from_slice(&(EF_ARM_EABI_VER5 | EF_ARM_ABI_FLOAT_HARD).to_le_bytes());
    if let Some(attributes) = attributes {
        let mut section = [0; 40];
        section[4..8].copy_from_slice(&SHT_ARM_ATTRIBUTES.to_le_bytes());
        section[16..20].copy_from_slice(&(HEADER_32 as u32).to_le_bytes());
        section[20..24].copy_from_slice(&(attributes.len() as u32).to_le_bytes());
        let table = HEADER_32 + attributes.len();
        file[32..36].copy_from_slice(&(table as u32).to_le_bytes());
        file[46] = 40;
        file[48] = 2;
        file.extend_from_slice(attributes);
        file.extend_from_slice(&[0; 40]);
        file.extend_from_slice(&section);
    }
    file
}

/// The section with a CPU name and these tags, as the assembler writes it.
fn attributes(tags: &[u8]) -> Vec<u8> {
    let pairs = [b"\x05cortex\0", tags].concat();
    let part = [&[1][..], &(pairs.len() as u32 + 5).to_le_bytes(), &pairs].concat();
    let subsection = [b"aeabi\0", part.as_slice()].concat();
    [b"A", (subsection.len() as u32 + 4).to_le_bytes().as_slice(), &subsection].concat()
}

fn misfit(file: &[u8], target: Target) -> Option<String> {
    Elf::read(&mut Cursor::new(file)).unwrap().unwrap().misfit(target)
}

fn header(class: u8, machine: u16) -> Vec<u8> {
    let mut file = vec![0; 64];
    file[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1]);
    file[18..20].copy_from_slice(&machine.to_le_bytes());
    file
}

#[test]
fn machines_are_told_apart() {
    assert_eq!(Elf::read(&mut Cursor::new(b"#!/bin/sh\n")).unwrap(), None);
    assert_eq!(misfit(&header(2, EM_AARCH64), Target::Arm64), None);
    assert_eq!(misfit(&header(2, 62), Target::Arm64).unwrap(), "64-bit x86 instead of 64-bit Arm");
    assert_eq!(misfit(&arm_file(None), Target::Arm64).unwrap(), "32-bit Arm instead of 64-bit Arm");
    assert_eq!(
        misfit(&header(2, EM_AARCH64), Target::Armv7 { neon: true }).unwrap(),
        "64-bit Arm instead of 32-bit Arm"
    );
    assert_eq!(misfit(&arm_file(None), Target::Armv6), None);
    assert!(misfit(&header(1, EM_ARM), Target::Armv7 { neon: true }).unwrap().contains("EABI"));
}

#[test]
fn attributes_decide_between_boards() {
    let (cpu, fp, simd) = (TAG_CPU_ARCH, TAG_FP_ARCH, TAG_ADVANCED_SIMD_ARCH);
    let (v7, v8) = (Some("ARMv7"), Some("ARMv8"));
    for (tags, on_v6, on_v7, on_neon) in [
        (vec![cpu, 6, fp, 2], None, None, None),
        (vec![cpu, 10, fp, 4], v7, None, None),
        (vec![cpu, 6, fp, 4], Some("VFPv3"), None, None),
        (vec![cpu, 10, fp, 3], v7, Some("VFPv3 with 32 registers"), None),
        (vec![32, 1, 0, 67, b'x', 0, cpu, 10, simd, 1], v7, Some("NEON"), None),
        (vec![cpu, 10, simd, 2], v7, Some("NEON of a later version"), Some("NEON of a later version")),
        (vec![cpu, 14], v8, v8, v8),
    ] {
        let file = arm_file(Some(&attributes(&tags)));
        for (target, name, lacking) in [
            (Target::Armv6, "ARMv6", on_v6),
            (Target::Armv7 { neon: false }, "ARMv7", on_v7),
            (Target::Armv7 { neon: true }, "ARMv7 with NEON", on_neon),
        ] {
            let expected = lacking.map(|lacking| format!("needs {lacking}, the board has {name}"));
            assert_eq!(misfit(&file, target), expected, "{tags:?}");
        }
        let elf = Elf::read(&mut Cursor::new(file)).unwrap().unwrap();
        assert_eq!((elf.float_abi(), elf.needs_libraries), (Some(FloatAbi::Hard), false));
    }
}

const TAG_CPU_ARCH: u8 = 6;
const TAG_FP_ARCH: u8 = 10;
const TAG_ADVANCED_SIMD_ARCH: u8 = 12;

#[test]
fn broken_files_are_errors() {
    for file in [&b"\x7fELF"[..], b"\x7fELF\x03\x01", &arm_file(Some(b"B")), &arm_file(Some(b"A\xff\0\0\0"))]
    {
        assert!(Elf::read(&mut Cursor::new(file)).is_err(), "{file:?}");
    }
}

/// The shell of this machine is a program for this machine.
#[test]
fn the_shell_is_of_this_machine() {
    let file = std::fs::read("/bin/sh").unwrap();
    let elf = Elf::read(&mut Cursor::new(&file)).unwrap().unwrap();
    let expected = match std::env::consts::ARCH {
        "x86_64" => 62,
        "aarch64" => EM_AARCH64,
        "arm" => EM_ARM,
        other => panic!("add the machine number of {other}"),
    };
    assert_eq!(elf.machine, expected);
    assert_eq!(elf.is_64_bit, usize::BITS == 64);
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic(
        mut file in prop::collection::vec(any::<u8>(), 0..200), section in prop::collection::vec(any::<u8>(), 0..40)
    ) {
        let start = file.len().min(6);
        file[..start].copy_from_slice(&b"\x7fELF\x01\x01"[..start]);
        let _ = Elf::read(&mut Cursor::new(&file));
        let _ = Elf::read(&mut Cursor::new(arm_file(Some(&section))));
    }
}
