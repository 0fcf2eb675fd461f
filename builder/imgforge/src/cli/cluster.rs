//! The part of the command line that is about clusters as a whole.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args, Subcommand};
use imgforge_kube::{cluster::Cidr, engine::Engine, kubeadm::GoDuration};

use super::{
    complete,
    values::{self, Boards},
};

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
    /// Writes a cluster file for the boards that are named, with your name and keys and the network that this machine is in.
    New(ClusterNewArgs),
    /// Says what is wrong with a cluster file, and what should be known of it.
    Check(ClusterCheckArgs),
    /// Makes the cluster's secrets: authorities, keys and tokens. Once; they are never overwritten.
    Init(ClusterInitArgs),
    /// Takes a node out of a cluster that runs: a worker, or a master that is dead, out of etcd as well.
    Remove(ClusterRemoveArgs),
    /// Brings labels and taints of nodes, and add-ons, to a cluster that runs, as its file has them now.
    Apply(ClusterApplyArgs),
    /// Says in which order cards are written so that the cluster comes to the release in its file, and what stands against it.
    Upgrade(ClusterUpgradeArgs),
    /// Fetches a snapshot of etcd, which has all objects of the cluster.
    Backup(ClusterBackupArgs),
}

/// `imgforge cluster new`.
#[derive(Debug, Args)]
pub struct ClusterNewArgs {
    /// The board of a master, or of several, as in rpi4=3; may be given several times. With several masters there should be three.
    #[arg(long = "master", value_name = "BOARD[=COUNT]", value_parser = values::boards, required = true,
        add = complete::boards())]
    pub(crate) masters: Vec<Boards>,
    /// The same for workers.
    #[arg(long = "worker", value_name = "BOARD[=COUNT]", value_parser = values::boards, add = complete::boards())]
    pub(crate) workers: Vec<Boards>,
    /// What makes the cluster of them.
    #[arg(long, value_name = "ENGINE", value_parser = values::engines(), default_value = "kubeadm")]
    pub(crate) engine: Engine,
    /// The router and the length of the prefix of the network that the boards will stand in, such as 192.168.1.1/24 [default: those
    /// of this machine].
    #[arg(long, value_name = "ADDRESS/PREFIX")]
    pub(crate) lan: Option<Cidr>,
    /// The file to write, which must not be there yet.
    #[arg(long, short, value_name = "FILE", default_value = "home.yaml")]
    pub output: PathBuf,
    /// The folder with the board profiles.
    #[arg(long, value_name = "DIR", env = "IMGFORGE_PROFILES")]
    pub profiles: Option<PathBuf>,
}

/// `imgforge cluster check`.
#[derive(Debug, Args)]
pub struct ClusterCheckArgs {
    /// Which cluster file.
    #[command(flatten)]
    pub file: ClusterFileArgs,
    /// Print the findings as JSON, for other programs.
    #[arg(long)]
    pub json: bool,
}

/// `imgforge cluster init`.
#[derive(Debug, Args)]
pub struct ClusterInitArgs {
    /// Whose secrets.
    #[command(flatten)]
    pub file: ClusterFileArgs,
    /// Encrypt the secrets for this age recipient (age1…); may be given several times. The file is then home.secrets.yaml.age
    /// and can be kept under version control.
    #[arg(long, value_name = "RECIPIENT")]
    pub recipient: Vec<String>,
    /// The same for all recipients in a file, one a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) recipients_file: Option<PathBuf>,
}

/// A cluster file.
#[derive(Debug, Args)]
pub struct ClusterFileArgs {
    /// The cluster file (`imgforge schema cluster`).
    #[arg(long, value_name = "FILE")]
    pub cluster: PathBuf,
    /// The cluster's secrets [default: beside the cluster file, home.secrets.yaml or home.secrets.yaml.age for home.yaml].
    #[arg(long, value_name = "FILE")]
    pub secrets: Option<PathBuf>,
    /// The folder with the board profiles.
    #[arg(long, value_name = "DIR", env = "IMGFORGE_PROFILES")]
    pub profiles: Option<PathBuf>,
}

/// The secrets of the cluster that is built.
#[derive(Debug, Clone, Args)]
pub struct SecretsArgs {
    /// The cluster's secrets [default: beside the cluster file, home.secrets.yaml or home.secrets.yaml.age for home.yaml].
    #[arg(long, value_name = "FILE", requires = "cluster")]
    pub secrets: Option<PathBuf>,
    /// What opens the cluster's secrets if they are encrypted: a file with age identities, as `age-keygen` writes it.
    // Without `requires`: it may be in the environment whatever is built.
    #[arg(long, value_name = "FILE", env = "IMGFORGE_IDENTITY")]
    pub identity: Option<PathBuf>,
}

/// `imgforge kubeconfig`.
#[derive(Debug, Args)]
pub struct KubeconfigArgs {
    /// Whose kubeconfig.
    #[command(flatten)]
    pub file: ClusterFileArgs,
    /// What opens the cluster's secrets if they are encrypted: a file with age identities, as `age-keygen` writes it.
    #[arg(long, value_name = "FILE", env = "IMGFORGE_IDENTITY")]
    pub identity: Option<PathBuf>,
    /// The file to write [default: beside the cluster file, home.kubeconfig for home.yaml; with --merge ~/.kube/config].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Put it among the kubeconfigs that the file has already, as the context that is called like the cluster.
    #[arg(long)]
    pub(crate) merge: bool,
    /// Replace what is there, whatever it is; with --merge only another cluster of the same name. An earlier kubeconfig of the same
    /// cluster is replaced anyway.
    #[arg(long)]
    pub(crate) force: bool,
}

/// A cluster that runs, or is about to.
#[derive(Debug, Args)]
pub struct RunningClusterArgs {
    /// Which.
    #[command(flatten)]
    pub file: ClusterFileArgs,
    /// What opens the cluster's secrets if they are encrypted: a file with age identities, as `age-keygen` writes it.
    #[arg(long, value_name = "FILE", env = "IMGFORGE_IDENTITY")]
    pub identity: Option<PathBuf>,
    /// Where a node is reached from here in place of its own address, such as the near end of a tunnel; may be given several times.
    /// Its ports are the same: 6443 and 2379 of a master, 6442 of a node at its first boot.
    #[arg(long = "at", value_name = "NODE=ADDRESS", value_parser = values::place)]
    pub(crate) tunnels: Vec<(String, IpAddr)>,
}

/// `imgforge status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Whose status.
    #[command(flatten)]
    pub running: RunningClusterArgs,
    /// Look again until all nodes are Ready, and say what changes.
    #[arg(long)]
    pub(crate) wait: bool,
    /// With --wait: give up after this time, such as 90s, 20m or 1h30m.
    #[arg(long, value_name = "TIME", requires = "wait", default_value = "1h")]
    pub(crate) timeout: GoDuration,
    /// Print JSON (`imgforge schema status`).
    #[arg(long)]
    pub json: bool,
}

/// `imgforge cluster remove`.
#[derive(Debug, Args)]
pub struct ClusterRemoveArgs {
    /// The node, by its host name. It need not be in the cluster file any more.
    #[arg(value_name = "NODE", add = complete::nodes())]
    pub node: String,
    /// The cluster.
    #[command(flatten)]
    pub running: RunningClusterArgs,
    /// Take it out though it is well. The last master stays in any case, and etcd keeps its majority.
    #[arg(long)]
    pub(crate) force: bool,
}

/// `imgforge cluster apply`.
#[derive(Debug, Args)]
pub struct ClusterApplyArgs {
    /// The cluster.
    #[command(flatten)]
    pub running: RunningClusterArgs,
    /// Only say what would change; the API server tries it, and keeps nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take over fields of add-ons that somebody else has set.
    #[arg(long)]
    pub(crate) force: bool,
    /// The folder that keeps downloads and decoded images.
    #[arg(long, value_name = "DIR", env = "IMGFORGE_STORE")]
    pub store: Option<PathBuf>,
}

/// `imgforge cluster upgrade`.
#[derive(Debug, Args)]
pub struct ClusterUpgradeArgs {
    /// The cluster.
    #[command(flatten)]
    pub running: RunningClusterArgs,
    /// Only say what is to be done. It is done by writing cards, so there is nothing else yet.
    #[arg(long, required = true)]
    pub(crate) plan: bool,
}

/// `imgforge cluster backup`.
#[derive(Debug, Args)]
pub struct ClusterBackupArgs {
    /// The cluster.
    #[command(flatten)]
    pub running: RunningClusterArgs,
    /// The file to write [default: beside the cluster file, home.20260921T143000Z.snapshot for home.yaml].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace what is there.
    #[arg(long)]
    pub(crate) force: bool,
}
