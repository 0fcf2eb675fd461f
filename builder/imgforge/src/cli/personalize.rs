//! The command line of `imgforge personalize`.

use std::path::PathBuf;

use clap::Args;

use super::{Making, PlaceArgs, SecretsArgs, complete, values};
use crate::build::output::Format;

/// `imgforge personalize`.
#[derive(Debug, Args)]
pub struct PersonalizeArgs {
    /// The release image, raw or compressed; its manifest lies beside it.
    pub image: PathBuf,
    /// The cluster of the node (`imgforge schema cluster`).
    #[arg(long, value_name = "FILE", conflicts_with = "hostname", requires = "node")]
    pub cluster: Option<PathBuf>,
    /// With --cluster: the node's name. Without: a file with the node's settings (`imgforge schema node`).
    #[arg(long, value_name = "NAME|FILE", required_unless_present = "hostname", add = complete::nodes_or_files())]
    pub node: Option<String>,
    /// The node's host name, where there is no cluster.
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// The cluster's secrets.
    #[command(flatten)]
    pub secrets: SecretsArgs,
    /// With --cluster: the first master starts from this snapshot of etcd, the cluster as it was then.
    #[arg(long, value_name = "SNAPSHOT", requires = "cluster", conflicts_with = "hostname")]
    pub restore: Option<PathBuf>,
    /// The manifest of the release image [default: the one beside it].
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// The image to write [default: HOSTNAME.img, with the format's ending].
    #[arg(long, short, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// The image's format [default: by the ending of --output, else img].
    #[arg(long, value_parser = values::formats())]
    pub format: Option<Format>,
    /// Replace what is there, whoever wrote it. An earlier image, with its manifest beside it, is replaced anyway.
    #[arg(long)]
    pub(crate) force: bool,
    /// How it is made.
    #[command(flatten)]
    pub(crate) making: Making,
    /// Never use the network: take what the store has.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Where things lie on this machine.
    #[command(flatten)]
    pub places: PlaceArgs,
}
