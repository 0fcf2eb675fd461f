//! Every program that goes into an image must run on the board, with the libraries of its base: a file that does not is an error
//! now, not an "Illegal instruction" or a "not found" on the desk.

use std::sync::Arc;

use imgforge_debian::{Elf, Target};

use super::Error;
use crate::{
    catalogue::profile::Profile,
    image::{
        change::{Action, Change, Volume},
        programs,
        read::{Slice, Tree},
    },
};

/// Checks each ELF file among `changes` against the board and the base, whose root file system is `root`.
pub fn check(profile: &Profile, root: &dyn Tree, changes: &[Change]) -> Result<(), Error> {
    let target = Target::from(profile.architecture);
    let of_base = programs::typical(root)?;
    let misfit = |elf: Elf| {
        let beside = || of_base.as_ref().and_then(|of_base| elf.misfit_beside(of_base));
        elf.misfit(target).or_else(beside)
    };
    let mut misfits = Vec::new();
    for change in changes.iter().filter(|change| change.volume == Volume::Root) {
        let Action::File { bytes, .. } = &change.action else { continue };
        let failed = |source| Error::Content { path: change.path.clone(), source };
        let mut magic = [0; 4];
        if bytes.content.len() < 4 {
            continue;
        }
        bytes.content.read_at(0, &mut magic).map_err(failed)?;
        if magic != *b"\x7fELF" {
            continue;
        }
        let mut file = Slice::new(Arc::clone(&bytes.content), 0..bytes.content.len()).map_err(failed)?;
        let reason = match Elf::read(&mut file) {
            Ok(elf) => elf.and_then(misfit),
            Err(error) => Some(error.to_string()),
        };
        let origins: Vec<String> = change.origins.iter().map(ToString::to_string).collect();
        misfits.extend(reason.map(|reason| format!("{} ({}): {reason}", change.path, origins.join(", "))));
    }
    if misfits.is_empty() {
        return Ok(());
    }
    Err(Error::Architecture { board: profile.name.clone(), architecture: profile.architecture, misfits })
}
