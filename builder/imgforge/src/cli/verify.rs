//! The command line of `imgforge verify`.

use std::path::PathBuf;

use clap::Args;

use super::{PlaceArgs, SecretsArgs};

/// `imgforge verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The image, raw or compressed.
    pub image: PathBuf,
    /// Its manifest [default: the one beside the image].
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Check who published it, too: a file with the OpenPGP keys whose signature counts.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The detached signature of the image file [default: IMAGE.asc].
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) signature: Option<PathBuf>,
    /// Make the image again, from the same base, lock and overlays, and compare. Nothing is written.
    #[arg(long)]
    pub(crate) rebuild: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// What the manifest does not hold of the first build's inputs.
    #[command(flatten)]
    pub(crate) inputs: RebuildArgs,
}

/// Inputs of a build that a manifest does not hold.
#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    /// The file with the node's settings, if there was one.
    #[arg(long, value_name = "FILE", requires = "rebuild", conflicts_with = "cluster")]
    pub node: Option<String>,
    /// The cluster file, if the node is of a cluster.
    #[arg(long, value_name = "FILE", requires = "rebuild", conflicts_with_all = ["base", "lock"])]
    pub cluster: Option<PathBuf>,
    /// The cluster's secrets.
    #[command(flatten)]
    pub secrets: SecretsArgs,
    /// The snapshot of etcd from which the first master starts, if there was one.
    #[arg(long, value_name = "SNAPSHOT", requires = "cluster", conflicts_with_all = ["node", "base", "lock"])]
    pub restore: Option<PathBuf>,
    /// The local image that was taken in place of the profile's.
    #[arg(long, value_name = "FILE", requires = "rebuild")]
    pub base: Option<PathBuf>,
    /// The lock [default: as for `build`].
    #[arg(long, value_name = "FILE", requires = "rebuild")]
    pub lock: Option<PathBuf>,
    /// Never use the network: take what the store has.
    #[arg(long, requires = "rebuild")]
    pub(crate) offline: bool,
    /// Where things lie on this machine.
    #[command(flatten)]
    pub places: PlaceArgs,
}
