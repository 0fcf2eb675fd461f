//! File systems that imgforge does not fully understand, or that contradict themselves.

use std::{fs, process::Command};

use crate::bench::{
    Bench, Case, NO_ROOM, PROFILE, ROOT, SUPERBLOCK, TABLE, UNUSABLE, made_base, partition, refused,
};
use imgforge_tests::Tool;

/// Offsets in an ext4 superblock, in bytes
/// (<https://www.kernel.org/doc/html/latest/filesystems/ext4/super.html>).
const S_MAGIC: u64 = 0x38;
const S_MTIME: u64 = 0x2c;

const ROOT_AT_FAULT: &str = "  caused by: cannot open the root file system";
const BOOT_AT_FAULT: &str = "  caused by: cannot read the boot partition";
const DAMAGED: &str =
    "hint: the file system is damaged: get the image again, or see what `e2fsck -fn` or `fsck.fat -n` says";
const REFUSED: &str = "hint: imgforge refuses what it does not fully understand, so that nothing is damaged";

/// A build of the base after a request of debugfs.
fn after(bench: &Bench, request: &str) -> Command {
    bench.debugfs(request);
    bench.build()
}

/// Where the inode of `path` lies in the base, in bytes.
fn inode_at(bench: &Bench, path: &str) -> u64 {
    let printed = bench.debugfs(&format!("imap {path}"));
    // `Inode 15 is part of block group 0` / `located at block 37, offset 0x0e00`
    let (block, offset) = printed
        .rsplit_once("block ")
        .and_then(|(_, place)| place.split_once(", offset 0x"))
        .expect("a place");
    let offset = u64::from_str_radix(offset.trim(), 16).expect("an offset");
    ROOT + block.parse::<u64>().expect("a block") * 4096 + offset
}

/// Where the first block of `path` lies in the base, in bytes.
fn block_at(bench: &Bench, path: &str) -> u64 {
    let printed = bench.debugfs(&format!("blocks {path}"));
    ROOT + printed.split_whitespace().next().and_then(|block| block.parse::<u64>().ok()).expect("a block")
        * 4096
}

/// A base without checksums, so that what is wrong is found by what it says.
fn without_checksums(bench: &Bench) {
    fs::write(bench.base(), made_base(TABLE, "^metadata_csum")).expect("a base");
}

#[test]
fn a_root_file_system_that_is_not_fully_understood_is_refused() {
    refused(&[
        Case {
            name: "an unknown feature",
            input: |bench| after(bench, "feature FEATURE_I29"),
            code: 1,
            answer: &[
                UNUSABLE,
                ROOT_AT_FAULT,
                "  caused by: unsupported: unknown incompat feature bits 0x20000000",
                REFUSED,
            ],
        },
        Case {
            name: "inline data",
            input: |bench| after(bench, "feature inline_data"),
            code: 1,
            answer: &[UNUSABLE, ROOT_AT_FAULT, "  caused by: unsupported: feature inline_data", REFUSED],
        },
        Case {
            name: "a journal to be replayed",
            input: |bench| after(bench, "feature needs_recovery"),
            code: 1,
            answer: &[
                UNUSABLE,
                ROOT_AT_FAULT,
                "  caused by: unsupported: a journal that was not replayed (needs_recovery): run e2fsck first",
                REFUSED,
            ],
        },
        Case {
            name: "errors that the kernel has seen",
            input: |bench| after(bench, "ssv state 2"),
            code: 1,
            answer: &[
                UNUSABLE,
                ROOT_AT_FAULT,
                "  caused by: unsupported: a file system marked as having errors: run e2fsck first",
                REFUSED,
            ],
        },
        Case {
            name: "no room for the group descriptors of a grown file system",
            input: |bench| {
                fs::write(bench.base(), made_base(TABLE, "^resize_inode")).expect("a base");
                bench.profile(&PROFILE.replace("reserve: 1", "reserve: 20000"));
                bench.build()
            },
            code: 1,
            answer: &[
                UNUSABLE,
                "  caused by: cannot grow the root file system",
                "  caused by: unsupported: growing to 5121792 blocks: too few reserved group descriptor blocks",
                NO_ROOM,
            ],
        },
        Case {
            name: "no ext4 at all",
            input: |bench| {
                bench.overwrite(SUPERBLOCK + S_MAGIC, &[0; 2]);
                bench.build()
            },
            code: 1,
            answer: &[
                UNUSABLE,
                "  caused by: the root file system is unsupported: it holds nothing that is known",
                "hint: take an image whose root is ext4, and its boot partition, if it has one, FAT",
            ],
        },
    ]);
}

#[test]
fn a_damaged_root_file_system_is_refused_at_the_place_of_the_damage() {
    refused(&[
        Case {
            name: "superblock",
            input: |bench| {
                bench.invert(SUPERBLOCK + S_MTIME);
                bench.build()
            },
            code: 3,
            answer: &[
                UNUSABLE,
                ROOT_AT_FAULT,
                "  caused by: corrupt file system: superblock: checksum does not match",
                DAMAGED,
            ],
        },
        Case {
            name: "group descriptors",
            input: |bench| {
                bench.invert(ROOT + 4096 + 4);
                bench.build()
            },
            code: 3,
            answer: &[
                UNUSABLE,
                ROOT_AT_FAULT,
                "  caused by: corrupt file system: group 0: descriptor checksum does not match",
                DAMAGED,
            ],
        },
        Case {
            name: "inode",
            input: |bench| {
                bench.invert(inode_at(bench, "/etc/hosts") + 8);
                bench.build()
            },
            code: 3,
            answer: &[
                UNUSABLE,
                "  caused by: cannot read /etc/hosts in the root file system: corrupt filesystem: invalid checksum for inode ",
                DAMAGED,
            ],
        },
        Case {
            name: "directory",
            input: |bench| {
                bench.invert(block_at(bench, "/etc") + 8);
                bench.build()
            },
            code: 3,
            answer: &[
                UNUSABLE,
                "  caused by: cannot read /etc in the root file system: corrupt filesystem: directory block in inode ",
                DAMAGED,
            ],
        },
        Case {
            name: "a directory with a record of no length",
            input: |bench| {
                without_checksums(bench);
                bench.overwrite(block_at(bench, "/etc") + 16, &[0, 0]);
                bench.build()
            },
            code: 3,
            answer: &[
                UNUSABLE,
                "  caused by: cannot read /etc in the root file system: corrupt filesystem: directory entry in inode ",
                DAMAGED,
            ],
        },
        Case {
            name: "a directory whose extent lies outside",
            input: |bench| {
                without_checksums(bench);
                after(bench, "sif /etc block[5] 0x7fffffff")
            },
            code: 3,
            answer: &[
                UNUSABLE,
                "  caused by: cannot read /etc in the root file system: corrupt filesystem: invalid read of length 4096 from block 2147483647",
                DAMAGED,
            ],
        },
        Case {
            name: "an extent tree that leads to itself",
            input: |bench| {
                without_checksums(bench);
                let inode = inode_at(bench, "/etc");
                let block = block_at(bench, "/etc");
                // eh_depth 1, and the one entry an index (ei_block, ei_leaf_lo) to a block that is such a node itself.
                let leaf = ((block - ROOT) / 4096) as u32;
                let header = |max: u16| [0xf30a_u16, 1, max, 1].map(u16::to_le_bytes).concat();
                let node = |max| [header(max), vec![0; 8], leaf.to_le_bytes().to_vec(), vec![0; 4]].concat();
                bench.overwrite(inode + 0x28, &node(4));
                bench.overwrite(block, &node(340));
                bench.build()
            },
            code: 3,
            answer: &[
                UNUSABLE,
                "  caused by: cannot read /etc in the root file system: corrupt filesystem: extent in inode ",
                DAMAGED,
            ],
        },
        Case {
            name: "an image cut off in the file system",
            input: |bench| {
                let cut = fs::read(bench.base()).expect("the base");
                let cut = bench.write("cut.img", &cut[..16 << 20]);
                partition(&cut, "label: dos\nstart=2048, size=30720, type=83\n");
                bench.build_on(&cut)
            },
            code: 3,
            answer: &[
                "error: cut.img cannot be used",
                ROOT_AT_FAULT,
                "  caused by: corrupt file system: the file system has 6144 blocks of 4096 bytes, its device only 15728640 bytes",
                DAMAGED,
            ],
        },
    ]);
}

/// Where the FAT boot partition of [`with_boot`] begins, in bytes, and its table after the one reserved sector.
const BOOT: u64 = 26 << 20;
const FAT: u64 = BOOT + 512;

/// The profile of a board with a boot partition.
fn profile_with_boot() -> String {
    let layout = "root: 1, boot: { partition: 2, mount: /boot }";
    PROFILE.replace("root: 1", layout).replace("armbian", "raspberrypi")
}

/// The base with a FAT16 boot partition behind the root: `first.bin` in clusters 2 to 4, `second.bin` in 5 to 7,
/// `cmdline.txt` in 8.
fn with_boot(bench: &Bench) {
    bench.profile(&profile_with_boot());
    let base = fs::File::options().write(true).open(bench.base());
    base.and_then(|base| base.set_len(34 << 20)).expect("room for the boot partition");
    partition(&bench.base(), &format!("{TABLE}start=53248, size=16384, type=c\n"));
    let volume = bench.path("boot.fat");
    let name = volume.display().to_string();
    Tool::MKFS_FAT.approves(["-C", "-F", "16", "-s", "1", "-R", "1", "-i", "12345678", &name, "8192"]);
    for (name, length) in [("first.bin", 1500), ("second.bin", 1500), ("cmdline.txt", 30)] {
        let file = bench.write(name, &vec![b'x'; length]);
        Tool::MCOPY.approves(["-i", &volume.display().to_string(), &file.display().to_string(), "::"]);
    }
    bench.overwrite(BOOT, &fs::read(&volume).expect("the volume"));
}

/// Sectors of one copy of the file allocation table (BPB_FATSz16).
fn fat_sectors(bench: &Bench) -> u64 {
    let base = fs::read(bench.base()).expect("the base");
    let bytes = base[BOOT as usize + 22..].first_chunk().expect("a boot sector");
    u64::from(u16::from_le_bytes(*bytes))
}

/// Makes `next` the entries of the clusters from `first` on, in both copies of the table.
fn chain(bench: &Bench, first: u64, next: &[u16]) {
    let bytes: Vec<u8> = next.iter().flat_map(|entry| entry.to_le_bytes()).collect();
    for copy in 0..2 {
        bench.overwrite(FAT + copy * fat_sectors(bench) * 512 + first * 2, &bytes);
    }
}

#[test]
fn a_damaged_boot_partition_is_refused_before_anything_is_read_from_it() {
    refused(&[
        Case {
            name: "cross-linked files",
            input: |bench| {
                with_boot(bench);
                chain(bench, 3, &[7]);
                bench.build()
            },
            code: 3,
            answer: &[
                UNUSABLE,
                BOOT_AT_FAULT,
                "  caused by: cluster 7 of `/SECOND.BIN` on the FAT volume is used twice",
                DAMAGED,
            ],
        },
        Case {
            name: "a chain that leads to itself",
            input: |bench| {
                with_boot(bench);
                chain(bench, 4, &[2]);
                bench.build()
            },
            code: 3,
            answer: &[
                UNUSABLE,
                BOOT_AT_FAULT,
                "  caused by: cluster 2 of `/FIRST.BIN` on the FAT volume is used twice",
                DAMAGED,
            ],
        },
        Case {
            name: "a chain that leads outside",
            input: |bench| {
                with_boot(bench);
                chain(bench, 3, &[0x8000]);
                bench.build()
            },
            code: 3,
            answer: &[UNUSABLE, BOOT_AT_FAULT, "  caused by: cluster ", DAMAGED],
        },
        Case {
            name: "copies of the table that differ",
            input: |bench| {
                with_boot(bench);
                bench.invert(FAT + 512);
                bench.build()
            },
            code: 3,
            answer: &[
                UNUSABLE,
                BOOT_AT_FAULT,
                "  caused by: the two copies of the file allocation table differ from byte 512 on",
                DAMAGED,
            ],
        },
        Case {
            name: "no FAT at all",
            input: |bench| {
                with_boot(bench);
                bench.overwrite(BOOT, &[0; 512]);
                bench.build()
            },
            code: 3,
            answer: &[UNUSABLE, BOOT_AT_FAULT, "  caused by: the partition has no FAT boot sector", DAMAGED],
        },
        Case {
            name: "no room for a longer command line",
            input: |bench| {
                with_boot(bench);
                // Every cluster behind those in use is bad.
                let end = fat_sectors(bench) * 512 / 2;
                chain(bench, 9, &vec![0xfff7; end as usize - 9]);
                bench.profile(&format!("{}kernel-arguments: [a={}]\n", profile_with_boot(), "x".repeat(600)));
                bench.build()
            },
            code: 1,
            answer: &[
                UNUSABLE,
                "  caused by: cannot change /cmdline.txt in the boot partition",
                "  caused by: the FAT volume is full: 1536 bytes needed, 512 bytes free",
                "hint: imgforge does not grow the boot partition: put less into it",
            ],
        },
    ]);
}
