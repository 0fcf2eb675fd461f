//! Edits an ext4 file system in place, offline and without privileges.

mod device;

pub use device::{Content, Device};
