//! The build machine: where its files are, what it says and is told, what time it has.

pub mod clock;
mod colours;
pub mod console;
pub mod file;
pub mod interrupt;
pub(crate) mod lan;
pub(crate) mod person;
pub mod settings;
pub(crate) mod zone;
