//! The examples of the module's documentation.

use super::Kind;
use crate::{
    Editor,
    tests::{image, open},
};

/// The example of `allocate`, its blocks counted from one that is free in a file system without anything else free.
#[test]
fn the_longest_run_is_taken_first_and_the_grown_end_before_all() {
    let size = 8192 * 1024 + 1024;
    let mut bytes = image("-b 1024 -I 128 -N 2048 -O ^has_journal", "4M");
    bytes.resize(size, 0);
    let mut editor = open(bytes);
    let end = editor.superblock().blocks_count();
    let base = end - 24;
    for run in editor.free_runs().unwrap().in_order().collect::<Vec<_>>() {
        editor.take_blocks(run).unwrap();
    }
    for run in [4..7, 9..14, 17..19] {
        editor.free_blocks_of(base + run.start..base + run.end).unwrap();
    }
    let take = |editor: &mut Editor<Vec<u8>>, count| -> Vec<_> {
        let taken = editor.allocate_blocks(count).unwrap();
        taken.into_iter().map(|run| (run.start - base, run.end - base)).collect()
    };
    assert_eq!(take(&mut editor, 4), [(9, 13)]);
    assert_eq!(take(&mut editor, 1), [(13, 14)]);
    assert_eq!(take(&mut editor, 4), [(4, 7), (17, 18)]);
    editor.grow((end + 8) * 1024).unwrap();
    assert_eq!(take(&mut editor, 2), [(24, 26)]);
    assert_eq!(take(&mut editor, 7), [(18, 19), (26, 32)]);
}

/// The other example of `allocate`: file systems with blocks of 2048 bytes have 16 inodes of 128 bytes in each.
#[test]
fn inodes_come_from_blocks_of_the_table_that_nothing_uses() {
    let mut editor = open(image("-b 2048 -I 128 -N 64 -O ^has_journal,^resize_inode", "2M"));
    let numbers: Vec<_> = (0..6).map(|_| editor.allocate_inode(false).unwrap()).collect();
    assert_eq!(numbers, [17, 18, 19, 20, 21, 22], "1 to 11 are taken, so the block of 17 is free");
    let mut editor = open(image("-b 2048 -I 128 -N 64 -O ^has_journal,^resize_inode", "2M"));
    editor.change_bitmap(Kind::Inode, 0, |bitmap| bitmap.set(16..17)).unwrap();
    assert_eq!(editor.allocate_inode(false).unwrap(), 33);
    editor.change_bitmap(Kind::Inode, 0, |bitmap| bitmap.set(33..64)).unwrap();
    editor.space.inode_run = 0..0;
    assert_eq!(editor.allocate_inode(false).unwrap(), 12, "no block is free as a whole");
}
