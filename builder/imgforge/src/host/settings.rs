//! Where things are on the build machine: the store, profiles and overlays, mirrors.
//!
//! Command line and environment come first, then the user's `config.yaml`, then the defaults of the XDG base directories.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use imgforge_spec::Sha256;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml;

/// `config.yaml` in the user's configuration folder.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Places to ask before a vendor's server: the beginning of a URL, and what to put in its place, in order. The
    /// vendor's own server is asked last. What comes is checked by hash all the same.
    #[serde(default)]
    pub(crate) mirrors: BTreeMap<String, Vec<String>>,
    /// Stores of others that a web server shows: whatever is pinned is asked for there first, as `blobs/<sha256>` below these addresses.
    #[serde(default)]
    pub(crate) caches: Vec<String>,
    /// Folder of the store.
    #[serde(default)]
    pub store: Option<PathBuf>,
    /// Folders with the user's own board profiles.
    #[serde(default)]
    pub profiles: Vec<PathBuf>,
}

impl Settings {
    /// Reads `file`, or the user's own configuration where there is one.
    pub fn load(file: Option<&Path>) -> Result<Self, yaml::Error> {
        if let Some(file) = file {
            return yaml::read(file);
        }
        let default = folder("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("imgforge/config.yaml"));
        default.filter(|file| file.is_file()).map_or_else(|| Ok(Self::default()), |file| yaml::read(&file))
    }

    /// The URLs under which `url` may be had, in the order to try.
    pub(crate) fn candidates(&self, url: &str) -> Vec<String> {
        let longest =
            self.mirrors.iter().filter(|(prefix, _)| url.starts_with(*prefix)).max_by_key(|(p, _)| p.len());
        let mirrored = longest.into_iter().flat_map(|(prefix, mirrors)| {
            mirrors.iter().map(move |mirror| format!("{mirror}{}", &url[prefix.len()..]))
        });
        mirrored.chain([url.to_owned()]).collect()
    }

    /// The same for a file whose hash is known: it may be had by that, too.
    pub(crate) fn candidates_of(&self, url: &str, sha256: Sha256) -> Vec<String> {
        let cached = self.caches.iter().map(|cache| in_cache(cache, sha256));
        cached.chain(self.candidates(url)).collect()
    }

    /// The store: `asked` for on the command line, else configured, else in the user's cache folder.
    pub(crate) fn store_folder(&self, asked: Option<&Path>) -> Option<PathBuf> {
        let default = || own_cache().map(|folder| folder.join("store"));
        asked.map(Path::to_owned).or_else(|| self.store.clone()).or_else(default)
    }

    /// Where profiles are looked for, first match first. `asked` on the command line replaces all other places.
    pub(crate) fn profile_folders(&self, asked: Option<&Path>) -> Vec<PathBuf> {
        if let Some(asked) = asked {
            return vec![asked.to_owned()];
        }
        let installed = env::current_exe()
            .ok()
            .and_then(|exe| Some(exe.parent()?.parent()?.join("share/imgforge/board-profiles")));
        let places = [own_profiles(), Some("board-profiles".into()), installed];
        self.profiles.iter().cloned().chain(places.into_iter().flatten()).collect()
    }
}

/// Where the store that is shown at the address `cache` has a file.
pub(crate) fn in_cache(cache: &str, sha256: Sha256) -> String {
    format!("{}/blobs/{sha256}", cache.trim_end_matches('/'))
}

/// The user's own profiles, in the configuration folder.
pub(crate) fn own_profiles() -> Option<PathBuf> {
    folder("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("imgforge/board-profiles"))
}

/// Locks of boards beside whose profiles the user cannot write.
pub(crate) fn own_locks() -> Option<PathBuf> {
    folder("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("imgforge/locks"))
}

/// What can be made again.
pub(crate) fn own_cache() -> Option<PathBuf> {
    folder("XDG_CACHE_HOME", ".cache").map(|folder| folder.join("imgforge"))
}

/// A folder of the XDG base directory specification: the variable, or its default below the home folder.
fn folder(variable: &str, default: &str) -> Option<PathBuf> {
    let set = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| Some(etcetera::home_dir().ok()?.join(default)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins_and_the_vendor_comes_last() {
        let settings: Settings = yaml::parse(
            Path::new("config.yaml"),
            "mirrors:\n  https://dl.armbian.com/: ['http://a/']\n  https://dl.armbian.com/renegade/: ['http://b/r/', 'http://c/']\n",
        )
        .unwrap();
        assert_eq!(
            settings.candidates("https://dl.armbian.com/renegade/x.img.xz"),
            ["http://b/r/x.img.xz", "http://c/x.img.xz", "https://dl.armbian.com/renegade/x.img.xz"]
        );
        assert_eq!(settings.candidates("https://other/x"), ["https://other/x"]);
    }

    #[test]
    fn what_is_pinned_is_asked_for_in_caches_first() {
        let text = "caches: ['http://nas/imgforge/']\nmirrors: { 'https://other/': ['http://a/'] }\n";
        let settings: Settings = yaml::parse(Path::new("config.yaml"), text).unwrap();
        let sha256 = Sha256::of("x");
        assert_eq!(
            settings.candidates_of("https://other/x", sha256),
            [format!("http://nas/imgforge/blobs/{sha256}"), "http://a/x".into(), "https://other/x".into()]
        );
        assert_eq!(settings.candidates("https://other/x").len(), 2, "nothing vouches for other files there");
    }
}
