//! The disk room against the tools of its trade: every format is made and judged by somebody else's program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod decode;
mod disk;
mod emit;
mod fat;
mod fuzz;
mod hostile;
mod logical;
mod partition;
mod probe;
mod tools;
