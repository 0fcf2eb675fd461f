//! What the kernel, the firmware and systemd are told at each start.

use super::look::{Look, shown};
use crate::image::read::Error;

/// How the system is started.
#[derive(Debug, Clone, Default)]
pub struct Boot {
    /// The words of the kernel's command line, each with the file that has it.
    pub(crate) words: Vec<(String, String)>,
    /// Lines of the Raspberry Pi's config.txt with which its firmware reads another command line than cmdline.txt.
    pub(crate) moved: Vec<String>,
    /// The unit that is started, where a link names it: `rescue.target`.
    pub(crate) target: Option<String>,
}

impl Boot {
    pub(super) fn of(root: Look<'_>, boot: Option<Look<'_>>) -> Result<Self, Error> {
        let target = root.target("/etc/systemd/system/default.target")?;
        let config = boot.map(|boot| boot.text("/config.txt")).transpose()?.flatten().unwrap_or_default();
        let is_moved = |line: &&str| ["cmdline=", "os_prefix="].iter().any(|key| line.starts_with(key));
        Ok(Self {
            words: words(root, boot)?,
            moved: config.lines().map(str::trim).filter(is_moved).map(shown).collect(),
            target: target.and_then(|path| path.rsplit('/').next().map(str::to_owned)),
        })
    }
}

/// The files with the kernel's command line: the firmware's, systemd-boot's, Armbian's and extlinux'.
fn words(root: Look<'_>, boot: Option<Look<'_>>) -> Result<Vec<(String, String)>, Error> {
    let mut files = Vec::new();
    if let Some(boot) = boot {
        files.push(("boot:/cmdline.txt".to_owned(), boot.text("/cmdline.txt")?));
        for name in boot.names("/loader/entries")? {
            let path = format!("/loader/entries/{name}");
            files.push((format!("boot:{path}"), boot.text(&path)?));
        }
    }
    for path in ["/boot/armbianEnv.txt", "/boot/extlinux/extlinux.conf"] {
        files.push((path.to_owned(), root.text(path)?));
    }
    let mut found = Vec::new();
    for (path, text) in files {
        let text = text.unwrap_or_default();
        let words = text.split_whitespace().map(|word| word.trim_start_matches("extraargs="));
        found.extend(words.map(|word| (path.clone(), shown(word))));
    }
    Ok(found)
}
