//! The file of another patch of a release of Kubernetes, made from one that is known.
//!
//! From patch to patch the programs of Kubernetes (or of k3s) change, by whose addresses one is told from the other; all else stays.
//! It is the text that is edited, so that remarks stay, too; what comes of it is read again and compared.

use std::{collections::BTreeSet, path::PathBuf};

use imgforge_kube::{engine::Patch, version::Version};
use imgforge_spec::{Architecture, Sha256};

use super::{
    Catalogue, Error,
    artifact::Artifact,
    kubernetes::{Bundle, Release},
};
use crate::yaml;

/// How a file begins that was made so. Its remarks end with an empty line.
const HEADER: &str = "# Written by `imgforge kubernetes add ";

/// A release's file that becomes that of another patch.
#[derive(Debug)]
pub(crate) struct Bump {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    release: Release,
    /// Whose file it becomes.
    pub patch: Patch,
    /// What changes by that, at least one.
    pub programs: Vec<Program>,
}

/// A file of Kubernetes itself, in the patch whose file it becomes.
#[derive(Debug)]
pub(crate) struct Program {
    /// Where it is published.
    pub url: String,
    /// Where its project says its hash.
    pub checksums: String,
    /// Its address in the patch that is known, and where the hash is to be found if the lock is to find it.
    known: (String, Option<String>),
    /// The patch that is known,
    pub version: Version,
    /// and the hash it is pinned by; none where the lock finds it.
    pub pinned: Option<Sha256>,
}

/// What a project says of one of its programs.
#[derive(Debug)]
pub(crate) struct Said {
    /// Its hash.
    pub sha256: Sha256,
    /// Where that was read.
    pub from: String,
}

impl Catalogue {
    /// The newest file of the line of `patch`, to become that patch's.
    pub(crate) fn bump(&self, patch: Patch) -> Result<Bump, Error> {
        // Boards of 64 bits have all lines.
        patch.engine.runs_on(patch.version, Architecture::Arm64)?;
        let line = patch.engine.line(patch.version);
        let mut newest = None;
        for (path, release) in self.release_files(&line)? {
            if newest.as_ref().is_none_or(|(_, newest): &(PathBuf, Release)| newest.version < release.version)
            {
                newest = Some((path, release));
            }
        }
        let known = || self.release_names().unwrap_or_default();
        let (path, release) = newest.ok_or_else(|| Error::NoFileOfLine { line, patch, known: known() })?;
        Bump::new(path, release, patch)
    }
}

impl Bump {
    fn new(path: PathBuf, release: Release, patch: Patch) -> Result<Self, Error> {
        let mut programs = Vec::new();
        for (architecture, bundle) in &release.artifacts {
            programs.extend(Program::of(bundle, *architecture, patch));
        }
        let inconsistent = |path, message| Err(Error::Inconsistent { path, message });
        if release.engine != patch.engine {
            let message = format!("is a release of {}", release.engine.name());
            return inconsistent(path, message);
        }
        if programs.is_empty() {
            let message =
                format!("names no program by an address with its version in it, so none of {patch} either");
            return inconsistent(path, message);
        }
        Ok(Self { path, release, patch, programs })
    }

    /// What is not Kubernetes itself and stays as it is: `containerd v2.3.4` where the address tells, else the address.
    pub fn kept(&self) -> Vec<String> {
        let Release { artifacts, runtimes, engine, .. } = &self.release;
        let bundles = [artifacts].into_iter().chain(runtimes.values()).flat_map(|bundles| bundles.values());
        let others = bundles.flat_map(Bundle::urls).filter(|url| engine.published(url).is_none());
        let mut seen = BTreeSet::new();
        let others = others.map(component);
        others.filter(|name| seen.insert(name.clone())).collect()
    }

    /// The file of the patch, by what its project `said` of each program.
    pub fn text(&self, said: &[Said]) -> Result<String, Error> {
        let old = yaml::text(&self.path)?;
        let text = format!("{}{}", self.header(said), self.edited(without_header(&old), said));
        let written: Option<Release> = yaml::parse(&self.path, &text).ok();
        if written.as_ref() != Some(&self.expected(said)) {
            let message = format!(
                "cannot become the file of {}: `version`, `description`, `url` and `sha256` must each stand on a line as in the files \
                 that imgforge has, and no `size` beside a hash that changes",
                self.patch
            );
            return Err(Error::Inconsistent { path: self.path.clone(), message });
        }
        Ok(text)
    }

    fn header(&self, said: &[Said]) -> String {
        let pinned = self.programs.iter().zip(said).filter(|(program, _)| program.pinned.is_some());
        let from: BTreeSet<&str> = pinned.map(|(_, said)| said.from.as_str()).collect();
        let from: String = from.into_iter().map(|url| format!("#   {url}\n")).collect();
        let before = self.programs.first().map(|program| program.version.to_string()).unwrap_or_default();
        let kept = match self.kept() {
            kept if kept.is_empty() => String::new(),
            kept => format!(": {}", kept.join(", ")),
        };
        format!(
            "{HEADER}{}` from the file of {before}. Hashes of its programs, as their project says them:\n{from}\
             # All else is as it was, and what is said of hashes below is of that{kept}.\n\n",
            self.patch
        )
    }

    fn edited(&self, text: &str, said: &[Said]) -> String {
        let mut text: String = text
            .split_inclusive('\n')
            .map(|line| {
                let is_numbered = ["version:", "description:"].iter().any(|key| line.starts_with(key));
                if is_numbered { self.renumbered(line) } else { line.to_owned() }
            })
            .collect();
        for (program, said) in self.programs.iter().zip(said) {
            let (url, checksums) = &program.known;
            text = text.replace(url, &program.url);
            if let Some(checksums) = checksums {
                text = text.replace(checksums, &program.checksums);
            }
            if let Some(pinned) = program.pinned {
                text = text.replace(&pinned.to_string(), &said.sha256.to_string());
            }
        }
        text
    }

    /// What the edited text has to say.
    fn expected(&self, said: &[Said]) -> Release {
        let mut release = self.release.clone();
        release.version = Some(self.patch.version);
        release.description = self.renumbered(&release.description);
        for (program, said) in self.programs.iter().zip(said) {
            let bundles = release.artifacts.values_mut();
            bundles.for_each(|bundle| program.put(bundle, said.sha256));
        }
        release
    }

    /// `text` with the patch's number in place of those that are known, and k3s' count behind it.
    fn renumbered(&self, text: &str) -> String {
        let known = self.programs.iter().map(|program| program.version).chain(self.release.version);
        let known: BTreeSet<String> = known.map(|version| version.to_string()).collect();
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let (mut renumbered, mut rest) = (String::new(), text);
        while let Some(at) = rest.find(is_number) {
            let (before, behind) = rest.split_at(at);
            let number = behind.split(|c| !is_number(c)).next().unwrap_or_default().trim_end_matches('.');
            // A lone full stop is no number.
            let (number, after) = behind.split_at(number.len().max(1));
            renumbered.push_str(before);
            let counted =
                after.strip_prefix("+k3s").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
            match (known.contains(number), counted) {
                (true, Some(behind_count)) => {
                    renumbered.push_str(&self.patch.number());
                    rest = behind_count;
                    continue;
                }
                (true, None) => renumbered.push_str(&self.patch.version.to_string()),
                (false, _) => renumbered.push_str(number),
            }
            rest = after;
        }
        renumbered + rest
    }
}

impl Program {
    /// Those of `bundle`, which is for `architecture`, in `patch`.
    fn of(bundle: &Bundle, architecture: Architecture, patch: Patch) -> Vec<Self> {
        let engine = patch.engine;
        let pinned = bundle.pinned().filter_map(|Artifact { url, sha256, .. }| {
            let file = engine.published(url)?;
            let (known, new) = ((url.clone(), None), patch.url(&file));
            let checksums = engine.checksums(&new, architecture);
            Some(Self { url: new, checksums, known, version: file.version, pinned: Some(*sha256) })
        });
        let unpinned = bundle.unpinned().filter_map(|unpinned| {
            let file = engine.published(&unpinned.url)?;
            let checksums = &unpinned.checksum_file;
            let known = (unpinned.url.clone(), Some(checksums.clone()));
            let checksums = engine.published(checksums).map_or(checksums.clone(), |file| patch.url(&file));
            Some(Self { url: patch.url(&file), checksums, known, version: file.version, pinned: None })
        });
        pinned.chain(unpinned).collect()
    }

    /// The name by which a list of checksums knows it.
    pub fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    /// Why `sha256` cannot be its hash: the known patch has it, which is another, or is the same and has another.
    pub fn objection(&self, sha256: Sha256) -> Option<String> {
        let pinned = self.pinned?;
        match (self.url == self.known.0, pinned == sha256) {
            (true, false) => Some(format!("but {pinned} is pinned for it")),
            (false, true) => Some(format!("which is that of {}", self.version)),
            _ => None,
        }
    }

    /// Puts it in the place of what is known of it in `bundle`.
    fn put(&self, bundle: &mut Bundle, sha256: Sha256) {
        let (known, _) = &self.known;
        let archives = &mut bundle.image_archives;
        for file in bundle.files.iter_mut().chain(&mut archives.files).filter(|file| file.url == *known) {
            *file = Artifact { url: self.url.clone(), size: None, sha256, ..file.clone() };
        }
        for file in bundle.unpinned.iter_mut().chain(&mut archives.unpinned).filter(|file| file.url == *known)
        {
            (file.url, file.checksum_file) = (self.url.clone(), self.checksums.clone());
        }
    }
}

/// What a file at `url` belongs to: of a release on GitHub project and tag.
fn component(url: &str) -> String {
    let parts = url
        .split_once("/releases/download/")
        .and_then(|(project, rest)| Some((project.rsplit('/').next()?, rest.split('/').next()?)));
    parts.map_or_else(|| url.to_owned(), |(project, tag)| format!("{project} {tag}"))
}

fn without_header(text: &str) -> &str {
    if !text.starts_with(HEADER) {
        return text;
    }
    text.split_once("\n\n").map_or(text, |(_, rest)| rest)
}
