//! What can go wrong in a run: the errors of all rooms, gathered. What can be done about one, and whose fault it is, each
//! knows itself.

use std::{fmt, io, path::PathBuf};

use imgforge_spec::{Class, Diagnose, Hostname};

use crate::{
    build::{destination, misfit::Misfit, output},
    catalogue::{self, limits},
    flash,
    host::clock,
    image::{apply, open, partitions, read},
    plan, running,
    supply::{base, pin, publisher, signature, store},
    target::{self, cluster, node},
    yaml,
};

/// An error of a command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user's configuration.
    #[error(transparent)]
    Settings(#[from] yaml::Error),
    /// A board's description.
    #[error(transparent)]
    Profile(#[from] catalogue::Error),
    /// What the board's hardware does not allow.
    #[error(transparent)]
    Limits(#[from] limits::Refused),
    /// A node's settings.
    #[error(transparent)]
    Node(#[from] node::Error),
    /// The cluster's files.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    /// The base.
    #[error(transparent)]
    Base(#[from] base::Error),
    /// The signature of an image.
    #[error(transparent)]
    Signature(#[from] signature::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The image's layout.
    #[error(transparent)]
    Image(#[from] partitions::Error),
    /// A file system of an image.
    #[error(transparent)]
    Read(#[from] read::Error),
    /// The lock, and what it pins.
    #[error(transparent)]
    Pin(#[from] pin::Error),
    /// What a project says of its releases.
    #[error(transparent)]
    Publisher(#[from] publisher::Error),
    /// The plan.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// Writing into the image.
    #[error(transparent)]
    Apply(#[from] apply::Error),
    /// Where an image is to go.
    #[error(transparent)]
    Destination(#[from] destination::Error),
    /// Writing the outputs.
    #[error(transparent)]
    Output(#[from] output::Error),
    /// A release image that cannot become a node's.
    #[error(transparent)]
    Personalize(#[from] Misfit),
    /// An image that cannot be looked at.
    #[error(transparent)]
    Opening(#[from] open::Error),
    /// An image that did not get onto a card.
    #[error(transparent)]
    Flash(#[from] flash::Error),
    /// What is wanted.
    #[error(transparent)]
    Target(#[from] target::Error),
    /// A cluster that runs.
    #[error(transparent)]
    Running(#[from] running::Error),
    /// A cluster whose nodes are not all as they should be; each has been printed.
    #[error("the cluster {cluster} is not Ready: {}", missing.join(", "))]
    NotReady {
        /// The cluster.
        cluster: String,
        /// What is missing.
        missing: Vec<String>,
    },
    /// A file of the store that cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The image.
        path: PathBuf,
        /// Why.
        source: imgforge_disk::Error,
    },
    /// An image with something in it that cannot be worked with.
    #[error("{image} cannot be used")]
    Unusable {
        /// The image: its path or where it came from.
        image: String,
        /// What is in it.
        source: Box<Error>,
    },
    /// What was written does not read back as planned, or an image is not what its manifest says.
    #[error("{what}:{}", list(deviations))]
    Deviates {
        /// What was compared.
        what: String,
        /// Each thing that is wrong.
        deviations: Vec<String>,
    },
    /// Two images differ; what differs has been printed.
    #[error("the images differ")]
    Differ,
    /// A node that would not work; each error with its rule's name.
    #[error("the node {hostname} would not work:{}", list(errors))]
    Unfit {
        /// The node.
        hostname: Hostname,
        /// What is wrong.
        errors: Vec<String>,
    },
    /// Plans of which some have errors, which have been printed with them.
    #[error("errors in the plan: {count}")]
    Found {
        /// How many.
        count: usize,
    },
    /// A manifest that cannot be used.
    #[error("{}: {message}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The environment asks for a time that is none.
    #[error(transparent)]
    Epoch(#[from] clock::BadEpoch),
    /// There is nowhere to put a profile.
    #[error("there is no folder for the profile: neither --profiles, IMGFORGE_PROFILES nor a home folder")]
    NoProfileFolder,
    /// A file that nothing may replace unasked.
    #[error("{} is there already", path.display())]
    InPlace {
        /// The file.
        path: PathBuf,
    },
    /// A folder that was to be empty.
    #[error("{} is not empty", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// An image without anything to patch.
    #[error("no partition of the image has an ext4 file system; {found}")]
    NoRoot {
        /// What they have.
        found: String,
    },
    /// There is nowhere to keep the store.
    #[error("there is no folder for the store: neither --store, IMGFORGE_STORE nor a home folder")]
    NoStore,
    /// An upgrade that would end badly.
    #[error("the cluster {cluster} cannot come to the release in its file:{}", list(obstacles))]
    Upgrade {
        /// The cluster.
        cluster: String,
        /// What stands against it.
        obstacles: Vec<String>,
    },
    /// There are no completions for a shell.
    #[error("there are no completions for {shell}")]
    NoCompletions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Something else where a web server's address has to be.
    #[error("`{given}` is no address of a web server, such as https://nas.home.example/imgforge")]
    NoAddress {
        /// What is there.
        given: String,
    },
    /// What was typed is no password.
    #[error("no password: {problem}")]
    Password {
        /// Why.
        problem: &'static str,
    },
    /// There is nowhere to look for the user's kubeconfig.
    #[error("there is no home folder, so no ~/.kube/config; name the file with --output")]
    NoHome,
    /// Standard output, or a file read as a whole.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why.
        source: io::Error,
    },
}

fn list(deviations: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut text: String =
        deviations.iter().take(SHOWN).map(|deviation| format!("\n  {deviation}")).collect();
    if deviations.len() > SHOWN {
        text.push_str(&format!("\n  and {} more", deviations.len() - SHOWN));
    }
    text
}

impl Error {
    /// The same error, said of `base` where it is about what lies in it.
    pub(crate) fn of_content(self, base: &str) -> Self {
        match self {
            Error::Plan(plan::Error::Base(error)) => Error::from(error).of_image(base),
            Error::Plan(_) => self,
            error => error.of_image(base),
        }
    }

    /// The same error, said of `image`.
    pub fn of_image(self, image: impl fmt::Display) -> Self {
        Error::Unusable { image: image.to_string(), source: Box::new(self) }
    }
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        Some(match self {
            Error::Settings(error) => error,
            Error::Profile(error) => error,
            Error::Limits(refused) => refused,
            Error::Node(error) => error,
            Error::Cluster(error) => error,
            Error::Flash(error) => error,
            Error::Target(error) => error,
            Error::Running(error) => error,
            Error::Base(error) => error,
            Error::Signature(error) => error,
            Error::Store(error) => error,
            Error::Image(error) => error,
            Error::Read(error) => error,
            Error::Pin(error) => error,
            Error::Publisher(error) => error,
            Error::Plan(error) => error,
            Error::Apply(error) => error,
            Error::Destination(error) => error,
            Error::Output(error) => error,
            Error::Personalize(error) => error,
            Error::Opening(error) => error,
            Error::Epoch(error) => error,
            Error::Open { source, .. } => source,
            Error::Unusable { source, .. } => &**source,
            Error::Deviates { .. }
            | Error::Differ
            | Error::Unfit { .. }
            | Error::Found { .. }
            | Error::Manifest { .. }
            | Error::NoProfileFolder
            | Error::InPlace { .. }
            | Error::InUse { .. }
            | Error::NoRoot { .. }
            | Error::NoStore
            | Error::NoHome
            | Error::Password { .. }
            | Error::NoAddress { .. }
            | Error::NoCompletions { .. }
            | Error::Upgrade { .. }
            | Error::NotReady { .. }
            | Error::Io { .. } => return None,
        })
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Deviates { .. } => Some(
                "the image must not be used. `imgforge store prune` has the next build decode and unpack anew; if that does \
                 not help, please report this with the manifest"
                    .into(),
            ),
            Error::InPlace { .. } => Some("--force replaces it".into()),
            Error::InUse { .. } => Some("--force writes into it all the same, over files of the same names".into()),
            Error::Unfit { .. } | Error::Found { .. } => Some(
                "where you know better, `allow: [RULE]` in the node's settings or the cluster file overrules a rule".into(),
            ),
            _ => self.below()?.hint(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Error::Deviates { .. } | Error::Differ => Class::Image,
            Error::Io { .. } | Error::NoStore => Class::Machine,
            Error::NotReady { .. } => Class::Cluster,
            _ => self.below().map_or(Class::Input, Diagnose::class),
        }
    }
}
