//! `imgforge kubernetes list`: which releases nodes can have, and what is newer.

use std::{collections::BTreeMap, path::PathBuf};

use imgforge_kube::{engine::Engine, version::Version};
use imgforge_spec::Architecture;
use serde::Serialize;

use crate::{
    build::error::Error,
    catalogue::{Catalogue, kubernetes::Release},
    host::console::Console,
    supply::publisher::Publisher,
};

/// A release as `--json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Listed {
    release: String,
    engine: Engine,
    /// None where it brings no kubelet.
    version: Option<Version>,
    /// What its official binaries are made for.
    architectures: Vec<Architecture>,
    /// Whether packages bring it, too.
    packages: bool,
    /// The newest patch of its line, where its project was asked and says.
    newest_patch: Option<Version>,
    /// Each thing that is newer, in words.
    newer: Vec<String>,
    file: PathBuf,
    built_in: bool,
}

/// Lists what `catalogue` has; with a `publisher`, what that says as well.
pub(super) fn run(
    catalogue: &Catalogue,
    publisher: Option<&Publisher<'_>>,
    json: bool,
    console: &Console,
) -> Result<(), Error> {
    let names = catalogue.release_names()?;
    let listed = names.iter().map(|name| Listed::new(name, catalogue, publisher));
    let listed: Vec<Listed> = listed.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    if publisher.is_some() {
        let unasked = listed.iter().filter(|row| row.version.is_some() && row.newest_patch.is_none());
        let unasked: Vec<&str> = unasked.map(|row| row.release.as_str()).collect();
        if !unasked.is_empty() {
            console.note(&format!("of what patches there are, nobody was asked: {}", unasked.join(", ")));
        }
    }
    if json {
        return crate::commands::print_json(console, &listed);
    }
    let head = ["RELEASE", "VERSION", "ENGINE", "BINARIES FOR", "NEWER", "FILE"].map(str::to_owned);
    crate::commands::print(
        console,
        &crate::commands::table([head].into_iter().chain(listed.iter().map(Listed::row)).collect()),
    )
}

impl Listed {
    /// The release called `name`.
    fn new(
        name: &str,
        catalogue: &Catalogue,
        publisher: Option<&Publisher<'_>>,
    ) -> Result<Option<Self>, Error> {
        let mut files = catalogue.release_files(name)?.into_iter();
        let Some((file, release)) = files.next() else { return Ok(None) };
        let newest_patch = publisher.map_or(Ok(None), |publisher| newest_patch(&release, publisher))?;
        let mut newer = Vec::new();
        if let Some(own) = release.version {
            newer.extend(other_programs(&release, own));
            newer.extend(
                newest_patch.filter(|newest| *newest > own).map(|newest| format!("{newest} is published")),
            );
            newer.extend(hidden(files, own));
            newer.extend(lines(&release, own));
        }
        Ok(Some(Self {
            release: release.release,
            engine: release.engine,
            version: release.version,
            architectures: release.artifacts.keys().copied().collect(),
            packages: !release.packages.is_empty(),
            newest_patch,
            newer,
            built_in: catalogue.is_built_in(&file),
            file,
        }))
    }

    fn row(&self) -> [String; 6] {
        let mut from: Vec<String> = self.architectures.iter().map(ToString::to_string).collect();
        if from.is_empty() {
            from.push("none".into());
        }
        let version = self.version.map_or_else(|| "none".to_owned(), |version| version.to_string());
        let file = if self.built_in { "built in".to_owned() } else { self.file.display().to_string() };
        [
            self.release.clone(),
            version,
            self.engine.name().to_owned(),
            from.join(", "),
            self.newer.join("; "),
            file,
        ]
    }
}

/// What the project of `release` says is the newest patch of its line.
fn newest_patch(release: &Release, publisher: &Publisher<'_>) -> Result<Option<Version>, Error> {
    let Some(program) = release.programs().next() else { return Ok(None) };
    let Some(url) = release.engine.newest_patch(&program) else { return Ok(None) };
    Ok(Some(publisher.newest_patch(&url, program.version.minor)?))
}

/// Whoever changes the number alone gets the programs of before.
fn other_programs(release: &Release, own: Version) -> Option<String> {
    let other = release.programs().find(|program| program.version != own)?;
    Some(format!("its programs are of {}", other.version))
}

/// The newest of the `files` that hide behind the one that counts, if it is newer than that.
fn hidden(files: impl DoubleEndedIterator<Item = (PathBuf, Release)>, own: Version) -> Option<String> {
    let newer = files.filter(|(_, release)| release.version > Some(own));
    // Of several that are the same, the first counts.
    let (path, release) = newer.rev().max_by_key(|(_, release)| release.version)?;
    Some(format!("{} has {}, which this file hides", path.display(), release.version?))
}

/// Later lines that are known for what the release has binaries for.
fn lines(release: &Release, own: Version) -> Vec<String> {
    let mut architectures: Vec<Architecture> = release.artifacts.keys().copied().collect();
    if architectures.is_empty() {
        architectures.push(Architecture::Arm64);
    }
    let mut later: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for architecture in &architectures {
        let newest = release.engine.newest_for(*architecture).filter(|newest| newest.minor > own.minor);
        newest.into_iter().for_each(|newest| {
            later.entry(newest.minor).or_default().push(architecture.to_string());
        });
    }
    let told = |(minor, of): (u16, Vec<String>)| match of.len() == architectures.len() {
        true => format!("the line 1.{minor} is known"),
        false => format!("the line 1.{minor} is known for {}", of.join(", ")),
    };
    later.into_iter().map(told).collect()
}
