//! Public keys that their owners publish: the lock has the lines themselves, so that whoever reads it sees who may log in.

use imgforge_spec::{KeySource, check_authorized_key};

use super::{Error, Pin};
use crate::supply::{
    download::{self, Downloader, protected},
    lock::{Lock, LockedKeys},
    resolve::Update,
};

impl Pin<'_> {
    /// Pins the keys that are wanted, keeping the pins of `lock` but for those of `update`.
    pub(super) fn pin_keys(
        &self,
        lock: &mut Lock,
        downloader: Option<&Downloader>,
        update: &Update,
    ) -> Result<(), Error> {
        let wanted = &self.wants.content.keys;
        for source in wanted {
            if update.reaches(source.name()) || lock.keys_from(source.name()).is_none() {
                let lines = self.published_keys(source, downloader)?;
                lock.keys.retain(|known| known.from != source.name());
                lock.keys.push(LockedKeys { from: source.name().to_owned(), lines });
            }
        }
        if let Some(set) = lock.sets.get_mut(&self.wants.set) {
            set.keys = names(wanted);
        }
        Ok(())
    }

    /// What is at `source` now. Who logs in is not taken from where somebody on the way could change it.
    fn published_keys(
        &self,
        source: &KeySource,
        downloader: Option<&Downloader>,
    ) -> Result<Vec<String>, Error> {
        let failed = |source_of: download::Error| Error::Keys {
            from: source.name().to_owned(),
            source: Box::new(source_of),
        };
        let url = source.url();
        let offline = || failed(download::Error::Offline { url: url.to_owned() });
        let from = protected(url, &self.supply.settings.candidates(url)).map_err(failed)?;
        let (from, bytes) = downloader.ok_or_else(offline)?.small(&from).map_err(failed)?;
        lines(&String::from_utf8_lossy(&bytes)).map_err(|reason| Error::NoKeys { url: from, reason })
    }
}

/// What a lock records as asked for.
pub(super) fn names(sources: &[KeySource]) -> Vec<String> {
    sources.iter().map(|source| source.name().to_owned()).collect()
}

/// The keys in `text`, which has one on each line that is neither empty nor a comment.
fn lines(text: &str) -> Result<Vec<String>, String> {
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with('<') {
            return Err(format!("line {}: this is a page, not keys", number + 1));
        }
        check_authorized_key(line).map_err(|error| format!("line {}: {error}", number + 1))?;
        keys.push(line.to_owned());
    }
    if keys.is_empty() { Err("there is no key".into()) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGdyb3d0aCBvZiBhIGJ1aWxkLCBtZWFzdXJlZCBoZXJl";

    #[test]
    fn each_line_is_a_key() {
        assert_eq!(lines(&format!("# of me\r\n{KEY} a\r\n\n{KEY} b\n")).unwrap().len(), 2);
    }

    #[test]
    fn what_is_none_is_told_by_its_line() {
        assert_eq!(lines("\n# nothing\n"), Err("there is no key".into()));
        assert_eq!(lines("<!DOCTYPE html>\n"), Err("line 1: this is a page, not keys".into()));
        assert!(lines(&format!("{KEY}\nNot Found\n")).unwrap_err().starts_with("line 2: no line for"));
    }
}
