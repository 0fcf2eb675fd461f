//! `imgforge boards --export`: what the program has inside, as files.

use std::{fs, io, path::Path};

use crate::{build::error::Error, catalogue::built_in, host::console::Console};

/// Writes it into `folder`; into one that has something in it only if that is `forced`.
pub fn run(folder: &Path, forced: bool, console: &Console) -> Result<(), Error> {
    let fail = |what: &str, source| Error::Io { what: format!("{what} {}", folder.display()), source };
    let is_used = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(source) => return Err(fail("list", source)),
    };
    if is_used && !forced {
        return Err(Error::InUse { path: folder.to_owned() });
    }
    built_in::write(folder).map_err(|source| fail("write into", source))?;
    console.note(
        "imgforge takes these where it runs in this folder; elsewhere --profiles and --overlays name them",
    );
    super::super::print(console, &format!("{}\n", folder.display()))
}
