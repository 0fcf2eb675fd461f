//! The part of the command line that is about clusters as a whole.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `imgforge cluster`.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: ClusterCommand,
}

/// What can be done with a cluster.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Says what is wrong with a cluster file, and what should be known of it.
    Check(ClusterFileArgs),
    /// Makes the cluster's secrets: authorities, keys and tokens. Once; they are never overwritten.
    Init(ClusterFileArgs),
}

/// A cluster file.
#[derive(Debug, Args)]
pub struct ClusterFileArgs {
    /// The cluster file (`imgforge schema cluster`).
    #[arg(long, value_name = "FILE")]
    pub cluster: PathBuf,
    /// The cluster's secrets [default: beside the cluster file, home.secrets.yaml for home.yaml].
    #[arg(long, value_name = "FILE")]
    pub secrets: Option<PathBuf>,
    /// The folder with the board profiles.
    #[arg(long, value_name = "DIR", env = "IMGFORGE_PROFILES")]
    pub profiles: Option<PathBuf>,
}

/// `imgforge kubeconfig`.
#[derive(Debug, Args)]
pub struct KubeconfigArgs {
    /// Whose kubeconfig.
    #[command(flatten)]
    pub file: ClusterFileArgs,
    /// The file to write [default: beside the cluster file, home.kubeconfig for home.yaml].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
