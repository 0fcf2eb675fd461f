//! The disk room against the tools of its trade: every format is made and judged by somebody else's program.

mod decode;
mod disk;
mod emit;
mod fat;
mod hostile;
mod partition;
mod tools;
