//! What system it is, what it starts first and what it mounts.

use imgforge_spec::ImagePath;

use super::look::{Look, shown};
use crate::image::read::Error;

/// The program that is started first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Init {
    /// systemd.
    Systemd,
    /// Something else, by its file: `/sbin/init`, or what that points to.
    Other(String),
}

impl Init {
    pub(super) fn of(root: Look<'_>) -> Result<Option<Self>, Error> {
        for path in ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"] {
            if root.has(path)? {
                return Ok(Some(Init::Systemd));
            }
        }
        for path in ["/usr/sbin/init", "/sbin/init"] {
            if root.has(path)? {
                let program = root.target(path)?.unwrap_or_else(|| path.to_owned());
                let is_systemd = program.ends_with("/systemd");
                return Ok(Some(if is_systemd { Init::Systemd } else { Init::Other(program) }));
            }
        }
        Ok(None)
    }
}

/// A line of fstab that mounts something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// What is mounted.
    pub source: String,
    /// Where.
    pub target: ImagePath,
    /// The same, with the links on the way followed: where it lands.
    pub(crate) real: ImagePath,
    /// How, in the words of fstab(5).
    pub(crate) options: String,
}

/// What /etc/fstab mounts besides the root.
pub fn mounts(root: Look<'_>) -> Result<Vec<Mounted>, Error> {
    let fstab = root.text("/etc/fstab")?.unwrap_or_default();
    let mut mounts = Vec::new();
    for line in fstab.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let mut words = line.split_whitespace();
        let (Some(source), Some(target)) = (words.next(), words.next()) else { continue };
        let Ok(target) = ImagePath::new(unescaped(target)) else { continue };
        if target == ImagePath::root() {
            continue;
        }
        let real = root.behind_links(&target)?;
        let options = words.nth(1).unwrap_or_default().to_owned();
        mounts.push(Mounted { source: shown(source), target, real, options });
    }
    Ok(mounts)
}

/// A path as fstab(5) writes it, with its white space again.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (code, character)| text.replace(code, character))
}

/// The text of os-release(5); empty where there is none.
pub(crate) fn os_release(root: Look<'_>) -> Result<String, Error> {
    match root.text("/etc/os-release")? {
        Some(text) => Ok(text),
        None => Ok(root.text("/usr/lib/os-release")?.unwrap_or_default()),
    }
}

/// The value of `key` in a file of assignments such as os-release(5).
pub(crate) fn value_of(text: &str, key: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(shown(value.trim().trim_matches(['"', '\''])))
}
