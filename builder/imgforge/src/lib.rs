//! Patches a vendor image of a single-board computer into a Kubernetes node, reproducibly.
//!
//! The rooms, from the ground up: [`yaml`] and [`host`] know the build machine's files, [`running`] talks with a cluster that
//! runs, [`catalogue`] has what is known of boards, [`image`] what is in an image, [`flash`] puts one onto a card, [`supply`] fetches, [`target`] says what is
//! wanted, [`plan`] makes the changes of it, [`rules`] judge them, [`build`] makes the image; [`cli`] and [`commands`] are its
//! face. ARCHITECTURE.md has the stages of a build.

#[cfg(test)]
extern crate self as imgforge;

pub mod build;
pub mod catalogue;
pub mod cli;
pub mod commands;
pub mod flash;
pub mod host;
pub mod image;
pub mod plan;
pub mod rules;
pub mod running;
pub mod supply;
pub mod target;
pub mod yaml;
