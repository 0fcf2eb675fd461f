//! The FAT boot partition.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {}
#[derive(Debug, thiserror::Error)]
pub(crate) enum Foreign {}
