//! Files that people add to a node.

use imgforge_spec::{ExtraFile, ImagePath};

use super::{Draft, Error, Request, accounts};
use crate::image::change::{Access, Origin, Volume};

const ORIGIN: Origin = Origin::Node("files");

/// Puts in the files of the settings, in their order. Below the mount point of the boot partition they go into that, which knows
/// neither mode nor owner.
pub(crate) fn add(draft: &mut Draft<'_>, request: &Request) -> Result<(), Error> {
    let boot = request.board.profile.layout.boot.as_ref();
    for (index, file) in request.node.files.iter().enumerate() {
        let path = ImagePath::new(&file.path)?;
        let unread = || Error::clash(format!("files[{index}].file"), "nobody has read it");
        let content = file.content().ok_or_else(unread)?;
        // Below its mount point a file of the root file system would never be seen.
        let (volume, path) = match boot.and_then(|boot| boot.inside(&path)) {
            Some(inside) => (Volume::Boot, inside),
            None => (Volume::Root, path),
        };
        // A wrong mode was told when the settings were read; here it becomes the strictest.
        let mode = file.permissions().unwrap_or(0o600);
        let (uid, gid) = match volume {
            Volume::Root => owner(draft, file, index)?,
            Volume::Boot => (0, 0),
        };
        if volume == Volume::Root && uid != 0 {
            // In a home, folders are its owner's; a program could not write beside its file otherwise.
            let (missing, above) = draft.missing_folders(&path)?;
            for folder in missing.iter().filter(|_| above.0 == uid) {
                draft.directory(volume, folder, Access { mode: 0o755, uid, gid: above.1 }, ORIGIN)?;
            }
        }
        draft.write(volume, &path, content, Some(Access { mode, uid, gid }), ORIGIN)?;
        if file.secret {
            draft.hide(volume, &path)?;
        }
    }
    Ok(())
}

/// The numbers of the owner and group of `file`, which is the one at `index`.
fn owner(draft: &Draft<'_>, file: &ExtraFile, index: usize) -> Result<(u32, u32), Error> {
    let (user, group) = file.owners();
    let unknown = |what: &str, name: &str| {
        let message = format!(
            "{} is to be the {what} `{name}`'s, which neither the base nor `users` have; give the number, \
             or `chown` in a script under `run-once`, where a package makes the {what}",
            file.path
        );
        Error::clash(format!("files[{index}].owner"), message)
    };
    let by_name = accounts::numbers(draft, user)?;
    let uid = user.parse().ok().or(by_name.map(|(uid, _)| uid)).ok_or_else(|| unknown("user", user))?;
    let gid = match group {
        // As chown(1) does of `user:`; a number without a name has no group of its own.
        None => by_name.map_or(uid, |(_, gid)| gid),
        Some(group) => match group.parse() {
            Ok(gid) => gid,
            Err(_) => accounts::group(draft, group)?.ok_or_else(|| unknown("group", group))?,
        },
    };
    Ok((uid, gid))
}
