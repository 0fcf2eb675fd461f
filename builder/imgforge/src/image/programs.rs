//! What the programs of a system are made for.

use std::io::Cursor;

use imgforge_debian::Elf;

use super::read::{Error, Kind, Tree};
use imgforge_spec::ImagePath;

/// Programs that every Debian has: the rest of the system is made like them.
const PROGRAMS: [&str; 3] = ["/usr/bin/dpkg", "/usr/bin/dash", "/bin/dash"];

/// One of the programs that every system has; `None` where there is none that can be read.
pub(crate) fn typical(root: &dyn Tree) -> Result<Option<Elf>, Error> {
    for path in PROGRAMS {
        let Ok(path) = ImagePath::new(path) else { continue };
        if root.entry(&path)?.is_none_or(|entry| entry.kind != Kind::File) {
            continue;
        }
        if let Ok(Some(elf)) = Elf::read(&mut Cursor::new(root.read(&path)?)) {
            return Ok(Some(elf));
        }
    }
    Ok(None)
}
