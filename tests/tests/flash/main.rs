//! Images onto cards: files that stand for one, and loop devices where the test is root. Here what is written; beside it what is
//! refused, and what goes wrong on the way.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod bench;
mod faults;
mod refused;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use bench::{Bench, MIB, as_its_map_says};
use imgforge_tests::{LoopDevice, Workbench, read_at, same, succeeds, used_card};

/// What is zeroed at the end of a card.
const LAST: u64 = 4 * MIB;

#[test]
fn a_file_has_the_image_byte_for_byte() {
    let bench = Bench::new(64 * MIB, 64 * MIB);
    fs::write(&bench.card, vec![0; 64 * MIB as usize]).unwrap();
    let output = succeeds(&mut bench.flashed());
    same(&bench.image, &bench.card, &[""]);
    let said = String::from_utf8(output.stdout).unwrap();
    let said = bench.plain(&said);
    assert!(
        said.starts_with("~/card: ~/k1.img, ") && said.ends_with(" MB written and read back\n"),
        "{said}"
    );
    let said = bench.plain(&String::from_utf8(output.stderr).unwrap());
    assert_eq!(said, "writing ~/card\nreading back ~/card\n");
}

#[test]
fn compressed_images_are_decoded_on_the_way_by_their_maps_or_whole() {
    let bench = Bench::new(32 * MIB, 32 * MIB);
    for (program, ending) in [("xz", "xz"), ("zstd", "zst"), ("gzip", "gz")] {
        let packed = PathBuf::from(format!("{}.{ending}", bench.image.display()));
        let mut pack = Command::new("sh");
        pack.args(["-c", &format!("{program} -1 -c \"$0\" > \"$1\"")]).args([&bench.image, &packed]);
        succeeds(&mut pack);
        let map = PathBuf::from(format!("{}.bmap", bench.image.display()));
        // As bmaptool finds it, beside the compressed file under the image's name; then under its own; then none.
        for map_of_packed in [Some(map.clone()), Some(format!("{}.bmap", packed.display()).into()), None] {
            let kept = fs::read(&map).unwrap();
            fs::remove_file(&map).unwrap();
            map_of_packed.iter().for_each(|path| fs::write(path, &kept).unwrap());
            used_card(&bench.card, 32 * MIB);
            succeeds(&mut bench.flash(&[&packed, &bench.card, Path::new("--yes")]));
            // Without a map, zeros are written as well; with one, what it leaves out stays as it was.
            let is_same = Command::new("cmp").arg("-s").args([&bench.image, &bench.card]).status().unwrap();
            assert_eq!(is_same.success(), map_of_packed.is_none(), "{program} {map_of_packed:?}");
            as_its_map_says(&bench.card, &kept);
            map_of_packed.iter().for_each(|path| fs::remove_file(path).unwrap());
            fs::write(&map, &kept).unwrap();
        }
    }
}

#[test]
fn a_build_ends_with_the_command_that_puts_its_image_onto_a_card() {
    let bench = Workbench::new();
    let path = |name: &str| bench.home.path().join(name);
    for name in ["k1.img", "k1.img.zst"] {
        let (image, mut build) = bench.build("rk3328", "base", name);
        let said = String::from_utf8(succeeds(&mut build).stderr).unwrap();
        let next = format!("onto a card: `imgforge flash {}`", image.display());
        assert_eq!(said.lines().last(), Some(next.as_str()));
        let (card, theirs) = (path("card"), path("theirs"));
        let _ = fs::remove_file(&theirs);
        succeeds(Command::new("bmaptool").arg("copy").args([&image, &theirs]));
        let size = fs::metadata(&theirs).unwrap().len();
        fs::File::create(&card).unwrap().set_len(size).unwrap();
        succeeds(bench.imgforge().arg("flash").args([&image, &card]).arg("--yes"));
        same(&card, &theirs, &[""]);
    }
}

#[test]
fn a_device_has_what_bmaptool_writes_and_no_trace_of_an_older_use_at_its_end() {
    let bench = Bench::new(64 * MIB, 96 * MIB);
    let other = bench.home.path().join("other");
    fs::copy(&bench.card, &other).unwrap();
    let (Some(device), Some(theirs)) = (bench.loop_device(&[]), LoopDevice::over(&other, &[])) else {
        return;
    };
    succeeds(&mut bench.forced(device.path()));
    succeeds(Command::new("bmaptool").arg("copy").arg(&bench.image).arg(theirs.path()));
    drop((device, theirs));
    let beginning = |path: &Path| read_at(path, 0, 96 * MIB - LAST);
    assert!(beginning(&bench.card) == beginning(&other));
    assert!(read_at(&bench.card, 96 * MIB - LAST, LAST).iter().all(|byte| *byte == 0));
    assert!(
        read_at(&other, 96 * MIB - LAST, LAST).iter().all(|byte| *byte != 0),
        "bmaptool leaves the end as it is"
    );
}

#[test]
fn the_backup_of_an_old_gpt_goes() {
    let bench = Bench::new(64 * MIB, 96 * MIB);
    succeeds(Command::new("sgdisk").args(["--clear", "--new=1:0:0"]).arg(&bench.card));
    succeeds(&mut bench.flashed());
    // The table is the image's, and sgdisk finds no GPT that could be mended from its backup.
    let said = succeeds(Command::new("sgdisk").arg("--verify").arg(&bench.card));
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("Invalid partition data") || said.contains("No problems found"), "{said}");
    let table = succeeds(Command::new("sfdisk").arg("--dump").arg(&bench.card));
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("label: dos"), "{table}");
    let marks = succeeds(Command::new("wipefs").arg("--parsable").arg(&bench.card));
    let marks = String::from_utf8_lossy(&marks.stdout).into_owned();
    assert!(!marks.contains("gpt"), "{marks}");
}
