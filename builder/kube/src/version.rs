//! Releases of Kubernetes: their numbers, what belongs to each, and what runs where.

mod line;
mod number;
mod rules;

pub use line::{Line, known};
pub use number::{InvalidVersion, Version};
pub use rules::{
    CONTROL_PLANE_MEMORY, KubeadmApi, Limits, Overruled, Refusal, newest_for, proxy_runs_on, runs_on, skew,
};
