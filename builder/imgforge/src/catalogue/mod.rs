//! What is known: boards, their vendors, releases of Kubernetes, add-ons; all of it data in `board-profiles/`.

pub mod add_ons;
pub mod artifact;
pub mod kubernetes;
pub mod limits;
pub mod profile;
pub mod vendor;
