//! Every program that goes into an image must run on the board: a file that does not is an error now, not an "Illegal
//! instruction" on the desk.

use std::sync::Arc;

use imgforge_debian::{Elf, Target};

use super::Error;
use crate::{
    catalogue::profile::Profile,
    image::{
        change::{Action, Change, Volume},
        read::Slice,
    },
};

/// Checks each ELF file among `changes` against the board.
pub fn check(profile: &Profile, changes: &[Change]) -> Result<(), Error> {
    let target = Target::from(profile.architecture);
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
            Ok(elf) => elf.and_then(|elf| elf.misfit(target)),
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
