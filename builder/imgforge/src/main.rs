//! The `imgforge` command.

fn main() {}
