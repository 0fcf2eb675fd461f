//! The editor against real images and independent judges. Every image is made by mke2fs while the tests run.
//!
//! Needs e2fsprogs. Where root and loop devices are at hand the kernel is a judge too; where not, one line says so.
#![allow(clippy::unwrap_used)]

/// Makes one test of `$check` for every format that the editor promises to edit.
macro_rules! for_each_format {
    ($check:path) => {
        for_each_format! { $check:
            armbian: ARMBIAN,
            raspberry: RASPBERRY,
            checksum_seed_and_orphan_file: SEED_ORPHAN_FILE,
            blocks_1k: BLOCKS_1K,
            blocks_2k: BLOCKS_2K,
            group_checksums: GROUP_CHECKSUMS,
            no_checksums: NO_CHECKSUMS,
            no_flex_groups: NO_FLEX_GROUPS,
            flex_groups_of_four: FLEX_GROUPS_OF_FOUR,
            no_resize_inode: NO_RESIZE_INODE,
            no_indexed_directories: NO_DIR_INDEX,
            few_features: FEW_FEATURES,
            no_journal: NO_JOURNAL,
            small_inodes: SMALL_INODES,
            small_inodes_without_checksums: SMALL_INODES_UNSEALED,
            block_maps: BLOCK_MAPS,
            all_superblock_backups: NO_SPARSE_SUPER,
            many_small_groups: SMALL_GROUPS,
        }
    };
    ($check:path: $($test:ident: $format:ident,)*) => {
        $(#[test]
        fn $test() {
            $check(&$crate::fixture::$format);
        })*
    };
}

mod attributes;
mod determinism;
mod directories;
mod disk;
mod files;
mod fixture;
mod fuzz;
mod grow;
mod hostile;
mod journal;
mod judges;
mod links;
mod model;
mod oracle;
mod properties;
mod refusals;
mod small_inodes;
mod space;
mod tree;
