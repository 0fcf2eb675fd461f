//! Where an image goes, and in what format: decided and checked before anything is fetched or decoded.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use imgforge_disk::partial_of;
use imgforge_kube::kubeconfig::MergeError;
use imgforge_spec::{Class, Diagnose, Hostname};
use serde::Deserialize;

use super::output::{Format, MANIFEST, SIDES, beside, folder_of};
use crate::host::console::Console;

/// Where an image goes, and its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    /// The image file.
    pub path: PathBuf,
    /// Its format.
    pub format: Format,
    /// The host that it is for.
    pub hostname: Hostname,
}

/// Why an image cannot go there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It would not be a file.
    #[error("an image is not written to standard output")]
    StandardOutput,
    /// The name promises what is not written.
    #[error("{} would be no `.{ending}` file: images are written as {}", path.display(), endings())]
    Ending {
        /// The image.
        path: PathBuf,
        /// The end of its name.
        ending: String,
    },
    /// The name says one format and --format another.
    #[error("{} is named as {}, but --format asks for {}", path.display(), named.name(), asked.name())]
    OtherFormat {
        /// The image.
        path: PathBuf,
        /// What the name says.
        named: Format,
        /// What was asked for.
        asked: Format,
    },
    /// The folder for the image is not there.
    #[error("cannot write {}: there is no folder {}", path.display(), folder.display())]
    NoFolder {
        /// The image.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// The images of a cluster go into a folder, and this is a name for one image.
    #[error("{} would be the folder for all images", path.display())]
    FileName {
        /// What was asked for.
        path: PathBuf,
    },
    /// The folder for the images cannot be made.
    #[error("cannot make {}", folder.display())]
    Make {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The image would replace its own base.
    #[error("{} is the base itself", path.display())]
    OverBase {
        /// The image.
        path: PathBuf,
    },
    /// Something that is no file has the image's name.
    #[error("{} is no regular file", path.display())]
    NotAFile {
        /// The image.
        path: PathBuf,
    },
    /// There is a file of that name which is not an earlier build's.
    #[error("{} is there already, and no manifest beside it says that imgforge wrote it", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
    },
    /// A kubeconfig cannot be put among others.
    #[error("{} cannot take the kubeconfig", path.display())]
    Merge {
        /// The file.
        path: PathBuf,
        /// Why.
        source: MergeError,
    },
    /// Somebody else is changing a file of kubeconfigs.
    #[error("{} is being changed by somebody else: there is {}", path.display(), lock.display())]
    Locked {
        /// The file.
        path: PathBuf,
        /// The file that says so.
        lock: PathBuf,
    },
    /// There is a file where a snapshot is to be.
    #[error("{} is there already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// There is a file where a kubeconfig is to be, and it is another's.
    #[error("{} is there already, and is no kubeconfig of this cluster alone", path.display())]
    OtherKubeconfig {
        /// The file.
        path: PathBuf,
    },
}

fn endings() -> String {
    Format::ALL.map(Format::ending).join(", ")
}

impl Diagnose for Error {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::StandardOutput => {
                "it is read back before it gets its name, so it has to be a file: give one with --output, then pass that on"
            }
            Error::Ending { .. } => "choose such an --output, and convert it with the tool of your choice",
            Error::OtherFormat { .. } => "leave out --format, or choose another --output",
            Error::NoFolder { folder, .. } => {
                return Some(format!("`mkdir -p {}`, or choose another --output", folder.display()));
            }
            Error::FileName { .. } => {
                "with --cluster, --output is a folder; each image in it is named for its node"
            }
            Error::OverBase { .. } => "choose another --output",
            Error::NotAFile { .. } => "imgforge writes image files; to write a card, flash the image",
            Error::Occupied { .. } | Error::OtherKubeconfig { .. } => {
                "choose another --output, or replace it with --force"
            }
            Error::Merge { source: MergeError::OtherCluster { .. }, .. } => {
                "`kubectl config delete-cluster` takes the old one out; --force replaces it"
            }
            Error::Merge { .. } => "mend it, or choose another file with --output",
            Error::Locked { .. } => {
                "try again; if nobody changes it, remove that file, as kubectl would have"
            }
            Error::Exists { .. } => "choose another --output",
            Error::Make { .. } => return None,
        };
        Some(hint.into())
    }

    fn class(&self) -> Class {
        match self {
            Error::Make { .. } => Class::Machine,
            _ => Class::Input,
        }
    }
}

/// What says in a manifest whose image it describes.
#[derive(Deserialize)]
struct Owner {
    #[serde(rename = "imgforge")]
    _version: String,
    hostname: Hostname,
}

impl Destination {
    /// The file `path`, in the format `asked` for, by the name's ending, or raw.
    pub fn file(path: &Path, asked: Option<Format>, hostname: Hostname) -> Result<Self, Error> {
        Ok(Self { path: path.to_owned(), format: format_of(path, asked)?, hostname })
    }

    /// A file in `folder` under the name of its host.
    pub(crate) fn in_folder(folder: &Path, asked: Option<Format>, hostname: Hostname) -> Self {
        let format = asked.unwrap_or(Format::Img);
        Self { path: folder.join(format!("{hostname}{}", format.ending())), format, hostname }
    }

    /// The image and the files beside it.
    fn files(&self) -> impl Iterator<Item = PathBuf> {
        [""].into_iter().chain(SIDES).map(|suffix| beside(&self.path, suffix))
    }

    /// Finds out whether none of the files would replace `base`.
    pub(crate) fn check_base(&self, base: &Path) -> Result<(), Error> {
        let is_base = |path: &PathBuf| is_same(path, base).unwrap_or(false);
        self.files().find(is_base).map_or(Ok(()), |path| Err(Error::OverBase { path }))
    }

    /// Finds out whether an image over `base` may be written there. What is there already is replaced only if it is an
    /// earlier image of ours, unless `force`; if that was another host's, it is said on `console`.
    pub fn check(&self, base: Option<&Path>, force: bool, console: &Console) -> Result<(), Error> {
        let Self { path, hostname, .. } = self;
        let folder = folder_of(path);
        if !folder.is_dir() {
            return Err(Error::NoFolder { path: path.clone(), folder: folder.to_owned() });
        }
        let is_no_file = |path: &PathBuf| fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
        if let Some(path) = self.files().find(is_no_file) {
            return Err(Error::NotAFile { path });
        }
        base.map_or(Ok(()), |base| self.check_base(base))?;
        let manifest = beside(path, MANIFEST);
        // Of a run that was killed in the midst of giving names the manifest still waits for its own. Beside somebody else's
        // file there is one only if that was to be replaced (--force).
        let owner = owner(&manifest).or_else(|| owner(&partial_of(&manifest).ok()?));
        match (owner, self.files().find(|path| path.symlink_metadata().is_ok())) {
            (None, Some(path)) if !force => Err(Error::Occupied { path }),
            (Some(owner), _) if owner != *hostname => {
                console.note(&format!(
                    "{} was the image of {owner} and will be that of {hostname}",
                    path.display()
                ));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// The format of the file `path`: the one `asked` for, which its name must not deny, else by the name's ending, or raw.
pub(crate) fn format_of(path: &Path, asked: Option<Format>) -> Result<Format, Error> {
    if path == Path::new("-") {
        return Err(Error::StandardOutput);
    }
    match (named(path)?, asked) {
        (Some(named), Some(asked)) if named != asked => {
            Err(Error::OtherFormat { path: path.to_owned(), named, asked })
        }
        (named, asked) => Ok(asked.or(named).unwrap_or(Format::Img)),
    }
}

/// Makes the folder for the images of a cluster, if it is not there.
pub(crate) fn make_folder(folder: &Path) -> Result<(), Error> {
    let is_image = || folder.extension().is_some() && matches!(named(folder), Ok(Some(_)));
    if folder == Path::new("-") {
        return Err(Error::StandardOutput);
    }
    if !folder.is_dir() && is_image() {
        return Err(Error::FileName { path: folder.to_owned() });
    }
    fs::create_dir_all(folder).map_err(|source| Error::Make { folder: folder.to_owned(), source })
}

/// The format that the end of a name says, if it says one.
fn named(path: &Path) -> Result<Option<Format>, Error> {
    let Some(ending) = path.extension() else { return Ok(None) };
    let ending = ending.to_string_lossy().to_ascii_lowercase();
    let is_tar =
        path.file_stem().is_some_and(|stem| stem.to_string_lossy().to_ascii_lowercase().ends_with(".tar"));
    if is_tar {
        return Err(Error::Ending { path: path.to_owned(), ending: format!("tar.{ending}") });
    }
    let format = Format::ALL.into_iter().find(|format| format.name() == ending);
    match format {
        None if ending == "raw" => Ok(Some(Format::Img)),
        None => Err(Error::Ending { path: path.to_owned(), ending }),
        format => Ok(format),
    }
}

/// Whose image a manifest describes; `None` if it is no manifest.
fn owner(manifest: &Path) -> Option<Hostname> {
    let is_file = fs::metadata(manifest).is_ok_and(|metadata| metadata.is_file());
    let owner: Owner = serde_json::from_str(&is_file.then(|| fs::read_to_string(manifest))?.ok()?).ok()?;
    Some(owner.hostname)
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    Ok(one.canonicalize()? == other.canonicalize()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Hostname {
        "k1".parse().unwrap()
    }

    fn format(path: &str, asked: Option<Format>) -> Result<Format, Error> {
        Destination::file(Path::new(path), asked, host()).map(|destination| destination.format)
    }

    #[test]
    fn the_end_of_the_name_says_the_format() {
        for (path, expected) in [
            ("k1.img", Format::Img),
            ("k1.raw", Format::Img),
            ("k1", Format::Img),
            ("a.b/k1", Format::Img),
            ("k1.img.xz", Format::Xz),
            ("k1.IMG.XZ", Format::Xz),
            ("k1.zst", Format::Zst),
            ("k1.img.gz", Format::Gz),
        ] {
            assert_eq!(format(path, None).unwrap(), expected, "{path}");
        }
        assert_eq!(format("k1", Some(Format::Gz)).unwrap(), Format::Gz);
        assert!(matches!(format("k1.img.gz", Some(Format::Xz)), Err(Error::OtherFormat { .. })));
    }

    #[test]
    fn a_name_that_promises_what_is_not_written_is_refused() {
        for ending in ["bz2", "zip", "qcow2", "lz4", "7z", "iso", "vmdk", "ZIP", "zstd", "tar"] {
            let refused = format(&format!("k1.img.{ending}"), None).unwrap_err();
            assert!(matches!(refused, Error::Ending { .. }), "{ending}");
        }
        assert!(matches!(format("-", None), Err(Error::StandardOutput)));
    }

    #[test]
    fn only_an_earlier_image_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let destination = Destination::in_folder(folder.path(), None, host());
        let write = |suffix: &str, text: &str| fs::write(beside(&destination.path, suffix), text).unwrap();
        let console = Console::new(true);
        let occupied = || matches!(destination.check(None, false, &console), Err(Error::Occupied { .. }));
        assert!(!occupied());
        write("", "somebody's");
        assert!(occupied());
        write(MANIFEST, "{}");
        assert!(occupied());
        destination.check(None, true, &console).unwrap();
        write(MANIFEST, r#"{ "imgforge": "0.1.0", "hostname": "k1" }"#);
        assert!(!occupied());
        // A run that was killed: the manifest has not got its name yet.
        let manifest = beside(&destination.path, MANIFEST);
        fs::rename(&manifest, partial_of(&manifest).unwrap()).unwrap();
        assert!(!occupied());
        fs::rename(partial_of(&manifest).unwrap(), &manifest).unwrap();
        for suffix in ["", MANIFEST] {
            fs::remove_file(beside(&destination.path, suffix)).unwrap();
        }
        write(".sha256", "somebody's");
        assert!(occupied());
    }
}
