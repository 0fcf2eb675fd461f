//! The command line of `imgforge flash`.

use std::path::PathBuf;

use clap::Args;

use super::{FixedArgs, PlaceArgs, SecretsArgs, complete};

/// `imgforge flash`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct FlashArgs {
    /// The image, raw or compressed; what its block map beside it leaves out is not written. Or the name of a node, whose
    /// image is made without a file on the way: of --cluster, else of the cluster file in the working directory that has it. With
    /// --cluster and no name: all nodes, card after card.
    #[arg(value_name = "IMAGE|NODE", required_unless_present_any = ["cluster", "list"], add = complete::nodes_or_files())]
    pub image: Option<String>,
    /// The device, such as /dev/sdb, or a file that stands for a card of its size [default: the card that is there; if there are
    /// several, it is asked which].
    pub device: Option<PathBuf>,
    /// Only list the cards and sticks that are there, and what is on them.
    #[arg(long, conflicts_with_all = ["image", "device", "cluster", "yes", "force_device"])]
    pub list: bool,
    /// Do not ask whether everything on the device may go.
    #[arg(long, short)]
    pub yes: bool,
    /// Take this device though it is no card that can be taken out. It has to be named in full, and must not be in use all the same.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) force_device: Option<PathBuf>,
    /// The cluster of the node (`imgforge schema cluster`).
    #[arg(long, value_name = "FILE")]
    pub cluster: Option<PathBuf>,
    /// The cluster's secrets.
    #[command(flatten)]
    pub secrets: SecretsArgs,
    /// What must stay as it is.
    #[command(flatten)]
    pub(crate) fixed: FixedArgs,
    /// Where things lie on this machine.
    #[command(flatten)]
    pub places: PlaceArgs,
}

const AFTER_HELP: &str = "\
Examples:
  imgforge flash --list
  imgforge flash k1.img.xz
  sudo imgforge flash k1.img /dev/sdb --yes
  imgforge flash k8s-worker-2
  imgforge flash --cluster home.yaml";
