//! An image: its partitions, what is in its file systems, what is to change there, and whether it did.

pub mod apply;
pub mod change;
pub mod open;
pub mod partitions;
pub mod read;
pub mod read_back;
pub mod survey;
