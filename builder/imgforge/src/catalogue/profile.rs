//! Board profiles and vendor descriptions: what imgforge knows of boards, as data.
//!
//! `board-profiles/<board>.yaml` describes a board, `board-profiles/vendors/<vendor>.yaml` what all images of a
//! [`Vendor`] have in common. Both are found by a search path, so that a person's own files come first.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use imgforge_kube::cluster::Runtime;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    catalogue::{kubernetes, vendor::Vendor},
    image_path::ImagePath,
    yaml,
};

/// A board: its hardware, the vendor's image for it and how that image is laid out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// Name used on the command line; the file's name without `.yaml`.
    pub board: String,
    /// Full name of the hardware.
    pub name: String,
    /// Other names the board is asked for by.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Whose image it is; names a file in `vendors/`.
    pub vendor: String,
    /// Instruction set the board can run.
    pub architecture: Architecture,
    /// CPU cores.
    pub cores: u32,
    /// Memory of the smallest variant, in MiB.
    pub memory: u32,
    /// The vendor's image.
    pub base: BaseImage,
    /// How the image is partitioned.
    pub layout: Layout,
    /// Free space, in MiB, that the root file system keeps beyond what the build puts in.
    #[serde(default = "default_reserve")]
    pub reserve: u32,
    /// Words added to the kernel's command line on this board.
    #[serde(default)]
    pub kernel_arguments: Vec<String>,
    /// The Kubernetes its masters and workers get; without it, they bring none.
    #[serde(default)]
    pub kubernetes: Option<kubernetes::Choice>,
    /// What Raspberry Pi Imager calls the boards that start this image: the `tags` of its list of devices.
    #[serde(default)]
    pub imager_devices: Vec<String>,
    /// What a user of the board should know.
    #[serde(default)]
    pub notes: Vec<String>,
}

fn default_reserve() -> u32 {
    256
}

/// Instruction sets of the boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// 64-bit, ARMv8-A or newer.
    Arm64,
    /// 32-bit ARMv7-A with hard float: Debian's armhf.
    Armv7,
    /// 32-bit ARMv6 with VFPv2: Raspberry Pi 1 and Zero. No Kubernetes runs there.
    Armv6,
}

impl Architecture {
    /// The name used in profiles.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Arm64 => "arm64",
            Architecture::Armv7 => "armv7",
            Architecture::Armv6 => "armv6",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where the vendor's image is and what it must be. The two hashes are of two different things: the file that is
/// downloaded, and the disk image that comes out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BaseImage {
    /// Where the vendor publishes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A file made on this machine instead, relative to the folder above the profiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// How to make that file when it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// Size of the file as published, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// SHA-256 of the file as published (compressed).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "sha256")]
    pub sha256: Option<String>,
    /// What is appended to the file's name for the vendor's own checksum file, where the profile has no hash: `.sha`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_file: Option<String>,
    /// What is appended to the file's name for the vendor's OpenPGP signature of it: `.asc`. It must be by one of the
    /// vendor's `image-signers` before a hash from the checksum file is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_file: Option<String>,
    /// Whether the vendor takes the image away again within weeks. Only the store keeps such an image.
    #[serde(default, skip_serializing_if = "is_false")]
    pub perishable: bool,
    /// In a lock: the fingerprint of the key whose signature was found when the hash was pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Size of the disk image inside, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_size: Option<u64>,
    /// SHA-256 of the disk image inside (decompressed).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "sha256")]
    pub image_sha256: Option<String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Partition table and the partitions imgforge works on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Layout {
    /// Kind of partition table.
    pub table: TableKind,
    /// Number of the partition with the ext4 root file system.
    pub root: u32,
    /// The FAT partition the firmware reads, where there is one.
    #[serde(default)]
    pub boot: Option<BootPartition>,
}

/// Kind of partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TableKind {
    /// Master boot record.
    Mbr,
    /// GUID partition table.
    Gpt,
}

/// The FAT partition the firmware reads.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BootPartition {
    /// Its number.
    pub partition: u32,
    /// Where the running system mounts it.
    pub mount: ImagePath,
}

/// Why a board's description cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No folder with profiles anywhere on the search path.
    #[error("no board profiles found; looked in {}", looked_in.join(", "))]
    NoProfiles {
        /// The folders that were tried.
        looked_in: Vec<String>,
    },
    /// Nobody calls a board this.
    #[error("no board is called `{asked}`")]
    UnknownBoard {
        /// The name asked for.
        asked: String,
        /// The nearest known name.
        suggestion: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// The name in the file is not the file's name, or two profiles claim one name.
    #[error("{}: {message}", path.display())]
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// There is no such release of Kubernetes.
    #[error("no release of Kubernetes is called `{asked}`")]
    UnknownRelease {
        /// The name asked for.
        asked: String,
        /// All known names.
        known: Vec<String>,
    },
    /// A release has nothing for a board.
    #[error("Kubernetes {release} has no {} for {architecture}", way.name())]
    NotForBoard {
        /// The release.
        release: String,
        /// The board's instruction set.
        architecture: Architecture,
        /// Where it was to come from.
        way: kubernetes::Way,
        /// Where it can be had instead.
        other: Option<kubernetes::Way>,
    },
    /// A release knows of no such container runtime for a board.
    #[error("Kubernetes {release} has no {} for {architecture}", runtime.name())]
    NoRuntime {
        /// The release.
        release: String,
        /// What was to run the containers.
        runtime: Runtime,
        /// The board's instruction set.
        architecture: Architecture,
    },
    /// A file cannot be read as what it should be.
    #[error(transparent)]
    Yaml(#[from] yaml::Error),
    /// A folder cannot be listed.
    #[error("cannot list {}", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The profiles of a search path, loaded and checked.
#[derive(Debug, Clone)]
pub struct Catalogue {
    boards: BTreeMap<String, (PathBuf, Profile)>,
}

impl Catalogue {
    /// Loads all profiles of `folders`; a board in an earlier folder hides one of the same name in a later folder.
    pub fn load(folders: &[PathBuf]) -> Result<Self, Error> {
        let present: Vec<_> = folders.iter().filter(|folder| folder.is_dir()).collect();
        if present.is_empty() {
            let looked_in = folders.iter().map(|folder| folder.display().to_string()).collect();
            return Err(Error::NoProfiles { looked_in });
        }
        let mut boards = BTreeMap::new();
        for folder in present {
            for path in yaml_files(folder)? {
                let profile: Profile = yaml::read(&path)?;
                profile.check(&path)?;
                boards.entry(profile.board.clone()).or_insert((path, profile));
            }
        }
        let catalogue = Self { boards };
        catalogue.check_names()?;
        Ok(catalogue)
    }

    /// All boards, by name, each with the file it is described in.
    pub fn boards(&self) -> impl Iterator<Item = (&Path, &Profile)> {
        self.boards.values().map(|(path, profile)| (path.as_path(), profile))
    }

    /// The board called `name`, by its name or an alias, and the file it is described in.
    pub fn find(&self, name: &str) -> Result<(&Path, &Profile), Error> {
        let is_called =
            |profile: &Profile| profile.board == name || profile.aliases.iter().any(|alias| alias == name);
        self.boards().find(|(_, profile)| is_called(profile)).ok_or_else(|| {
            let known: Vec<_> = self.boards.keys().cloned().collect();
            let names =
                self.boards().flat_map(|(_, p)| p.aliases.iter().chain([&p.board])).map(String::as_str);
            Error::UnknownBoard { asked: name.to_owned(), suggestion: yaml::nearest(name, names), known }
        })
    }

    /// The vendor of `profile`, described beside it or, for a person's own profile, in any folder of the search path.
    pub fn vendor(&self, profile: &Profile, folders: &[PathBuf]) -> Result<Vendor, Error> {
        let file = Path::new("vendors").join(format!("{}.yaml", profile.vendor));
        let found = folders.iter().map(|folder| folder.join(&file)).find(|path| path.is_file());
        let path = found.ok_or_else(|| Error::Inconsistent {
            path: self.boards.get(&profile.board).map(|(path, _)| path.clone()).unwrap_or_default(),
            message: format!("names the vendor `{}`, but there is no {}", profile.vendor, file.display()),
        })?;
        let vendor: Vendor = yaml::read(&path)?;
        if profile.base.signature_file.is_some() && vendor.image_signers.is_empty() {
            let message = format!("has no `image-signers`, but {} asks for a signature", profile.board);
            return Err(Error::Inconsistent { path, message });
        }
        Ok(vendor)
    }

    fn check_names(&self) -> Result<(), Error> {
        let mut owner: BTreeMap<&str, &str> = BTreeMap::new();
        for (path, profile) in self.boards() {
            for name in profile.aliases.iter().chain([&profile.board]) {
                if let Some(other) = owner.insert(name, &profile.board) {
                    let message = format!("`{name}` already stands for the board `{other}`");
                    return Err(Error::Inconsistent { path: path.to_owned(), message });
                }
            }
        }
        Ok(())
    }
}

impl Profile {
    fn check(&self, path: &Path) -> Result<(), Error> {
        let fail = |message: String| Err(Error::Inconsistent { path: path.to_owned(), message });
        if path.file_stem().and_then(|stem| stem.to_str()) != Some(&self.board) {
            return fail(format!("describes the board `{}`; name the file {0}.yaml", self.board));
        }
        if self.base.url.is_some() == self.base.file.is_some() {
            return fail("base: exactly one of `url` and `file` says where the image is".into());
        }
        if self.base.sha256.is_none() && self.base.checksum_file.is_none() {
            return fail(
                "base: give `sha256`, or `checksum-file` where the vendor publishes one beside the image"
                    .into(),
            );
        }
        Ok(())
    }
}

/// All vendors that are described in `folders`, by name; one in an earlier folder hides one of the same name in a later folder.
pub fn vendors(folders: &[PathBuf]) -> Result<Vec<Vendor>, Error> {
    let mut vendors = BTreeMap::new();
    for folder in folders.iter().map(|folder| folder.join("vendors")).filter(|folder| folder.is_dir()) {
        for path in yaml_files(&folder)? {
            let vendor: Vendor = yaml::read(&path)?;
            vendors.entry(vendor.vendor.clone()).or_insert(vendor);
        }
    }
    Ok(vendors.into_values().collect())
}

/// Reads a SHA-256; a text that is none is an error with its place.
fn sha256<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let hash = Option::<String>::deserialize(deserializer)?;
    if hash.as_deref().is_some_and(|hash| !is_sha256(hash)) {
        return Err(de::Error::custom("a SHA-256 has 64 lower-case hexadecimal digits"));
    }
    Ok(hash)
}

/// Reads a SHA-256 that must be there.
pub fn required_sha256<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    sha256(deserializer)?.ok_or_else(|| de::Error::custom("a SHA-256 is missing"))
}

/// Whether `text` is a SHA-256 as sha256sum writes it: 64 lower-case hexadecimal digits.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The `.yaml` files directly in `folder`, by name; lock files are no profiles.
pub(crate) fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |source| Error::List { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(fail)?.collect::<Result<Vec<_>, _>>().map_err(fail)?;
    let is_profile =
        |path: &PathBuf| path.to_str().is_some_and(|p| p.ends_with(".yaml") && !p.ends_with(".lock.yaml"));
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(is_profile).collect();
    paths.sort();
    Ok(paths)
}
