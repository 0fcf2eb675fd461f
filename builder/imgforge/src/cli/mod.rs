//! The command line.

mod cluster;
pub(crate) mod complete;
mod flash;
mod kubernetes;
mod personalize;
mod translate;
mod values;
mod verify;

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use imgforge_spec::{BoardName, Role};

pub use self::complete::answer;
pub(crate) use self::{
    cluster::{
        ClusterApplyArgs, ClusterArgs, ClusterBackupArgs, ClusterCheckArgs, ClusterCommand, ClusterFileArgs,
        ClusterNewArgs, KubeconfigArgs, RunningClusterArgs, SecretsArgs, StatusArgs,
    },
    flash::FlashArgs,
    kubernetes::{KubernetesArgs, KubernetesCommand},
    personalize::PersonalizeArgs,
    values::Boards,
    verify::{RebuildArgs, VerifyArgs},
};
use crate::build::output::Format;

/// Patches a vendor's SD-card image into a Kubernetes node, without root, reproducibly.
#[derive(Debug, Parser)]
#[command(name = "imgforge", version, help_expected = true, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say nothing but errors and results.
    #[arg(short, long, global = true, display_order = LAST)]
    pub quiet: bool,
    /// The user's configuration, in place of the one in the configuration folder.
    #[arg(long, global = true, display_order = LAST + 1, value_name = "FILE", env = "IMGFORGE_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Where options that all commands have stand among those of a command; `--help` is after them.
const LAST: usize = 100;

const AFTER_HELP: &str = "\
Exit codes: 0 done; 1 an input or setting must be changed; 2 wrong usage; 3 an image is not what it should be; 4 the \
machine or the network failed; 5 a cluster is not, or not yet, Ready.

SOURCE_DATE_EPOCH sets the time that is written into the image; the default is the time of the base.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Builds a flashable image.
    Build(BuildArgs),
    /// Makes a node's image from a release image, without building.
    Personalize(PersonalizeArgs),
    /// Writes an image, or a node of a cluster, onto an SD card or stick, and reads it back.
    Flash(FlashArgs),
    /// Pins what builds take: packages from signed repositories, files, the base.
    Lock(LockArgs),
    /// Fetches all that a build needs, so that it can be made offline.
    Fetch(FetchArgs),
    /// Shows every change a build would make, and makes none.
    Plan(PlanArgs),
    /// Shows what is in an image: partitions, file systems, operating system.
    Inspect(InspectArgs),
    /// Shows which files differ between two images.
    Diff(DiffArgs),
    /// Checks an image against its manifest.
    Verify(VerifyArgs),
    /// Looks after a cluster file and its secrets.
    Cluster(ClusterArgs),
    /// Looks at all nodes of a cluster from here: how far they are, how they are, and what to do next.
    Status(StatusArgs),
    /// Writes the administrator's kubeconfig of a cluster.
    Kubeconfig(KubeconfigArgs),
    /// Lists the boards and what they can run, shows one, or starts a profile for a new one.
    Boards(BoardsArgs),
    /// Lists the releases of Kubernetes that nodes can have, or adds another patch of one.
    Kubernetes(KubernetesArgs),
    /// Lists every image that can be built: boards and the roles they can have.
    Matrix(MatrixArgs),
    /// Prints a list of built images that Raspberry Pi Imager loads as a custom repository.
    OsList(OsListArgs),
    /// Asks for a password, or reads a line, and prints the hash that `password-hash` of a user takes.
    Password,
    /// Lists the rules by which plans and cluster files are judged.
    Rules(RulesArgs),
    /// Looks after the store: what is kept of downloads and decoded images.
    Store(StoreArgs),
    /// Prints the JSON Schema of a kind of file.
    Schema(SchemaArgs),
    /// Prints completions for a shell.
    Completions(CompletionsArgs),
    /// Writes the manual pages into a folder.
    #[command(hide = true)]
    ManPages {
        /// The folder.
        folder: PathBuf,
    },
}

/// What to build.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// The board, by its name or an alias; `imgforge boards` lists them.
    #[arg(long, value_name = "BOARD", required_unless_present = "cluster", add = complete::boards())]
    pub board: Option<String>,
    /// What the node does.
    #[arg(long, value_parser = values::roles(), required_unless_present = "cluster")]
    pub role: Option<Role>,
    /// The node's host name [default: BOARD-ROLE].
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// The nodes of a cluster (`imgforge schema cluster`), in place of a board and a role.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["board", "role", "hostname", "base", "lock"])]
    pub cluster: Option<PathBuf>,
    /// With --cluster: only the node of this name; may be given several times. Without: a file with the node's settings,
    /// users, mounts, … (`imgforge schema node`).
    #[arg(long, value_name = "NAME|FILE", add = complete::nodes_or_files())]
    pub node: Vec<String>,
    /// The cluster's secrets.
    #[command(flatten)]
    pub secrets: SecretsArgs,
    /// A local image in place of the profile's.
    #[arg(long, value_name = "FILE")]
    pub base: Option<PathBuf>,
    /// The lock [default: BOARD.lock.yaml beside the profile; of a cluster, home.BOARD.lock.yaml beside home.yaml].
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// What must stay as it is.
    #[command(flatten)]
    pub(crate) fixed: FixedArgs,
    /// Where things lie on this machine.
    #[command(flatten)]
    pub places: PlaceArgs,
}

/// What must stay as it is, where something is made.
#[derive(Debug, Args)]
pub(crate) struct FixedArgs {
    /// Never change the lock: fail if it is missing or does not fit.
    #[arg(long)]
    pub(crate) locked: bool,
    /// Never use the network: take what the store has.
    #[arg(long)]
    pub(crate) offline: bool,
    /// The same as --locked and --offline together.
    #[arg(long)]
    pub(crate) frozen: bool,
}

/// Where things lie on this machine.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// The folder that keeps downloads and decoded images.
    #[arg(long, value_name = "DIR", env = "IMGFORGE_STORE")]
    pub store: Option<PathBuf>,
    /// The folder with the board profiles.
    #[arg(long, value_name = "DIR", env = "IMGFORGE_PROFILES")]
    pub profiles: Option<PathBuf>,
    /// The folder with the overlays [default: `overlays` beside the profiles].
    #[arg(long, value_name = "DIR", env = "IMGFORGE_OVERLAYS")]
    pub overlays: Option<PathBuf>,
}

/// `imgforge build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// What to build.
    #[command(flatten)]
    pub target: TargetArgs,
    /// The image to write; with --cluster, the folder for the images [default: HOSTNAME.img, with the format's ending].
    #[arg(long, short, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// The image's format [default: by the ending of --output, else img].
    #[arg(long, value_parser = values::formats())]
    pub format: Option<Format>,
    /// With --cluster: the first master starts from this snapshot of etcd, the cluster as it was then.
    #[arg(long, value_name = "SNAPSHOT", requires = "cluster", conflicts_with_all = ["board", "base", "lock"])]
    pub restore: Option<PathBuf>,
    /// Replace what is there, whoever wrote it. An earlier image, with its manifest beside it, is replaced anyway.
    #[arg(long)]
    pub(crate) force: bool,
    /// How it is made.
    #[command(flatten)]
    pub(crate) making: Making,
    /// Print what was built as one JSON document, once all of it is there (`imgforge schema build`).
    #[arg(long)]
    pub(crate) json: bool,
}

/// How images are made; they are the same whatever is chosen.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Making {
    /// Take the SHA-256 of a raw image, too, which costs as much as copying it. Compressed ones always have theirs.
    #[arg(long)]
    pub checksum: bool,
    /// Threads to use [default: one per CPU]. The image is the same with any number.
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

/// `imgforge lock`.
#[derive(Debug, Args)]
pub struct LockArgs {
    /// What to pin.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Take newer packages: all, or only those named.
    #[arg(long, value_name = "NAME", num_args = 0..)]
    pub(crate) update: Option<Vec<String>>,
    /// Take a repository whose release is past its Valid-Until date all the same.
    #[arg(long)]
    pub(crate) allow_expired: bool,
}

/// `imgforge fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// What to fetch for.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `imgforge plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// What to plan.
    #[command(flatten)]
    pub target: TargetArgs,
    /// With --cluster: the first master starts from this snapshot of etcd, the cluster as it was then.
    #[arg(long, value_name = "SNAPSHOT", requires = "cluster", conflicts_with_all = ["board", "base", "lock"])]
    pub restore: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `imgforge inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The image, raw or compressed.
    pub image: PathBuf,
    /// Show the structures of the ext4 file systems.
    #[arg(long)]
    pub(crate) dump: bool,
    /// Print JSON.
    #[arg(long, conflicts_with = "dump")]
    pub(crate) json: bool,
}

/// `imgforge diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The image to compare with, raw or compressed.
    pub base: PathBuf,
    /// The image to look at, raw or compressed.
    pub image: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `imgforge boards`.
#[derive(Debug, Args)]
pub struct BoardsArgs {
    /// What to do; without it, all boards are listed.
    #[command(subcommand)]
    pub command: Option<BoardsCommand>,
    /// Write the profiles, overlays and examples that the program has inside into this folder, to look at or to change.
    #[arg(long, value_name = "DIR")]
    pub(crate) export: Option<PathBuf>,
    /// With --export: into a folder that has something in it, too; files of the same names are replaced.
    #[arg(long, requires = "export")]
    pub(crate) force: bool,
    /// The folder with the board profiles.
    #[arg(long, global = true, value_name = "DIR", env = "IMGFORGE_PROFILES")]
    pub profiles: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What can be done with boards besides listing them.
#[derive(Debug, Subcommand)]
pub enum BoardsCommand {
    /// Shows one board: its image, what it can run and why not more.
    Show {
        /// The board, by its name or an alias.
        #[arg(add = complete::boards())]
        board: String,
    },
    /// Starts a profile for a board from an image, and says what to fill in.
    New(NewBoardArgs),
}

/// `imgforge boards new`.
#[derive(Debug, Args)]
pub struct NewBoardArgs {
    /// Name of the board; the profile is NAME.yaml in --profiles, else in the user's own folder.
    pub name: BoardName,
    /// The image to look into, raw or compressed.
    #[arg(long, value_name = "IMAGE")]
    pub from: PathBuf,
}

/// `imgforge matrix`.
#[derive(Debug, Args)]
pub struct MatrixArgs {
    /// List the nodes of this cluster file instead: host name, board, role, image.
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster: Option<PathBuf>,
    /// The folder with the board profiles.
    #[arg(long, value_name = "DIR", env = "IMGFORGE_PROFILES")]
    pub profiles: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `imgforge os-list`.
#[derive(Debug, Args)]
pub struct OsListArgs {
    /// The folder with the images, each with its manifest and checksum beside it.
    pub folder: PathBuf,
    /// The address under which the folder's files are published.
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// The address of the picture that Imager shows with each image [default: a card].
    #[arg(long, value_name = "URL")]
    pub(crate) icon: Option<String>,
    /// The folder with the board profiles.
    #[arg(long, value_name = "DIR", env = "IMGFORGE_PROFILES")]
    pub profiles: Option<PathBuf>,
}

/// `imgforge rules`.
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `imgforge store`.
#[derive(Debug, Args)]
pub struct StoreArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: StoreCommand,
    /// The folder of the store.
    #[arg(long, global = true, value_name = "DIR", env = "IMGFORGE_STORE")]
    pub store: Option<PathBuf>,
}

/// What can be done with the store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Lists what is in it.
    List {
        /// Say what this lock file calls things; may be given several times.
        #[arg(long = "lock", value_name = "LOCK")]
        locks: Vec<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Takes out what can be made again (decoded images, unpacked packages) and unfinished downloads.
    Prune {
        /// Take out published files, too, unless this lock file names them; may be given several times.
        #[arg(long = "keep", value_name = "LOCK")]
        keep: Vec<PathBuf>,
        /// Only say what would go.
        #[arg(long)]
        dry_run: bool,
    },
    /// Writes published files into an archive, for a machine without network.
    Export {
        /// The archive to write, in tar format.
        file: PathBuf,
        /// Only what this lock file names; may be given several times.
        #[arg(long = "lock", value_name = "LOCK")]
        locks: Vec<PathBuf>,
    },
    /// Puts published files onto a web server, from which others' builds take them (`caches` in config.yaml). IMGFORGE_CACHE_TOKEN is sent
    /// as a bearer token.
    Push {
        /// The address below which the server has the store.
        url: String,
        /// Only what this lock file names; may be given several times.
        #[arg(long = "lock", value_name = "LOCK")]
        locks: Vec<PathBuf>,
    },
    /// Takes in an archive that `export` wrote.
    Import {
        /// The archive.
        file: PathBuf,
    },
}

/// `imgforge schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// The kind of file.
    #[arg(value_enum)]
    pub kind: SchemaKind,
}

/// Kinds of files that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaKind {
    /// A board profile.
    Profile,
    /// A vendor's description.
    Vendor,
    /// A node's settings.
    Node,
    /// A cluster and its nodes.
    Cluster,
    /// A release of Kubernetes.
    Kubernetes,
    /// The pin of an add-on's manifest.
    AddOn,
    /// The pinned keys of package repositories.
    Keys,
    /// An overlay's declarations.
    Overlay,
    /// The user's configuration.
    Config,
    /// What `status --json` prints.
    Status,
    /// What `build --json` prints.
    Build,
    /// What `inspect --json` prints.
    Inspect,
    /// What `diff --json` prints.
    Diff,
    /// What `verify --json` prints.
    Verify,
}

/// `imgforge completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
