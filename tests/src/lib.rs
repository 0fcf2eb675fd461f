//! What the whole-program tests share: local bases, foreign tools as judges, QEMU guests, a vendor's web server that
//! misbehaves on demand, and the `imgforge` command in a home of its own.
//!
//! Everything here panics with an explanation instead of returning errors: its only callers are tests.

mod base;
mod build;
mod gnupg;
mod guest;
mod oracle;
mod program;
mod vendor_server;

pub use base::Base;
pub use build::{Workbench, approved, fails, file_in, succeeds};
pub use gnupg::Gnupg;
pub use guest::Guest;
pub use oracle::{Partition, Tool, partitions};
pub use program::{Home, repository};
pub use vendor_server::{Fault, VendorServer};
