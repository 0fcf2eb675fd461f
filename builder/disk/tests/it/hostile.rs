//! Damaged and malicious input: an error or a sound result, never a panic, never a loop.

use std::sync::Arc;

use imgforge_disk::{
    Device, Disk, Error, FileContent,
    decode::{Options, decode},
    fat::Fat,
    partition::Table,
    xz::XzFile,
};
use proptest::prelude::*;

use crate::tools::{Scratch, image, run, sfdisk, threads};

/// Bytes to change: where (as a part of the whole) and to what.
fn damage() -> impl Strategy<Value = Vec<(usize, u8)>> {
    let value = prop_oneof![Just(0), Just(0xFF), any::<u8>()];
    prop::collection::vec((0usize..1 << 20, value), 1..12)
}

fn damaged(bytes: &[u8], damage: &[(usize, u8)], most: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, value) in damage {
        let at = at % most.min(bytes.len());
        bytes[at] = *value;
    }
    bytes
}

fn refused_or_sound<T>(result: Result<T, Error>) -> Result<(), TestCaseError> {
    match result {
        Ok(_) | Err(Error::Corrupt(_) | Error::Unsupported(_) | Error::Layout(_)) => Ok(()),
        Err(other) => Err(TestCaseError::fail(format!("{other:?}"))),
    }
}

#[test]
fn partition_tables_never_panic() {
    let scratch = Scratch::new();
    let path = scratch.sparse("gpt.img", 1 << 20);
    run("sgdisk", &["-n1:64:1000", "-n5:1024:0", path.to_str().unwrap()]);
    let bytes = std::fs::read(path).unwrap();
    proptest!(ProptestConfig::with_cases(300), |(damage in damage())| {
        // The first two sectors and the array's beginning, where it matters.
        let mut disk = Disk::new(Arc::new(damaged(&bytes, &damage, 1400)));
        let table = Table::read(&disk);
        if let Ok(mut table) = table {
            let last = table.partitions().iter().max_by_key(|partition| partition.start).unwrap().clone();
            disk.resize(2 << 20);
            let grown = table.grow(last.number, last.sectors + 100).and_then(|()| table.write(&mut disk));
            refused_or_sound(grown)?;
            let again = Table::read(&disk);
            prop_assert!(again.is_ok(), "{:?}", again);
        } else {
            refused_or_sound(table)?;
        }
    });
}

#[test]
fn chains_of_logical_partitions_never_panic_or_loop() {
    let scratch = Scratch::new();
    let path = scratch.sparse("logical.img", 1 << 20);
    let script = "label: dos\n2 : start=64, size=1900, type=5\n5 : start=128, size=100\n\
                  6 : start=300, size=100\n7 : start=500, size=1000\n";
    sfdisk(&path, script);
    let bytes = std::fs::read(path).unwrap();
    let chain: Vec<_> = (1..bytes.len() / 512).filter(|sector| bytes[sector * 512 + 510] == 0x55).collect();
    assert_eq!(chain.len(), 3);
    // A record of the chain, a field of its two entries, a value near sectors that exist.
    let damage = prop::collection::vec((0usize..3, 446usize..478, prop_oneof![0u8..4, any::<u8>()]), 1..6);
    proptest!(ProptestConfig::with_cases(500), |(damage in damage)| {
        let mut bytes = bytes.clone();
        damage.iter().for_each(|(record, at, value)| bytes[chain[*record] * 512 + at] = *value);
        let table = Table::read(&Disk::new(Arc::new(bytes)));
        if let Ok(table) = &table {
            prop_assert!(table.partitions().iter().all(|partition| partition.range().end <= 1 << 20));
        }
        refused_or_sound(table)?;
    });
}

#[test]
fn fat_volumes_never_panic() {
    for arguments in [["-F12", "-s1"], ["-F16", "-s1"]] {
        let scratch = Scratch::new();
        let kib = if arguments[0] == "-F12" { 1024 } else { 4096 };
        let path = scratch.sparse("fat.img", kib << 10);
        let fat = path.to_str().unwrap();
        run("mkfs.fat", &[arguments.as_slice(), &["-r", "64", fat]].concat());
        scratch.write("file", &[7; 3000]);
        run("mmd", &["-i", fat, "::overlays"]);
        run("mcopy", &["-i", fat, &scratch.arg("file"), "::overlays/a long name.txt"]);
        let bytes = std::fs::read(&path).unwrap();
        proptest!(ProptestConfig::with_cases(100), |(damage in damage(), whole in any::<bool>())| {
            let most = if whole { 40_000 } else { 64 };
            let mut disk = Disk::new(Arc::new(damaged(&bytes, &damage, most)));
            let size = disk.size();
            let window = Disk::window(&mut disk, 0..size).unwrap();
            match Fat::open(window, 0) {
                Ok(mut fat) => {
                    let edited = fat.list("").and_then(|_| fat.write("new file.txt", b"content"));
                    let full = matches!(edited, Err(Error::VolumeFull { .. } | Error::NotFound { .. }));
                    if !full {
                        refused_or_sound(edited)?;
                    }
                }
                Err(error) => refused_or_sound::<()>(Err(error))?,
            }
        });
    }
}

#[test]
fn xz_files_never_panic_and_never_give_wrong_data() {
    let scratch = Scratch::new();
    let original = image(300_000);
    scratch.write("base.img", &original);
    run("xz", &["-k", "-0", "-T2", "--block-size=65536", &scratch.arg("base.img")]);
    let bytes = std::fs::read(scratch.path("base.img.xz")).unwrap();
    proptest!(ProptestConfig::with_cases(100), |(damage in damage(), tail in any::<bool>())| {
        let mut bytes = bytes.clone();
        if tail {
            // Aim at the index and the footer.
            bytes.reverse();
            bytes = damaged(&bytes, &damage, 80);
            bytes.reverse();
        } else {
            bytes = damaged(&bytes, &damage, usize::MAX);
        }
        let path = scratch.write("damaged", &bytes);
        refused_or_sound(XzFile::open(FileContent::open(&path).unwrap()))?;
        let options = Options { threads: threads(2), limit: Some(1 << 20) };
        match decode(&path, &scratch.path("out"), &options, &|_| {}) {
            // Beginnings that are no longer .xz are taken for raw images.
            Ok(_) if bytes.starts_with(b"\xFD7zXZ\0") => {
                prop_assert!(std::fs::read(scratch.path("out")).unwrap() == original);
            }
            Err(Error::TooLarge { .. }) => {}
            other => refused_or_sound(other)?,
        }
    });
}

#[test]
fn a_full_host_disk_is_told_as_such() {
    let scratch = Scratch::new();
    let source = scratch.write("base.img", &image(100_000));
    let options = Options { threads: threads(1), limit: None };
    let error = decode(&source, "/dev/full".as_ref(), &options, &|_| {}).unwrap_err();
    assert!(matches!(error, Error::HostFull { .. }), "{error:?}");
    assert!(error.to_string().contains("/dev/full"), "{error}");
}

#[test]
fn a_base_that_shrinks_under_us_is_an_error() {
    let scratch = Scratch::new();
    let path = scratch.write("base.img", &image(100_000));
    let disk = Disk::new(Arc::new(FileContent::open(&path).unwrap()));
    std::fs::File::options().write(true).open(&path).unwrap().set_len(50_000).unwrap();
    assert!(disk.read_at(49_000, &mut [0; 2000]).is_err());
    assert_eq!(Device::size(&disk), 100_000);
}
