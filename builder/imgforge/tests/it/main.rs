//! Tests of the crate through its public interface.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod cluster;
mod files;
mod fuzz;
mod generated;
mod limits;
mod pages;
mod plan;
mod programs;
mod rooms;
mod run_once;
mod settings;
mod store;
mod survey;
mod target;
mod tree;
