//! Patches a vendor image of a single-board computer into a Kubernetes node, reproducibly.
//!
//! The stages of a build, in order: [`prepare`] reads profile, settings and base and makes the [`plan`]; [`apply`] makes
//! the planned changes in a disk over the base; [`read_back`] checks them with other code; [`output`] writes the files.

pub mod apply;
pub mod artifact;
pub mod base;
pub mod change;
pub mod checksum_file;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod commands;
pub mod console;
pub mod download;
pub mod error;
pub mod host_file;
pub mod image;
pub mod image_path;
pub mod kubernetes;
pub mod layer;
pub mod limits;
pub mod lock;
pub mod manifest;
pub mod node;
pub mod oci;
pub mod open_image;
pub mod output;
pub mod personalize;
pub mod pin;
pub mod plan;
pub mod prepare;
pub mod profile;
pub mod read;
pub mod read_back;
pub mod record;
pub mod release;
pub mod repositories;
pub mod resolve;
pub mod sbom;
pub mod settings;
pub mod signature;
pub mod store;
pub mod survey;
pub mod target;
pub mod unpack;
pub mod vendor;
pub mod yaml;
