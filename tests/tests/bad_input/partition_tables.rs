//! Partition tables that are not there, contradict themselves, or are not the board's.

use std::process::Command;

use crate::bench::{Bench, Case, NO_ROOM, PROFILE, TABLE, UNUSABLE, made_base, partition, refused};
use imgforge_tests::Tool;

/// Where an MBR's first partition entry has its number of sectors, in bytes.
const FIRST_SIZE: u64 = 446 + 12;
/// Where the second entry begins.
const SECOND: u64 = 446 + 16;

const TABLE_AT_FAULT: &str = "  caused by: cannot read the partition table";
const GET_AGAIN: &str = "hint: the image is cut off, damaged, or no disk image: get it again";
const WRONG_BOARD: &str = "hint: is this image for that board? `imgforge inspect IMAGE` shows what is in it";

/// A build of a base with the table that sfdisk makes of `table`.
fn with_table(bench: &Bench, table: &str) -> Command {
    partition(&bench.base(), table);
    bench.build()
}

#[test]
fn a_partition_table_that_cannot_be_right_is_refused() {
    refused(&[
        Case {
            name: "no partition table",
            input: |bench| {
                bench.overwrite(0, &[0; 512]);
                bench.build()
            },
            code: 3,
            answer: &[UNUSABLE, TABLE_AT_FAULT, "  caused by: the image has no partition table", GET_AGAIN],
        },
        Case {
            name: "a file system where a disk should be",
            input: |bench| {
                bench.build_on(&bench.write("root.img", &made_base(TABLE, "metadata_csum")[1 << 20..]))
            },
            code: 3,
            answer: &[
                "error: root.img cannot be used",
                TABLE_AT_FAULT,
                "  caused by: the image has no partition table",
                GET_AGAIN,
            ],
        },
        Case {
            name: "two partition tables",
            input: |bench| {
                // sgdisk makes a GPT of the MBR; the MBR comes back over the protective one.
                let mbr = std::fs::read(bench.base()).expect("the base")[..512].to_vec();
                let base = bench.base().display().to_string();
                std::fs::File::options()
                    .write(true)
                    .open(bench.base())
                    .and_then(|base| base.set_len(26 << 20))
                    .expect("room for the backup table");
                Tool::SGDISK.approves(["--mbrtogpt", &base]);
                bench.overwrite(0, &mbr);
                bench.build()
            },
            code: 3,
            answer: &[
                UNUSABLE,
                TABLE_AT_FAULT,
                "  caused by: the image has two partition tables: an MBR with partitions and a GPT header in sector 1",
                GET_AGAIN,
            ],
        },
        Case {
            name: "a partition beyond the disk",
            input: |bench| {
                bench.overwrite(FIRST_SIZE, &49153_u32.to_le_bytes());
                bench.build()
            },
            code: 3,
            answer: &[
                UNUSABLE,
                TABLE_AT_FAULT,
                "  caused by: partition 1 ends at sector 51201, but the disk has 51200 sectors",
                GET_AGAIN,
            ],
        },
        Case {
            name: "partitions that overlap",
            input: |bench| {
                bench.overwrite(SECOND, &[0, 0, 0, 0, 0x83, 0, 0, 0]);
                bench.overwrite(SECOND + 8, &[40960_u32.to_le_bytes(), 2048_u32.to_le_bytes()].concat());
                bench.build()
            },
            code: 3,
            answer: &[
                UNUSABLE,
                TABLE_AT_FAULT,
                "  caused by: partitions 1 and 2 overlap at sector 40960",
                GET_AGAIN,
            ],
        },
    ]);
}

#[test]
fn a_table_that_is_not_the_boards_is_refused() {
    refused(&[
        Case {
            name: "the wrong kind of table",
            input: |bench| {
                bench.profile(&PROFILE.replace("table: mbr", "table: gpt"));
                bench.build()
            },
            code: 1,
            answer: &[
                UNUSABLE,
                "  caused by: the image has a partition table of kind Mbr, but the profile says Gpt",
                WRONG_BOARD,
            ],
        },
        Case {
            name: "no partition of the root's number",
            input: |bench| {
                bench.profile(&PROFILE.replace("root: 1", "root: 3"));
                bench.build()
            },
            code: 1,
            answer: &[
                UNUSABLE,
                "  caused by: the image has no partition 3, which the profile says is the root file system; it has 1",
                WRONG_BOARD,
            ],
        },
        Case {
            name: "no partition of the boot partition's number",
            input: |bench| {
                bench.profile(&PROFILE.replace("root: 1", "root: 1, boot: { partition: 2, mount: /boot }"));
                bench.build()
            },
            code: 1,
            answer: &[
                UNUSABLE,
                "  caused by: the image has no partition 2, which the profile says is the boot partition; it has 1",
                WRONG_BOARD,
            ],
        },
        Case {
            name: "a root that has to grow, with a partition behind it",
            input: |bench| {
                bench.profile(&PROFILE.replace("reserve: 1", "reserve: 100"));
                let base = std::fs::File::options().write(true).open(bench.base());
                base.and_then(|base| base.set_len(26 << 20)).expect("room for the second partition");
                with_table(bench, &format!("{TABLE}start=51200, size=1024, type=83\n"))
            },
            code: 1,
            answer: &[
                UNUSABLE,
                "  caused by: cannot grow the root partition",
                "  caused by: partition 1 cannot grow: partition 2 comes after it",
                NO_ROOM,
            ],
        },
        Case {
            name: "a root that would end where an MBR cannot say it",
            input: |bench| {
                bench.profile(&PROFILE.replace("reserve: 1", "reserve: 3000000"));
                bench.build()
            },
            code: 1,
            answer: &[
                UNUSABLE,
                "  caused by: cannot grow the root partition",
                "  caused by: a partition of an MBR cannot end beyond sector 2^32",
                NO_ROOM,
            ],
        },
    ]);
}
