//! The programs that a system finds by their names.

use std::collections::BTreeSet;

use super::look::Look;
use crate::image::read::Error;

/// Where systemd's services look for programs (systemd.exec(5), `$PATH`). Where `/bin` is a link, it is one to a folder of these.
pub(crate) const FOLDERS: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The names in these folders.
pub(super) fn commands(root: Look<'_>) -> Result<BTreeSet<String>, Error> {
    let mut names = BTreeSet::new();
    for folder in FOLDERS {
        names.extend(root.names(folder)?);
    }
    Ok(names)
}
