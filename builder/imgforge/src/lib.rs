//! Patches a vendor image of a single-board computer into a Kubernetes node, reproducibly.
//!
//! The stages of a build, in order: [`prepare`] reads profile, settings and base and makes the [`plan`]; [`apply`] makes
//! the planned changes in a disk over the base; [`read_back`] checks them with other code; [`output`] writes the files.

#[cfg(test)]
extern crate self as imgforge;

pub mod build;
pub mod catalogue;
pub mod cli;
pub mod commands;
pub mod host;
pub mod image;
pub mod plan;
pub mod rules;
pub mod supply;
pub mod target;
pub mod yaml;
