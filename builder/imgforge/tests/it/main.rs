//! Tests of the crate through its public interface.

mod generated;
mod plan;
mod tree;
