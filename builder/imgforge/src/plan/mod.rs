//! From a profile, a node's settings and the overlays to the list of changes: everything a build will do, before it does
//! anything.

mod accounts;
mod architecture;
mod certificates;
mod cluster;
mod command_line;
mod declarations;
mod draft;
mod files;
mod firewall;
mod firmware;
mod fstab;
mod identity;
mod images;
mod networks;
mod overlay;
mod packages;
mod proxy;
mod published;
pub mod record;
mod repositories;
mod run_once;
mod system;
mod template;
mod units;
mod users;
mod wifi;

use std::{io, path::PathBuf, sync::Arc};

use imgforge_kube::engine::Engine;
use imgforge_spec::{Architecture, Diagnose, Hostname, ImagePath, InvalidPath, Role, Sha256};

use crate::{
    catalogue::{Board, kubernetes},
    image::{
        change::{Change, Origin},
        read::{self, Kind, Remembered, Tree},
    },
    supply::pin::Additions,
    target::{
        Source, Target,
        cluster::{Error as ClusterError, Membership},
        node::Node,
    },
    yaml::{self, Place},
};
pub use declarations::Declarations;
pub use draft::Draft;

/// What is to be built, every name in it resolved.
#[derive(Debug, Clone)]
pub struct Request {
    /// The board.
    pub board: Arc<Board>,
    /// What the node does.
    pub role: Role,
    /// The node's settings, checked.
    pub node: Node,
    /// Where they were read, if they were.
    pub source: Option<Source>,
    /// The node's place in its cluster, if it is to have one.
    pub membership: Option<Membership>,
    /// The Kubernetes it gets, if any.
    pub kubernetes: Option<kubernetes::Choice>,
    /// What makes a cluster of nodes with that.
    pub engine: Engine,
    /// Folder with the overlays.
    pub overlays: PathBuf,
}

impl Request {
    /// The node's host name: its own, or the board's and the role's.
    pub fn hostname(&self) -> Hostname {
        let of_board = || Hostname::of_board(&self.board.profile.board, self.role);
        self.node.hostname.clone().unwrap_or_else(of_board)
    }

    /// What all nodes of the board and role get: the same, without the node.
    pub fn release(&self) -> Self {
        let node = self.node.of_release(self.membership.is_some());
        Self { node, source: None, membership: None, ..self.clone() }
    }

    /// Whether there is nothing of a single node in it.
    pub fn is_release(&self) -> bool {
        // What is overruled is no part of an image.
        let node = Node { allow: Vec::new(), ..self.node.clone() };
        self.membership.is_none() && node == node.of_release(false)
    }

    /// Whether the image will hold what must not be published: password hashes, a wireless network, or a cluster's keys and tokens.
    pub fn holds_secrets(&self, changes: &[Change]) -> bool {
        changes.iter().any(|change| change.secret)
            || self.node.users.iter().any(|user| user.password_hash.is_some())
            || self.node.wifi.is_some()
    }
}

/// A request whose base and time are known: all that a plan depends on besides what lies in the base.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// What is asked for.
    pub request: Request,
    /// SHA-256 of the base's disk image.
    pub base: Sha256,
    /// Seconds since 1970 that stand for "now" in everything the build writes.
    pub epoch: i64,
}

impl Pinned {
    /// The same for `target`, a node of this release.
    pub(crate) fn of_node(&self, target: &Target) -> Self {
        let Target { node, source, membership, .. } = target.clone();
        Self { request: Request { node, source, membership, ..self.request.clone() }, ..self.clone() }
    }
}

/// The overlays that apply to `request`, by their folders, in order.
pub(crate) fn overlay_folders(request: &Request) -> Vec<PathBuf> {
    overlay::names(request).into_iter().map(|name| request.overlays.join(name)).collect()
}

/// The packages that overlays and node ask for, in order, each once.
pub fn packages_wanted(request: &Request) -> Result<Vec<String>, Error> {
    let mut wanted: Vec<String> = Vec::new();
    let overlays = overlay::applying(request)?;
    let of_node = request.node.all_packages();
    let asked = overlays.iter().flat_map(overlay::Overlay::packages).chain(&of_node);
    for package in asked {
        if !wanted.contains(package) {
            wanted.push(package.clone());
        }
    }
    Ok(wanted)
}

/// Why no plan can be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The base cannot be read.
    #[error(transparent)]
    Base(#[from] read::Error),
    /// An overlay's declarations are wrong.
    #[error(transparent)]
    Yaml(#[from] yaml::Error),
    /// A path that is none.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// A file of an overlay cannot be read.
    #[error("cannot read {}", path.display())]
    Overlay {
        /// The file on the build machine.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An overlay declares what it does not hold, or holds what cannot go into an image.
    #[error("{}: {message}", path.display())]
    Declaration {
        /// The overlay's declarations, or the file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A template uses a variable that is not there, or is no template.
    #[error("{}: {message}", path.display())]
    Template {
        /// The template.
        path: PathBuf,
        /// What is wrong, with line.
        message: String,
    },
    /// A change's content cannot be read.
    #[error("cannot read what goes to {path}")]
    Content {
        /// Where it goes.
        path: ImagePath,
        /// Why.
        source: io::Error,
    },
    /// A vendor's file that is to be edited is absurdly large.
    #[error("{path} in the base has {size} bytes, too many for a file that is edited")]
    TooLarge {
        /// The file.
        path: ImagePath,
        /// Its size in bytes.
        size: u64,
    },
    /// A vendor's file is no text, so it cannot be edited.
    #[error("{path} in the base is no text")]
    NotText {
        /// The file.
        path: ImagePath,
    },
    /// Something that is no directory stands in the way.
    #[error("{wanted} cannot be made: {path} is a {kind} in the image")]
    NotADirectory {
        /// What stands in the way.
        path: ImagePath,
        /// What it is.
        kind: Kind,
        /// What was to be made below it.
        wanted: ImagePath,
    },
    /// A directory stands where a file or link should go.
    #[error("{path} is a directory in the image, but {origin} has a file or link there")]
    IsADirectory {
        /// The directory.
        path: ImagePath,
        /// Who wants to replace it.
        origin: Origin,
    },
    /// Links in the image that lead round in a circle.
    #[error("too many symbolic links on the way to {path}")]
    TooManyLinks {
        /// The path.
        path: ImagePath,
    },
    /// A change for the boot partition of a board without one.
    #[error("the board has no boot partition, but a change goes there")]
    NoBootPartition,
    /// A unit to enable is nowhere.
    #[error("{origin} enables {unit}, but neither the overlays nor the base have such a unit")]
    NoUnit {
        /// The unit.
        unit: String,
        /// Who wants it.
        origin: Origin,
    },
    /// A unit to enable says nothing about when it starts.
    #[error("{origin} enables {unit}, but its [Install] section names no target")]
    NoInstallSection {
        /// The unit.
        unit: String,
        /// Who wants it.
        origin: Origin,
    },
    /// A file the base must have is not there.
    #[error("the base has no {path}, which is needed for {purpose}")]
    Missing {
        /// The file.
        path: String,
        /// What for.
        purpose: String,
    },
    /// The packages cannot be unpacked over the base.
    #[error("the packages cannot be unpacked")]
    Packages(#[source] imgforge_debian::Error),
    /// A file of a package that is not among those to unpack.
    #[error("a file is to come from package {index} of {count}, which there is not")]
    NoPackage {
        /// The package's place in the list.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// Programs that the board cannot run.
    #[error("{board} ({architecture}) cannot run:{}", misfits.iter().map(|line| format!("\n  {line}")).collect::<String>())]
    Architecture {
        /// The board.
        board: String,
        /// Its instruction set.
        architecture: Architecture,
        /// Each file with where it comes from and the reason.
        misfits: Vec<String>,
    },
    /// The node's part of the cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// An image that anybody may have would hold a secret.
    #[error("{path} holds {what}, and without --cluster an image is for everybody")]
    Published {
        /// The file.
        path: ImagePath,
        /// What is in it.
        what: &'static str,
    },
    /// A setting of the node that the base, or what was read for it, does not allow.
    #[error("{}{setting}: {message}", at(place))]
    Clash {
        /// Where the setting stands, if a file has it.
        place: Option<Place>,
        /// The setting.
        setting: String,
        /// What clashes.
        message: String,
    },
}

/// `place` before what is said of it.
fn at(place: &Option<Place>) -> String {
    place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default()
}

impl Error {
    /// The node's `setting` cannot be as it is.
    fn clash(setting: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Clash { place: None, setting: setting.into(), message: message.into() }
    }

    /// The same with the place of the setting in `source`.
    fn in_source(mut self, source: Option<&Source>) -> Self {
        if let Self::Clash { place, setting, .. } = &mut self {
            let written = source.map(|source| source.place(setting));
            if let Some((there, name)) = written {
                (*place, *setting) = (there, name);
            }
        }
        self
    }
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Base(error) => Some(error),
            Error::Yaml(error) => Some(error),
            Error::Cluster(error) => Some(error),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Architecture { .. } => {
                "take packages and binaries for this board, or a board that runs them"
            }
            Error::NoPackage { .. } => "this is a mistake in imgforge: report it, with the lock file",
            Error::Published { .. } => {
                "give the node a place in a cluster file (--cluster), take the file out of the overlays, or say `secret: true` of \
                 it under `files`: then the image is its owner's"
            }
            Error::Clash { place: None, .. } => "change the node's settings (--node)",
            _ => return self.below()?.hint(),
        };
        Some(hint.into())
    }
}

/// Makes the plan: the changes that turn what is there, seen through `root` and `boot`, into what is asked for, with
/// `additions` in it.
///
/// What is there already is no change. So the plan of a node over its release's disk has only what makes the node.
pub fn plan(
    pinned: &Pinned,
    additions: &Additions,
    root: &dyn Tree,
    boot: Option<&dyn Tree>,
) -> Result<Vec<Change>, Error> {
    let source = pinned.request.source.as_ref();
    planned(pinned, additions, root, boot).map_err(|error| error.in_source(source))
}

fn planned(
    pinned: &Pinned,
    additions: &Additions,
    root: &dyn Tree,
    boot: Option<&dyn Tree>,
) -> Result<Vec<Change>, Error> {
    let Pinned { request, epoch, .. } = pinned;
    let root = Remembered::new(root);
    let mut draft = Draft::new(&root, boot);
    packages::unpack(&mut draft, &root, &additions.packages)?;
    packages::place(&mut draft, additions)?;
    images::carry(&mut draft, &additions.images)?;
    let overlays = overlay::applying(request)?;
    let context = template::Context::new(pinned);
    for overlay in &overlays {
        overlay.lay(&mut draft, &context)?;
    }
    identity::set_hostname(&mut draft, &request.hostname())?;
    fstab::add_mounts(&mut draft, &request.node)?;
    users::add_users(&mut draft, &request.node.users, &additions.keys, *epoch)?;
    system::set(&mut draft, &request.node.system)?;
    wifi::join(&mut draft, request)?;
    networks::add(&mut draft, &request.node)?;
    proxy::tell(&mut draft, request)?;
    firewall::enable(&mut draft, request.node.firewall.as_ref())?;
    certificates::add(&mut draft, &request.node.system.certificates)?;
    repositories::add(&mut draft, &request.node.repositories)?;
    run_once::add(&mut draft, &request.node.run_once)?;
    files::add(&mut draft, request)?;
    command_line::edit(&mut draft, request)?;
    firmware::tell(&mut draft, request)?;
    cluster::join(&mut draft, &root, request, additions)?;
    identity::leave_record(&mut draft, pinned)?;
    // Last, because a unit of one overlay may be wanted by another and be edited by a third.
    for overlay in &overlays {
        overlay.link_units(&mut draft)?;
    }
    let changes = draft.into_changes();
    architecture::check(&request.board.profile, &root, &changes)?;
    published::check(request, &changes)?;
    Ok(changes)
}
