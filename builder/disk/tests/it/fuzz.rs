//! The fuzz targets on mutations of what tools make, for a bounded time.

use std::{fs, path::Path};

use proptest::prelude::*;

use crate::tools::{Scratch, image, run, sfdisk};

#[path = "../../../../fuzz/targets/disk_seal.rs"]
pub mod seal;
#[path = "../../../../fuzz/targets/disk.rs"]
mod targets;

/// As many as `PROPTEST_CASES` says, or `usual`.
fn cases(usual: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(wanted.unwrap_or(usual))
}

/// Bytes to change: where (as a part of what is damaged) and to what.
fn damage() -> impl Strategy<Value = Vec<(usize, u8)>> {
    let value = prop_oneof![Just(0), Just(0xFF), 0u8..8, any::<u8>()];
    prop::collection::vec((0usize..1 << 20, value), 1..12)
}

/// `bytes` with the bytes at `places`, counted round, changed.
fn damaged(bytes: &[u8], damage: &[(usize, u8)], places: &[usize]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    damage.iter().for_each(|(at, value)| bytes[places[at % places.len()]] = *value);
    bytes
}

/// Runs `target` on mutations of `bytes` at `places`. Some are taken, some are not: both are worth looking at.
fn fuzz(target: fn(&[u8]) -> bool, bytes: &[u8], places: &[usize], usual: u32) {
    fuzz_sealed(target, bytes, places, usual, |_| {});
}

/// The same with checksums that `seal` puts right after the damage. Of the sealed seed not a byte differs.
fn fuzz_sealed(target: fn(&[u8]) -> bool, bytes: &[u8], places: &[usize], usual: u32, seal: fn(&mut [u8])) {
    assert!(target(bytes), "the seed itself");
    let mut whole = bytes.to_vec();
    seal(&mut whole);
    assert!(whole == bytes, "what tools made is sealed");
    let refused = std::cell::Cell::new(0);
    proptest!(cases(usual), |(damage in damage())| {
        let mut bytes = damaged(bytes, &damage, places);
        seal(&mut bytes);
        refused.set(refused.get() + u32::from(!target(&bytes)));
    });
    assert!(refused.get() > 0);
}

#[test]
fn guid_partition_tables_fuzz() {
    let scratch = Scratch::new();
    let path = scratch.sparse("gpt.img", 1 << 20);
    run("sgdisk", &["-n1:64:1000", "-n5:1024:1500", path.to_str().unwrap()]);
    let bytes = fs::read(path).unwrap();
    // Sector 0's records, the header, the array's beginning: where it matters. Whole, and cut behind the last partition.
    let places: Vec<_> = (440..604).chain(1024..1700).collect();
    fuzz(targets::table, &bytes, &places, 300);
    fuzz(targets::table, &bytes[..1501 * 512], &places, 300);
    // Behind the checksums: headers, and the entries that are in use.
    let places: Vec<_> = seal::table_places(&bytes).into_iter().flatten().collect();
    fuzz_sealed(targets::table, &bytes, &places, 500, seal::seal_table);
}

#[test]
fn chains_of_logical_partitions_fuzz() {
    let scratch = Scratch::new();
    let path = scratch.sparse("logical.img", 1 << 20);
    let script = "label: dos\n2 : start=64, size=1900, type=5\n5 : start=128, size=100\n\
                  6 : start=300, size=100\n7 : start=500, size=1000\n";
    sfdisk(&path, script);
    let bytes = fs::read(path).unwrap();
    let records: Vec<_> = (0..bytes.len() / 512).filter(|sector| bytes[sector * 512 + 510] == 0x55).collect();
    assert_eq!(records.len(), 4);
    let places: Vec<_> =
        records.iter().flat_map(|sector| (446..478).map(move |at| sector * 512 + at)).collect();
    fuzz(targets::table, &bytes, &places, 500);
}

#[test]
fn fat_volumes_fuzz() {
    for (arguments, kib) in [(["-F12", "-s1"], 1024), (["-F16", "-s1"], 4096)] {
        let scratch = Scratch::new();
        let path = scratch.sparse("fat.img", kib << 10);
        let fat = path.to_str().unwrap();
        run("mkfs.fat", &[arguments.as_slice(), &["-r", "64", fat]].concat());
        scratch.write("file", &[7; 3000]);
        run("mmd", &["-i", fat, "::overlays"]);
        run("mcopy", &["-i", fat, &scratch.arg("file"), "::overlays/a long name.txt"]);
        let bytes = fs::read(&path).unwrap();
        fuzz(targets::fat, &bytes, &(0..64).collect::<Vec<_>>(), 50);
        fuzz(targets::fat, &bytes, &(0..40_000).collect::<Vec<_>>(), 50);
    }
}

/// Fuzzes what `program` makes of a small image: everywhere, and where its headers and indexes are.
fn fuzz_packed(program: &str, arguments: &[&str], name: &str) {
    let scratch = Scratch::new();
    scratch.write("base.img", &image(300_000));
    run(program, &[arguments, &[&scratch.arg("base.img")]].concat());
    let bytes = read(&scratch.path(name));
    fuzz(targets::image_file, &bytes, &(0..bytes.len()).collect::<Vec<_>>(), 60);
    let ends: Vec<_> = (6..40).chain(bytes.len() - 80..bytes.len()).collect();
    fuzz(targets::image_file, &bytes, &ends, 120);
    let frame: Vec<_> = seal::packed_places(&bytes).into_iter().flatten().collect();
    fuzz_sealed(targets::image_file, &bytes, &frame, 200, seal::seal_packed);
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}

#[test]
fn published_files_fuzz() {
    fuzz_packed("xz", &["-k", "-0", "-T2", "--block-size=65536"], "base.img.xz");
    fuzz_packed("xz", &["-k", "-0"], "base.img.xz");
    fuzz_packed("zstd", &["-q", "--check"], "base.img.zst");
    fuzz_packed("zstd", &["-q", "--no-check"], "base.img.zst");
    fuzz_packed("gzip", &["-k"], "base.img.gz");
}

#[test]
fn pzstd_files_fuzz() {
    let scratch = Scratch::new();
    scratch.write("base.img", &image(300_000));
    run("pzstd", &["-q", "-p2", "-1", &scratch.arg("base.img"), "-o", &scratch.arg("base.zst")]);
    let bytes = read(&scratch.path("base.zst"));
    fuzz(targets::image_file, &bytes, &(0..40).collect::<Vec<_>>(), 200);
}

#[test]
fn zip_files_fuzz() {
    let scratch = Scratch::new();
    scratch.write("base.img", &image(300_000));
    run("zip", &["-qj", &scratch.arg("base.zip"), &scratch.arg("base.img")]);
    let bytes = read(&scratch.path("base.zip"));
    let ends: Vec<_> = (4..40).chain(bytes.len() - 120..bytes.len()).collect();
    fuzz(targets::image_file, &bytes, &ends, 200);
}

#[test]
fn damaged_xz_files_never_give_wrong_data() {
    use imgforge_disk::decode::{Options, decode};
    let scratch = Scratch::new();
    let original = image(300_000);
    scratch.write("base.img", &original);
    run("xz", &["-k", "-0", "-T2", "--block-size=65536", &scratch.arg("base.img")]);
    let bytes = read(&scratch.path("base.img.xz"));
    let places: Vec<_> = (6..bytes.len()).collect();
    let options = Options { threads: crate::tools::threads(2), limit: Some(1 << 20) };
    proptest!(cases(100), |(damage in damage())| {
        let path = scratch.write("damaged", &damaged(&bytes, &damage, &places));
        if decode(&path, &scratch.path("out"), &options, &|_| {}).is_ok() {
            prop_assert!(read(&scratch.path("out")) == original);
        }
    });
}
