//! The part of the command line that is about releases of Kubernetes.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use imgforge_kube::engine::Patch;

use super::complete;

/// `imgforge kubernetes`.
#[derive(Debug, Args)]
pub struct KubernetesArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: KubernetesCommand,
    /// The folder with the board profiles, in which `kubernetes` has the releases.
    #[arg(long, global = true, value_name = "DIR", env = "IMGFORGE_PROFILES")]
    pub profiles: Option<PathBuf>,
}

/// What can be done with releases.
#[derive(Debug, Subcommand)]
pub enum KubernetesCommand {
    /// Lists the releases that nodes can have, and what is newer.
    List {
        /// Ask the projects which patch of each line is the newest.
        #[arg(long)]
        online: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Writes the file of a patch release, with the hashes that its project publishes; what else is in it stays as in the newest file
    /// of its line.
    Add {
        /// The patch: 1.36.5, or k3s-1.36.5 of k3s. Its file is that of the line, in --profiles or else in the user's own folder.
        #[arg(value_name = "RELEASE", add = complete::next_patches())]
        patch: Patch,
        /// Replace the file that is there.
        #[arg(long)]
        force: bool,
    },
}
