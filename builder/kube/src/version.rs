//! Releases of Kubernetes: their numbers, what belongs to each, and what runs where.

mod number;
mod rules;
mod table;

pub use number::{InvalidVersion, Version};
pub use rules::{
    CONTROL_PLANE_MEMORY, KubeadmApi, Limits, Overruled, Refusal, newest_for, proxy_runs_on, runs_on, skew,
};
pub use table::{KNOWN, Line};
