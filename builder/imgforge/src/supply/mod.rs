//! What is fetched: the base, packages, files and container images, each by its hash, from the network into the store.

pub mod base;
pub mod checksum_file;
pub mod download;
pub mod lock;
pub mod oci;
pub mod pin;
pub mod repositories;
pub mod resolve;
pub mod signature;
pub mod store;
pub mod unpack;
