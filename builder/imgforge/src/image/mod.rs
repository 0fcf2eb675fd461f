//! An image: its partitions, what is in its file systems, what is to change there, and whether it did.

pub mod apply;
pub mod change;
pub mod entry;
pub mod open;
pub mod partitions;
pub(crate) mod programs;
pub mod read;
pub mod read_back;
pub mod recognise;
pub mod survey;

/// What can be done about a file system that contradicts itself.
const DAMAGED: &str =
    "the file system is damaged: get the image again, or see what `e2fsck -fn` or `fsck.fat -n` says";
