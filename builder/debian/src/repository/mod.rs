//! Signed package repositories: what to fetch, in which order, and what it must be.
//!
//! <https://wiki.debian.org/DebianRepository/Format>. Nothing is fetched here: a [`Repository`] names paths below its
//! address, a verified [`Release`] gives sizes and sums.

mod date;
mod packages;
mod release;
mod signature;
mod sources;

pub use self::packages::{Candidate, read_packages};
pub use self::release::{FileSum, Release};
pub use self::signature::{Fingerprint, Keyring, Signed, Trust};
pub use self::sources::{SignedBy, Source, parse_deb822_sources, parse_source_list};
use crate::compression::Compression;

/// How a repository is laid out below its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `dists/SUITE/COMPONENT/binary-ARCHITECTURE/`, as `deb ADDRESS SUITE COMPONENT…` says in sources.list(5).
    Suite {
        /// Suite or codename.
        suite: String,
        /// `main`, …
        components: Vec<String>,
    },
    /// Everything in one directory, as `deb ADDRESS DIRECTORY/` says; empty for the address itself.
    Flat {
        /// Without slashes at its ends.
        directory: String,
    },
}

/// One index, in each form the repository has of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The forms, the one to prefer first.
    pub files: Vec<IndexFile>,
}

/// One form of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexFile {
    /// How it is compressed.
    pub compression: Compression,
    /// Size and sum of the file as it is fetched.
    pub sum: FileSum,
    /// Where it is, below the repository's address: under its sum first, if the repository has that.
    pub paths: Vec<String>,
}

impl Layout {
    /// The directory of `InRelease`, `Release` and `Release.gpg`, below the repository's address; it ends with a slash
    /// unless it is empty.
    pub fn release_directory(&self) -> String {
        match self {
            Layout::Suite { suite, .. } => format!("dists/{suite}/"),
            Layout::Flat { directory } if directory.is_empty() => String::new(),
            Layout::Flat { directory } => format!("{directory}/"),
        }
    }

    /// The package indexes for an architecture. An index the release does not list is left out.
    pub fn indexes(&self, release: &Release, architecture: &str) -> Vec<Index> {
        let stems: Vec<String> = match self {
            Layout::Flat { .. } => vec!["Packages".to_owned()],
            Layout::Suite { components, .. } => {
                // Some repositories keep architecture-independent packages in an index of their own only.
                let separate =
                    release.words("No-Support-for-Architecture-all").all(|kind| kind != "Packages");
                let architectures = [Some(architecture), separate.then_some("all")];
                let stem = |component, architecture| format!("{component}/binary-{architecture}/Packages");
                let of_component = |component| {
                    architectures.into_iter().flatten().map(move |architecture| stem(component, architecture))
                };
                components.iter().flat_map(of_component).collect()
            }
        };
        stems.iter().map(|stem| self.index(release, stem)).filter(|index| !index.files.is_empty()).collect()
    }

    fn index(&self, release: &Release, stem: &str) -> Index {
        let top = self.release_directory();
        let directory = stem.rsplit_once('/').map_or(String::new(), |(directory, _)| format!("{directory}/"));
        let file = |compression: Compression| {
            let path = format!("{stem}{}", compression.suffix());
            let sum = release.file(&path)?;
            let by_hash =
                release.acquire_by_hash().then(|| format!("{top}{directory}by-hash/SHA256/{}", sum.sha256));
            Some(IndexFile {
                compression,
                sum,
                paths: by_hash.into_iter().chain([format!("{top}{path}")]).collect(),
            })
        };
        Index { files: Compression::ALL.into_iter().filter_map(file).collect() }
    }
}

/// Whether a path that somebody else wrote leads to a place below the repository's address, whatever the scheme.
fn stays_below(path: &str) -> bool {
    let climbs = path.starts_with('/') || path.split('/').any(|part| part == "..");
    !climbs && !path.contains(|c: char| c.is_control() || c.is_whitespace() || "?#".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;

    fn release(extra: &str, files: &[&str]) -> Release {
        let sum = Sha256::of(b"");
        let lines: String = files.iter().map(|path| format!("\n {sum} 0 {path}")).collect();
        Release::parse(
            format!("Suite: stable\nDate: Thu, 01 Jan 1970 00:00:10 UTC\n{extra}SHA256:{lines}\n").as_bytes(),
        )
        .unwrap()
    }

    fn paths(layout: &Layout, release: &Release) -> Vec<String> {
        let files = layout.indexes(release, "arm64").into_iter().flat_map(|index| index.files);
        files.flat_map(|file| file.paths).collect()
    }

    #[test]
    fn suites_have_an_index_for_each_component_and_architecture() {
        let layout =
            Layout::Suite { suite: "trixie".into(), components: vec!["main".into(), "absent".into()] };
        let files = [
            "main/binary-arm64/Packages.gz",
            "main/binary-arm64/Packages.xz",
            "main/binary-all/Packages",
            "main/x",
        ];
        assert_eq!(
            paths(&layout, &release("", &files)),
            [
                "dists/trixie/main/binary-arm64/Packages.xz",
                "dists/trixie/main/binary-arm64/Packages.gz",
                "dists/trixie/main/binary-all/Packages"
            ]
        );
        let by_hash = format!("dists/trixie/main/binary-arm64/by-hash/SHA256/{}", Sha256::of(b""));
        let extra = "Acquire-By-Hash: yes\nNo-Support-for-Architecture-all: Packages\n";
        assert_eq!(
            paths(&layout, &release(extra, &files[1..])),
            [by_hash.as_str(), "dists/trixie/main/binary-arm64/Packages.xz"]
        );
    }

    #[test]
    fn flat_repositories_have_one_index() {
        let release = release("", &["Packages.gz"]);
        assert_eq!(paths(&Layout::Flat { directory: String::new() }, &release), ["Packages.gz"]);
        assert_eq!(paths(&Layout::Flat { directory: "a/b".into() }, &release), ["a/b/Packages.gz"]);
    }

    #[test]
    fn releases_are_valid_between_their_dates() {
        let release = release("Valid-Until: Thu, 01 Jan 1970 00:00:20 UTC\n", &[]);
        assert!(release.check_time(9).is_err());
        assert!(release.check_time(10).is_ok());
        assert!(release.check_time(20).is_ok());
        assert_eq!(
            release.check_time(21).unwrap_err().to_string(),
            "not trusted: Release is valid until 20; the time is 21 (seconds since 1970)"
        );
    }

    #[test]
    fn broken_releases_are_refused() {
        for text in ["Suite: x\n", "SHA256:\n abc 1 x\n", "Date: today\nSHA256:\n", "SHA256:\n x\n"] {
            assert!(Release::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
