//! Programs for the 32-bit Arms, as GNU's assembler and linker make them (`make-arm-programs`), and what GNU's readelf says of
//! them.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{fs::File, path::PathBuf, process::Command, sync::LazyLock};

use imgforge_debian::{Elf, FloatAbi, Target};
use tempfile::TempDir;

static PROGRAMS: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/make-arm-programs");
    assert!(Command::new(script).arg(folder.path()).status().unwrap().success());
    folder
});

fn path(name: &str) -> PathBuf {
    PROGRAMS.path().join(name)
}

fn elf(name: &str) -> Elf {
    Elf::read(&mut File::open(path(name)).unwrap()).unwrap().unwrap()
}

const V7: Target = Target::Armv7 { neon: false };

#[test]
fn a_processor_runs_what_is_made_for_itself_and_for_earlier_ones() {
    for (name, on_v6) in
        [("armel", None), ("raspbian", None), ("armhf", Some("needs ARMv7, the board has ARMv6"))]
    {
        for name in [name.to_owned(), format!("{name}-static")] {
            assert_eq!(elf(&name).misfit(Target::Armv6).as_deref(), on_v6, "{name}");
            assert_eq!(elf(&name).misfit(V7), None, "{name}");
            assert_eq!(elf(&name).misfit(Target::Arm64).unwrap(), "32-bit Arm instead of 64-bit Arm");
        }
    }
}

#[test]
fn a_program_needs_libraries_that_pass_numbers_as_it_does() {
    let (soft, hard) = (elf("armel"), elf("raspbian"));
    let misfit = "is made for libraries of soft float, those of the base are of hard float";
    assert_eq!(soft.misfit_beside(&hard).as_deref(), Some(misfit));
    let misfit = "is made for libraries of hard float, those of the base are of soft float";
    assert_eq!(hard.misfit_beside(&soft).as_deref(), Some(misfit));
    assert_eq!(elf("armhf").misfit_beside(&soft).as_deref(), Some(misfit));
    for name in ["raspbian", "armhf", "raspbian-static", "armhf-static", "armel-static"] {
        assert_eq!(elf(name).misfit_beside(&hard), None, "{name}");
    }
    for name in ["armel", "armel-static", "raspbian-static", "armhf-static"] {
        assert_eq!(elf(name).misfit_beside(&soft), None, "{name}");
    }
}

/// GNU's reader agrees about every file.
#[test]
fn readelf_says_the_same() {
    for name in ["armel", "raspbian", "armhf"] {
        for (name, needs_libraries) in [(name.to_owned(), true), (format!("{name}-static"), false)] {
            let said = Command::new("readelf").args(["-hdA"]).arg(path(&name)).output().unwrap();
            assert!(said.status.success());
            let said = String::from_utf8(said.stdout).unwrap();
            let elf = elf(&name);
            let abi = if said.contains("hard-float ABI") { FloatAbi::Hard } else { FloatAbi::Soft };
            assert_eq!(elf.float_abi(), Some(abi), "{name}");
            assert_eq!(elf.needs_libraries, said.contains("(NEEDED)"), "{name}");
            assert_eq!(elf.needs_libraries, needs_libraries, "{name}");
            let cpu = said.lines().find_map(|line| line.trim().strip_prefix("Tag_CPU_arch: ")).unwrap();
            let number =
                [("v5TE", 4), ("v6", 6), ("v7", 10)].into_iter().find(|(tag, _)| *tag == cpu).unwrap().1;
            assert_eq!(elf.attributes.unwrap().cpu_arch, number, "{name}");
        }
    }
}
