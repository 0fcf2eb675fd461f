//! FAT volumes as `mkfs.fat` and mtools make them, judged by `fsck.fat` and mtools after our edits.

use std::collections::BTreeMap;

use imgforge_disk::{Device, Disk, Error, fat::Fat};
use proptest::prelude::*;

use crate::tools::{Scratch, bytes_of, disk_over, image, run, try_run};

const EPOCH: u64 = 1_700_000_000;
const START: u64 = 1 << 20;

/// A kind of volume: name, size in KiB, arguments of mkfs.fat.
const KINDS: [(&str, u64, &[&str]); 4] = [
    ("FAT12", 4 << 10, &["-F12"]),
    ("FAT16", 32 << 10, &["-F16", "-s4"]),
    ("FAT32", 40 << 10, &["-F32", "-s1"]),
    ("FAT32 with one table", 40 << 10, &["-F32", "-s1", "-f1"]),
];

/// A disk with a volume at 1 MiB that holds some files of a vendor, and free clusters full of old bytes.
fn volume(scratch: &Scratch, kib: u64, arguments: &[&str]) -> Disk {
    let path = scratch.sparse("fat.img", kib << 10);
    let fat = scratch.arg("fat.img");
    run("mkfs.fat", &[arguments, &["-n", "bootfs", "--invariant", &fat]].concat());
    scratch.write("kernel", &image(300_000));
    scratch.write("cmdline.txt", b"console=tty1\n");
    scratch.write("junk", &[0xEE; 400_000]);
    let copy = |from: &str, to: &str| run("mcopy", &["-i", &fat, &scratch.arg(from), &format!("::{to}")]);
    run("mmd", &["-i", &fat, "::overlays"]);
    copy("kernel", "kernel8.img");
    copy("cmdline.txt", "cmdline.txt");
    copy("cmdline.txt", "overlays/disable-bluetooth.dtbo");
    copy("junk", "junk");
    run("mdel", &["-i", &fat, "::junk"]);
    let mut disk = disk_over(&path);
    let bytes = bytes_of(&disk);
    disk = Disk::new(std::sync::Arc::new([vec![0; START as usize], bytes].concat()));
    disk
}

fn open(disk: &mut Disk) -> Result<Fat<'_>, Error> {
    let size = disk.size();
    Fat::open(Disk::window(disk, START..size).unwrap(), EPOCH)
}

/// The volume in a file of its own, and the verdict of fsck.fat on it.
fn judge(scratch: &Scratch, disk: &Disk) -> String {
    scratch.write("after.img", &bytes_of(disk)[START as usize..]);
    let (clean, verdict) = try_run("fsck.fat", &["-n", "-v", &scratch.arg("after.img")]);
    assert!(clean, "{verdict}");
    verdict
}

#[test]
fn files_and_directories_of_every_width_pass_fsck() {
    for (kind, kib, arguments) in KINDS {
        let scratch = Scratch::new();
        let mut disk = volume(&scratch, kib, arguments);
        let mut fat = open(&mut disk).unwrap();
        fat.write("cmdline.txt", b"console=tty1 cgroup_enable=memory\n").unwrap();
        fat.write("A rather long name for a file.configuration", &[7; 70_000]).unwrap();
        fat.make_directory("imgforge").unwrap();
        fat.make_directory("imgforge/deeper").unwrap();
        fat.write("imgforge/deeper/stage", b"").unwrap();
        // Enough names to make a directory grow by many clusters, into clusters that held old bytes.
        for number in 0..100 {
            fat.write(&format!("imgforge/a file with a long name, number {number}"), b"x").unwrap();
        }
        fat.remove("kernel8.img").unwrap();
        fat.write("CMDLINE.TXT", b"short").unwrap();
        assert_eq!(fat.read("cmdline.txt").unwrap(), b"short");
        assert_eq!(fat.list("imgforge").unwrap().len(), 101, "{kind}: no ghosts");
        fat.finish().unwrap();

        let verdict = judge(&scratch, &disk);
        assert!(!verdict.to_lowercase().contains("bad"), "{kind}: {verdict}");
        let listed = run("mdir", &["-i", &scratch.arg("after.img"), "-b", "-/", "::"]);
        assert_eq!(
            listed.lines().filter(|line| line.contains("a file with a long name")).count(),
            100,
            "{kind}"
        );
        assert!(!listed.contains("kernel8"), "{kind}");
        let typed = run("mtype", &["-i", &scratch.arg("after.img"), "::cmdline.txt"]);
        assert_eq!(typed, "short", "{kind}");
    }
}

#[test]
fn times_are_the_epoch_and_every_run_gives_the_same_bytes() {
    let scratch = Scratch::new();
    let before = volume(&scratch, 40 << 10, &["-F32", "-s1"]);
    let edited = || {
        let mut disk = before.clone();
        let mut fat = open(&mut disk).unwrap();
        fat.write("new.txt", b"new").unwrap();
        fat.make_directory("new").unwrap();
        fat.finish().unwrap();
        disk
    };
    let disk = edited();
    assert!(bytes_of(&disk) == bytes_of(&edited()));
    judge(&scratch, &disk);
    let listed = run("mdir", &["-i", &scratch.arg("after.img"), "::"]);
    let line = listed.lines().find(|line| line.ends_with("new.txt")).unwrap_or_default();
    assert!(line.contains("2023-11-14"), "{listed}");
}

#[test]
fn reading_and_writing_the_same_changes_no_byte() {
    for (kind, kib, arguments) in KINDS {
        let scratch = Scratch::new();
        let mut disk = volume(&scratch, kib, arguments);
        let before = bytes_of(&disk);
        let mut fat = open(&mut disk).unwrap();
        assert_eq!(fat.read("overlays/disable-bluetooth.dtbo").unwrap(), b"console=tty1\n");
        let names: Vec<_> = fat.list("").unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["cmdline.txt", "kernel8.img", "overlays"]);
        fat.write("cmdline.txt", b"console=tty1\n").unwrap();
        fat.make_directory("overlays").unwrap();
        assert!(matches!(fat.read("missing/file"), Err(Error::NotFound { .. })));
        assert!(matches!(fat.remove("missing"), Err(Error::NotFound { .. })));
        fat.finish().unwrap();
        let changed = bytes_of(&disk).iter().zip(&before).filter(|(now, was)| now != was).count();
        // A failed removal may clear free clusters, nothing else; the files themselves are as they were.
        let free: usize = before.iter().filter(|byte| **byte == 0xEE).count();
        assert!(changed <= free, "{kind}: {changed} bytes changed");
    }
}

#[test]
fn nothing_removed_stays_in_the_free_space() {
    let scratch = Scratch::new();
    let mut disk = volume(&scratch, 32 << 10, &["-F16", "-s4"]);
    assert!(bytes_of(&disk).windows(4096).any(|window| window == [0xEE; 4096]));
    let mut fat = open(&mut disk).unwrap();
    fat.write("secret", &[0xDD; 100_000]).unwrap();
    fat.remove("secret").unwrap();
    fat.finish().unwrap();
    let bytes = bytes_of(&disk);
    assert!(!bytes.windows(64).any(|window| window == [0xEE; 64] || window == [0xDD; 64]));
    judge(&scratch, &disk);
}

#[test]
fn a_file_that_does_not_fit_is_refused_before_it_is_begun() {
    let scratch = Scratch::new();
    let mut disk = volume(&scratch, 4 << 10, &["-F12"]);
    let before = bytes_of(&disk);
    let mut fat = open(&mut disk).unwrap();
    let error = fat.write("big", &vec![1; 8 << 20]).unwrap_err();
    let Error::VolumeFull { needed, free } = error else { panic!("{error:?}") };
    assert!(needed > 8 << 20 && free < 4 << 20);
    fat.finish().unwrap();
    assert!(bytes_of(&disk) == before);

    // What is replaced counts as free.
    let mut fat = open(&mut disk).unwrap();
    fat.write("big", &vec![1; 2 << 20]).unwrap();
    fat.write("big", &vec![2; 3 << 20]).unwrap();
    fat.finish().unwrap();
    judge(&scratch, &disk);
}

#[test]
fn names_a_volume_cannot_have_are_refused() {
    let scratch = Scratch::new();
    let mut disk = volume(&scratch, 4 << 10, &["-F12"]);
    let mut fat = open(&mut disk).unwrap();
    assert!(matches!(fat.write("what?", b"x"), Err(Error::Unsupported(_))));
    assert!(matches!(fat.remove("overlays"), Err(Error::Unsupported(_))), "not empty");
    fat.finish().unwrap();
    judge(&scratch, &disk);
}

/// The volume with bytes changed at an offset from its start.
fn damaged(disk: &Disk, at: u64, bytes: &[u8]) -> String {
    let mut disk = disk.clone();
    disk.write_at(START + at, bytes).unwrap();
    let error = open(&mut disk).unwrap_err();
    assert!(matches!(error, Error::Corrupt(_) | Error::Unsupported(_)), "{error:?}");
    error.to_string()
}

#[test]
fn a_damaged_volume_is_refused_with_the_reason() {
    let scratch = Scratch::new();
    let disk = volume(&scratch, 40 << 10, &["-F32", "-s1", "-f1"]);
    // With one table and one sector to a cluster: overlays is cluster 3, the kernel begins in cluster 4.
    let fat =
        u64::from(u16::from_le_bytes(bytes_of(&disk)[START as usize + 14..][..2].try_into().unwrap())) * 512;
    let entry = |cluster: u64, value: u32| damaged(&disk, fat + cluster * 4, &value.to_le_bytes());
    assert!(entry(5, 4).contains("`/KERNEL8.IMG` on the FAT volume is used twice"), "{}", entry(5, 4));
    assert!(entry(5, 3).contains("used twice"));
    assert!(
        entry(5, 0x00F0_0000).contains("cluster 15728640 of `/KERNEL8.IMG` on the FAT volume does not exist")
    );
    assert!(entry(5, 1).contains("does not exist"));
    assert!(entry(5, 0).contains("marked free") || entry(5, 0).contains("has 300000 bytes"));
    assert!(entry(5, 0x0FFF_FFF7).contains("has 300000 bytes") || entry(5, 0x0FFF_FFF7).contains("bad"));
    assert!(
        entry(4, 0x0FFF_FFFF).contains("`/KERNEL8.IMG` on the FAT volume has 300000 bytes, but 1 clusters")
    );
    assert!(entry(2, 2).contains("used twice"));
    assert!(damaged(&disk, 510, &[0]).contains("no FAT boot sector"));
    assert!(damaged(&disk, 11, &[0, 3]).contains("BytsPerSec cannot be 768"));
    assert!(damaged(&disk, 13, &[3]).contains("SecPerClus cannot be 3"));
    assert!(damaged(&disk, 14, &[0, 0]).contains("RsvdSecCnt"));
    assert!(damaged(&disk, 32, &[0xFF; 4]).contains("but its partition has"));
    assert!(damaged(&disk, 36, &[1, 0, 0, 0]).contains("FATSz cannot be 1"));
    assert!(damaged(&disk, 36, &[0xFF; 4]).contains("FATSz"));
    assert!(damaged(&disk, 44, &[0; 4]).contains("does not exist"));
    assert!(damaged(&disk, 65, &[1]).contains("not cleanly unmounted"));
}

#[test]
fn tables_that_differ_are_refused() {
    let scratch = Scratch::new();
    let disk = volume(&scratch, 32 << 10, &["-F16", "-s4"]);
    assert!(damaged(&disk, 2048 + 100, &[0x55]).contains("copies of the file allocation table differ"));
}

#[derive(Debug, Clone)]
enum Edit {
    Write { directory: usize, file: usize, length: usize },
    Remove { directory: usize, file: usize },
    RemoveDirectory { directory: usize },
}

fn edit() -> impl Strategy<Value = Edit> {
    let length = prop_oneof![Just(0usize), 1usize..600, 0usize..40_000];
    prop_oneof![
        5 => (0usize..4, 0usize..12, length)
            .prop_map(|(directory, file, length)| Edit::Write { directory, file, length }),
        2 => (0usize..4, 0usize..12).prop_map(|(directory, file)| Edit::Remove { directory, file }),
        1 => (1usize..4).prop_map(|directory| Edit::RemoveDirectory { directory }),
    ]
}

/// The files of a volume by path, and its directories.
#[derive(Default)]
struct Model {
    files: BTreeMap<String, Vec<u8>>,
    directories: Vec<String>,
}

impl Model {
    fn apply(&mut self, fat: &mut Fat<'_>, edit: &Edit) {
        let directory =
            |number: usize| if number == 0 { String::new() } else { format!("directory {number}/") };
        match *edit {
            Edit::Write { directory: number, file, length } => {
                let (parent, bytes) = (directory(number), vec![length as u8 | 1; length]);
                if number > 0 && !self.directories.contains(&parent) {
                    fat.make_directory(parent.trim_end_matches('/')).unwrap();
                    self.directories.push(parent.clone());
                }
                let path = format!("{parent}a file with a long name, number {file}");
                fat.write(&path, &bytes).unwrap();
                self.files.insert(path, bytes);
            }
            Edit::Remove { directory: number, file } => {
                let path = format!("{}a file with a long name, number {file}", directory(number));
                assert_eq!(fat.remove(&path).is_ok(), self.files.remove(&path).is_some(), "{path}");
            }
            Edit::RemoveDirectory { directory: number } => {
                let parent = directory(number);
                let empty = !self.files.keys().any(|path| path.starts_with(&parent));
                let there = self.directories.contains(&parent);
                assert_eq!(fat.remove(parent.trim_end_matches('/')).is_ok(), there && empty, "{parent}");
                self.directories.retain(|other| !(empty && *other == parent));
            }
        }
    }
}

#[test]
fn any_sequence_of_edits_reads_back_and_passes_fsck() {
    for (kind, kib, arguments) in [KINDS[0], KINDS[2]] {
        let scratch = Scratch::new();
        let before = volume(&scratch, kib, arguments);
        proptest!(ProptestConfig::with_cases(8), |(edits in prop::collection::vec(edit(), 1..25))| {
            let mut disk = before.clone();
            let mut fat = open(&mut disk).unwrap();
            let mut model = Model::default();
            for edit in &edits {
                model.apply(&mut fat, edit);
            }
            for (path, bytes) in &model.files {
                prop_assert!(&fat.read(path).unwrap() == bytes, "{} {}", kind, path);
            }
            fat.finish().unwrap();
            judge(&scratch, &disk);
        });
    }
}
