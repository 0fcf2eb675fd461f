//! `imgforge kubernetes add`: the file of another patch, with the hashes that its project publishes.

use std::path::{Path, PathBuf};

use imgforge_kube::engine::Patch;

use crate::{
    build::error::Error,
    catalogue::Catalogue,
    host::{console::Console, settings},
    supply::{publisher::Publisher, store},
};

/// Where the file goes, and whether it may replace one.
#[derive(Debug)]
pub(super) struct Destination<'a> {
    /// The folder of profiles that was asked for with `--profiles`.
    pub folder: Option<&'a Path>,
    /// Whether a file that is there is replaced.
    pub force: bool,
}

impl Destination<'_> {
    /// The path of the file of `patch`, if it may be written.
    fn of(&self, patch: Patch) -> Result<PathBuf, Error> {
        let folder = self.folder.map(Path::to_owned).or_else(settings::own_profiles);
        let name = format!("{}.yaml", patch.engine.line(patch.version));
        let path = folder.ok_or(Error::NoProfileFolder)?.join("kubernetes").join(name);
        if path.exists() && !self.force {
            return Err(Error::InPlace { path });
        }
        Ok(path)
    }
}

/// Writes the file of `patch`.
pub(super) fn run(
    patch: Patch,
    destination: &Destination<'_>,
    (catalogue, publisher): (&Catalogue, &Publisher<'_>),
    console: &Console,
) -> Result<(), Error> {
    let bump = catalogue.bump(patch)?;
    let path = destination.of(patch)?;
    console.note(&format!("reading the hashes of {}", patch.title()));
    let text = bump.text(&publisher.hashes(&bump)?)?;
    path.parent().map_or(Ok(()), store::make_folder)?;
    store::write_whole(&path, text.as_bytes())?;

    let kept = bump.kept();
    if !kept.is_empty() {
        console.note(&format!("as in {}: {}", bump.path.display(), kept.join(", ")));
    }
    let (line, version) = (patch.engine.line(patch.version), patch.version);
    match catalogue.release_file(&line).filter(|counts| *counts != path) {
        Some(counts) => console.note(&format!("{} comes first and hides it", counts.display())),
        None => console.note(&format!(
            "nodes take it with `kubernetes: {version}` in the cluster file; then `imgforge lock`"
        )),
    }
    crate::commands::print(console, &format!("{}\n", path.display()))
}
