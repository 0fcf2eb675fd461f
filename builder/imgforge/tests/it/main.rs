//! Tests of the crate through its public interface.

mod fuzz;
mod generated;
mod plan;
mod tree;
