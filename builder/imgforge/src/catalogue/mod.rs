//! What is known: boards, their vendors, releases of Kubernetes, add-ons, keys; all of it data, found by a search path, so
//! that a person's own files come first. What the program has inside comes last.
//!
//! ```text
//! board-profiles/<board>.yaml              a board, its image and how that is laid out
//! board-profiles/vendors/<vendor>.yaml     what all images of a vendor have in common
//! board-profiles/kubernetes/<release>.yaml what a node takes to run a release of Kubernetes
//! board-profiles/add-ons/<name>.yaml       the pin of an add-on's manifest
//! board-profiles/keys/                     whose signature counts
//! ```

pub mod artifact;
pub mod built_in;
pub(crate) mod bump;
mod error;
pub mod keys;
pub mod kubernetes;
pub mod limits;
mod own;
pub mod profile;
pub mod vendor;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use imgforge_kube::add_ons::{Manifest, Manifests};
use imgforge_spec::BoardName;

pub use self::error::Error;
use self::{built_in::Unpacked, kubernetes::Release, profile::Profile, vendor::Vendor};
use crate::{
    host::settings::{self, Settings},
    yaml,
};

/// A board with all that is known of it.
#[derive(Debug, Clone)]
pub struct Board {
    /// The file it is described in.
    pub path: PathBuf,
    /// What that says.
    pub profile: Profile,
    /// Whose image it takes.
    pub vendor: Vendor,
    /// Whether the file is one of those that the program has inside.
    is_built_in: bool,
}

/// All that is known, loaded and checked once.
#[derive(Debug, Clone)]
pub struct Catalogue {
    folders: Vec<PathBuf>,
    boards: BTreeMap<BoardName, (PathBuf, Profile)>,
    built_in: Option<Arc<Unpacked>>,
}

impl Catalogue {
    /// Loads all profiles of `folders`; what is in an earlier folder hides what has the same name in a later one.
    pub fn load(folders: Vec<PathBuf>) -> Result<Self, Error> {
        let present: Vec<_> = folders.iter().filter(|folder| folder.is_dir()).collect();
        if present.is_empty() {
            let looked_in = folders.iter().map(|folder| folder.display().to_string()).collect();
            return Err(Error::NoProfiles { looked_in });
        }
        let mut boards = BTreeMap::new();
        for folder in present {
            for path in yaml_files(folder)? {
                let profile: Profile = yaml::read_file(&path)?;
                profile.check(&path)?;
                boards.entry(profile.board.clone()).or_insert((path, profile));
            }
        }
        let catalogue = Self { folders, boards, built_in: None };
        catalogue.check_names()?;
        Ok(catalogue)
    }

    /// What is known from the folder that was `asked` for, or else from those of the user's search path, and last from the program
    /// itself.
    pub fn of(settings: &Settings, asked: Option<&Path>) -> Result<Self, Error> {
        let folders = settings.profile_folders(asked);
        match asked {
            Some(_) => Self::load(folders),
            None => Self::with_built_in(folders, settings::own_cache().as_deref()),
        }
    }

    /// All profiles of `folders`, and last what the program has inside, which is unpacked in the user's folder `cache`.
    fn with_built_in(mut folders: Vec<PathBuf>, cache: Option<&Path>) -> Result<Self, Error> {
        let built_in = Unpacked::new(cache).map_err(|source| Error::BuiltIn { source })?;
        folders.push(built_in.profiles());
        Ok(Self { built_in: Some(Arc::new(built_in)), ..Self::load(folders)? })
    }

    /// All profiles, by the boards' names.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.boards.values().map(|(_, profile)| profile)
    }

    /// The board called `name`, by its name or an alias.
    pub fn board(&self, name: &str) -> Result<Arc<Board>, Error> {
        let (path, profile) = self.find(name)?;
        let vendor = self.vendor_of(path, profile)?;
        let (path, is_built_in) = (path.to_owned(), self.is_built_in(path));
        Ok(Arc::new(Board { path, profile: profile.clone(), vendor, is_built_in }))
    }

    /// The profile of the board called `name`, and the file it is in; of its vendor nothing need be known.
    pub fn find(&self, name: &str) -> Result<(&Path, &Profile), Error> {
        let is_called = |profile: &Profile| {
            profile.board.as_str() == name || profile.aliases.iter().any(|alias| alias == name)
        };
        let found = self.boards.values().find(|(_, profile)| is_called(profile));
        found.map(|(path, profile)| (path.as_path(), profile)).ok_or_else(|| {
            let known = self.boards.keys().map(ToString::to_string).collect();
            let names = self.profiles().flat_map(Profile::names);
            Error::UnknownBoard { asked: name.to_owned(), suggestion: yaml::nearest(name, names), known }
        })
    }

    /// Whether `path` is one of those files that the program has inside.
    pub(crate) fn is_built_in(&self, path: &Path) -> bool {
        self.built_in.as_ref().is_some_and(|inside| path.starts_with(inside.profiles()))
    }

    fn vendor_of(&self, board: &Path, profile: &Profile) -> Result<Vendor, Error> {
        let file = Path::new("vendors").join(format!("{}.yaml", profile.vendor));
        let path = self.first(&file).ok_or_else(|| Error::Inconsistent {
            path: board.to_owned(),
            message: format!("names the vendor `{}`, but there is no {}", profile.vendor, file.display()),
        })?;
        let vendor: Vendor = yaml::read_file(&path)?;
        if profile.base.signature_file.is_some() && vendor.image_signers.is_empty() {
            let message = format!("has no `image-signers`, but {} asks for a signature", profile.board);
            return Err(Error::Inconsistent { path, message });
        }
        Ok(vendor)
    }

    /// All vendors, by name.
    pub fn vendors(&self) -> Result<Vec<Vendor>, Error> {
        let mut vendors = BTreeMap::new();
        for path in self.all("vendors")? {
            let vendor: Vendor = yaml::read_file(&path)?;
            vendors.entry(vendor.vendor.clone()).or_insert(vendor);
        }
        Ok(vendors.into_values().collect())
    }

    /// The release of Kubernetes called `name`.
    pub fn release(&self, name: &str) -> Result<Release, Error> {
        let unknown = || {
            let known = self.release_names().unwrap_or_default();
            Error::UnknownRelease { asked: name.to_owned(), known }
        };
        Release::read(&self.release_file(name).ok_or_else(unknown)?, name)
    }

    /// The file of the release called `name` that counts.
    pub(crate) fn release_file(&self, name: &str) -> Option<PathBuf> {
        self.first(&Path::new("kubernetes").join(format!("{name}.yaml")))
    }

    /// All files of the release called `name`, as the search path has them: the first counts, and hides the others.
    pub(crate) fn release_files(&self, name: &str) -> Result<Vec<(PathBuf, Release)>, Error> {
        let file = Path::new("kubernetes").join(format!("{name}.yaml"));
        let paths = self.folders.iter().map(|folder| folder.join(&file)).filter(|path| path.is_file());
        paths.map(|path| Release::read(&path, name).map(|release| (path, release))).collect()
    }

    /// All releases of Kubernetes, by name.
    pub fn releases(&self) -> Result<Vec<Release>, Error> {
        self.release_names()?.iter().map(|name| self.release(name)).collect()
    }

    /// The names of all releases of Kubernetes, in order.
    pub(crate) fn release_names(&self) -> Result<Vec<String>, Error> {
        let paths = self.all("kubernetes")?;
        let stems = paths.iter().filter_map(|path| path.file_stem());
        let mut names: Vec<String> = stems.map(|stem| stem.to_string_lossy().into_owned()).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The pins of all add-ons' manifests.
    pub(crate) fn add_ons(&self) -> Result<Manifests, Error> {
        let mut manifests = Manifests::new();
        for path in self.all("add-ons")? {
            let manifest: Manifest = yaml::read_file(&path)?;
            if path.file_stem().is_none_or(|stem| stem != manifest.name.as_str()) {
                let message = format!("describes the add-on `{}`; name the file {0}.yaml", manifest.name);
                return Err(Error::Inconsistent { path, message });
            }
            manifests.entry(manifest.name.clone()).or_insert(manifest);
        }
        Ok(manifests)
    }

    /// The overlays for the board in the profile `board`: `overlays` beside the folder the profile is in; a person's own
    /// profiles may have none, then beside another folder of the search path.
    pub fn overlays(&self, board: &Board) -> PathBuf {
        let beside = |profiles: &Path| match profiles.parent() {
            Some(above) => above.join("overlays"),
            None => "overlays".into(),
        };
        let own = board.path.parent().map(beside);
        let folders = self.folders.iter().map(|folder| beside(folder));
        let found = own.iter().cloned().chain(folders).find(|path| path.join("common").is_dir());
        found.or(own).unwrap_or_else(|| "overlays".into())
    }

    /// The first file of the search path that is called `file` in its folder.
    fn first(&self, file: &Path) -> Option<PathBuf> {
        self.folders.iter().map(|folder| folder.join(file)).find(|path| path.is_file())
    }

    /// All `.yaml` files in the folders called `part`, those of earlier folders first.
    fn all(&self, part: &str) -> Result<Vec<PathBuf>, Error> {
        let folders = self.folders.iter().map(|folder| folder.join(part)).filter(|folder| folder.is_dir());
        let files: Vec<_> = folders.map(|folder| yaml_files(&folder)).collect::<Result<_, _>>()?;
        Ok(files.concat())
    }

    fn check_names(&self) -> Result<(), Error> {
        let mut owner: BTreeMap<&str, &str> = BTreeMap::new();
        for (path, profile) in self.boards.values() {
            for name in profile.names() {
                if let Some(other) = owner.insert(name, profile.board.as_str()) {
                    let message = format!("`{name}` already stands for the board `{other}`");
                    return Err(Error::Inconsistent { path: path.to_owned(), message });
                }
            }
        }
        Ok(())
    }
}

/// The `.yaml` files directly in `folder`, by name; lock files are no profiles.
fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |source| Error::List { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(fail)?.collect::<Result<Vec<_>, _>>().map_err(fail)?;
    let is_profile =
        |path: &PathBuf| path.to_str().is_some_and(|p| p.ends_with(".yaml") && !p.ends_with(".lock.yaml"));
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(is_profile).collect();
    paths.sort();
    Ok(paths)
}
