//! A cluster that runs, or is about to: talking with its API servers, with the members of its etcd, and with nodes at
//! their first boot. Whatever comes from there is read within bounds; who answers is told by certificates of the cluster's own
//! authorities, but for first boots, which nobody vouches for.

pub(crate) mod apply;
mod connection;
mod error;
pub(crate) mod etcd;
mod first_boot;
mod grpc;
pub(crate) mod kubernetes;
pub mod look;
pub(crate) mod places;
mod protobuf;
pub mod removal;
pub mod snapshot;
pub mod upgrade;

pub use error::Error;
pub use first_boot::PORT as STATUS_PORT;
