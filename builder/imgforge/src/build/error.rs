//! What can go wrong in a run, by what the user can do about it: every error has a cause chain, most a hint, and each
//! class an exit code.

use std::{fmt, io, path::PathBuf};

use crate::{
    build::{output, personalize},
    catalogue::{limits, profile},
    image::{apply, partitions, read},
    image_path, plan,
    supply::{base, download, pin, signature, store},
    target::{cluster, node},
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
    Profile(#[from] profile::Error),
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
    /// The plan.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// Writing into the image.
    #[error(transparent)]
    Apply(#[from] apply::Error),
    /// Writing the outputs.
    #[error(transparent)]
    Output(#[from] output::Error),
    /// A release image that cannot become a node's.
    #[error(transparent)]
    Personalize(#[from] personalize::Error),
    /// An image that cannot be opened for reading.
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
    /// A manifest that cannot be used.
    #[error("{}: {message}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// An environment variable with a value of no use.
    #[error("{name}=`{value}` is no number of seconds since 1970")]
    Environment {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// There is nowhere to put a profile.
    #[error("there is no folder for the profile: neither --profiles, IMGFORGE_PROFILES nor a home folder")]
    NoProfileFolder,
    /// An image without anything to patch.
    #[error("no partition of the image has an ext4 file system")]
    NoRoot,
    /// There is nowhere to keep the store.
    #[error("there is no folder for the store: neither --store, IMGFORGE_STORE nor a home folder")]
    NoStore,
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
    /// The same error, said of `image`.
    pub fn of_image(self, image: impl fmt::Display) -> Self {
        Error::Unusable { image: image.to_string(), source: Box::new(self) }
    }

    /// The exit code: 1 for an input or setting that must be changed, 3 for an image that is not what it should be, 4 for
    /// what the build machine or the network could not do. (2 is clap's, for a command line that cannot be parsed.)
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Deviates { .. } | Error::Differ => 3,
            Error::Io { .. } | Error::NoStore | Error::Base(base::Error::Download(_)) => 4,
            Error::Base(base::Error::Signature(error)) if error.is_host() => 4,
            Error::Store(error) | Error::Base(base::Error::Store(error)) if error.is_host() => 4,
            Error::Output(error) if error.is_host() => 4,
            Error::Pin(error) if error.is_host() => 4,
            Error::Cluster(error) if error.is_host() => 4,
            Error::Unusable { source, .. } => source.exit_code(),
            _ => 1,
        }
    }

    /// What the user can do, where that is not plain from the message.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Profile(error) => profile_hint(error),
            Error::Settings(error)
            | Error::Cluster(cluster::Error::Yaml(error))
            | Error::Node(node::Error::Yaml(error))
            | Error::Plan(plan::Error::Yaml(error)) => yaml_hint(error),
            Error::Cluster(error) | Error::Plan(plan::Error::Cluster(error)) => error.hint(),
            Error::Limits(refused) => refused.hint(),
            Error::Base(error) => base_hint(error),
            Error::Store(error) => store_hint(error),
            Error::Pin(error) => error.hint().or_else(|| error.of_store().and_then(store_hint)),
            Error::Plan(plan::Error::Architecture { .. }) => {
                Some("take packages and binaries for this board, or a board that runs them".into())
            }
            Error::Plan(plan::Error::Published { .. }) => Some(
                "give the node a place in a cluster file (--cluster), or take the file out of the overlays"
                    .into(),
            ),
            Error::Plan(plan::Error::Path(image_path::InvalidPath::Climbs(_))) => None,
            Error::Plan(plan::Error::Clash { .. }) => Some("change the node's settings (--node)".into()),
            Error::Unusable { source, .. } => source.hint(),
            Error::Image(partitions::Error::Table(_)) => {
                Some("the image is cut off, damaged, or no disk image: get it again".into())
            }
            Error::Image(partitions::Error::Boot(imgforge_disk::Error::Corrupt(_))) => Some(DAMAGED.into()),
            Error::Image(partitions::Error::TableKind { .. } | partitions::Error::NoPartition { .. }) => {
                Some("is this image for that board? `imgforge inspect IMAGE` shows what is in it".into())
            }
            Error::Apply(error) => apply_hint(error),
            Error::Read(_) | Error::Image(partitions::Error::Read(_)) | Error::Plan(plan::Error::Base(_)) => {
                Some(DAMAGED.into())
            }
            Error::Output(error) => error.hint(),
            Error::Personalize(error) => Some(error.hint().into()),
            Error::Environment { name, .. } => Some(format!("unset {name}, or give it a number")),
            Error::Deviates { .. } => {
                Some("the image must not be used. `imgforge store prune` has the next build decode and unpack anew; if that does \
                      not help, please report this with the manifest"
                    .into())
            }
            _ => None,
        }
    }
}

const DAMAGED: &str =
    "the file system is damaged: get the image again, or see what `e2fsck -fn` or `fsck.fat -n` says";

fn apply_hint(error: &apply::Error) -> Option<String> {
    const ROOM: &str = "take a base whose root has more room, or lower `reserve` in the board's profile";
    match error {
        apply::Error::FileSystem { what: "grow", source: imgforge_ext4::Error::Unsupported(_) } => {
            Some(ROOM.into())
        }
        apply::Error::Root { source, .. } | apply::Error::FileSystem { source, .. } => match source {
            imgforge_ext4::Error::Unsupported(_) => {
                Some("imgforge refuses what it does not fully understand, so that nothing is damaged".into())
            }
            imgforge_ext4::Error::Corrupt(_) => Some(DAMAGED.into()),
            _ => None,
        },
        apply::Error::Boot { source, .. } | apply::Error::Disk { source, .. } => match source {
            imgforge_disk::Error::Corrupt(_) => Some(DAMAGED.into()),
            imgforge_disk::Error::Layout(_) => Some(ROOM.into()),
            imgforge_disk::Error::VolumeFull { .. } => {
                Some("imgforge does not grow the boot partition: put less into it".into())
            }
            _ => None,
        },
        apply::Error::Window(_) => None,
    }
}

fn yaml_hint(error: &yaml::Error) -> Option<String> {
    match error {
        yaml::Error::Invalid { suggestion: Some(suggestion), .. } => {
            Some(format!("did you mean `{suggestion}`?"))
        }
        _ => None,
    }
}

fn profile_hint(error: &profile::Error) -> Option<String> {
    match error {
        profile::Error::UnknownBoard { suggestion: Some(suggestion), .. } => {
            Some(format!("did you mean `{suggestion}`?"))
        }
        profile::Error::UnknownBoard { known, .. } => Some(format!("known boards: {}", known.join(", "))),
        profile::Error::UnknownRelease { known, .. } => Some(format!("known releases: {}", known.join(", "))),
        profile::Error::NotForBoard { other: Some(way), .. } => {
            Some(format!("`from: {}` has it for this board", way.name()))
        }
        profile::Error::NotForBoard { .. } => {
            Some("choose another release with `kubernetes:` in --node FILE, or --role base".into())
        }
        profile::Error::NoProfiles { .. } => Some("name the folder with --profiles".into()),
        profile::Error::Yaml(error) => yaml_hint(error),
        _ => None,
    }
}

fn base_hint(error: &base::Error) -> Option<String> {
    match error {
        base::Error::NotMade { made_by: Some(made_by), .. } => Some(format!("`{made_by}` makes it")),
        base::Error::Download(download::Error::Offline { .. }) => {
            Some("build once without --offline, or give the image with --base FILE".into())
        }
        base::Error::Download(download::Error::Fetch { .. }) => {
            Some("a mirror can be named in config.yaml, or the image given with --base FILE".into())
        }
        base::Error::Download(download::Error::Mismatch { .. }) => Some(
            "the vendor replaced the file, or a mirror lies: compare with the vendor's signed checksum"
                .into(),
        ),
        base::Error::Download(download::Error::NoChecksum { .. }) => {
            Some("pin the image with `sha256` in the board's profile".into())
        }
        base::Error::Signature(error) => signature_hint(error),
        base::Error::Store(error) | base::Error::Download(download::Error::Store(error)) => store_hint(error),
        base::Error::ImageMismatch { .. } => {
            Some("one of the two hashes in the profile is not of this image".into())
        }
        _ => None,
    }
}

fn signature_hint(error: &signature::Error) -> Option<String> {
    const OTHERWISE: &str = "pin the image with `sha256` in the board's profile, or give it with --base FILE";
    match error {
        signature::Error::Unsigned { .. } => Some(OTHERWISE.into()),
        signature::Error::NoKey { .. } => Some(format!("put the key there as NAME.asc; or {OTHERWISE}")),
        signature::Error::Untrusted { .. } => Some(
            "do not use the image: ask the vendor who signs it now, and change `image-signers` if that has changed"
                .into(),
        ),
        signature::Error::Key { .. } => Some("take the file away, or export the key again".into()),
        signature::Error::Read { .. } => None,
    }
}

fn store_hint(error: &store::Error) -> Option<String> {
    let hint = match error {
        store::Error::Decode { source, .. } => match source {
            imgforge_disk::Error::Corrupt(_) => "get the image again; the file is damaged",
            imgforge_disk::Error::Unsupported(_) => "unpack the image and give it with --base FILE",
            imgforge_disk::Error::HostFull { .. } => {
                "make room there, or keep the store elsewhere with --store DIR"
            }
            _ => return None,
        },
        store::Error::Mismatch { .. } => "delete the file and build again",
        store::Error::NoReferences { .. } => "give a lock file, or a profile with the `sha256` of its base",
        store::Error::Missing { .. } => "`imgforge fetch` gets what a board's lock names",
        store::Error::InUse { .. } => "wait until it has ended",
        store::Error::Archive { .. } => "export the store again, and copy the whole file",
        store::Error::Io { .. } | store::Error::Record(_) => return None,
    };
    Some(hint.into())
}
