//! Profiles, overlays and examples that are inside of the program, so that a lone binary knows its boards.
//!
//! What reads them reads files: they are unpacked, once for each version of them, into the user's cache folder, where errors
//! can name them and an editor opens them. What lies there is compared on every start (0.1 MB), and made anew where it differs.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use imgforge_spec::Hasher;
use tempfile::TempDir;

/// Something inside of the program.
#[derive(Debug)]
enum Entry {
    /// A file, and whether it was executable. What modes files get in an image their overlay declares.
    File { content: &'static [u8], executable: bool },
    /// A symbolic link, with where it points.
    #[allow(dead_code, reason = "overlays may have links, whether or not one has any today")]
    Link(&'static str),
}

// ENTRIES, by their paths. The build script makes it.
include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// What is inside of the program, where files of it can be opened.
#[derive(Debug)]
pub(super) struct Unpacked {
    folder: PathBuf,
    /// Goes with this value, where there was no cache folder to keep it.
    _temporary: Option<TempDir>,
}

impl Unpacked {
    /// Unpacks into `cache`; where nobody can write there, for as long as the value lives.
    pub(super) fn new(cache: Option<&Path>) -> io::Result<Self> {
        if let Some(folder) = cache.and_then(|cache| kept(cache).ok()) {
            return Ok(Self { folder, _temporary: None });
        }
        let temporary = tempfile::Builder::new().prefix("imgforge-").tempdir()?;
        write(temporary.path())?;
        Ok(Self { folder: temporary.path().to_owned(), _temporary: Some(temporary) })
    }

    /// The folder with the profiles, beside which the overlays are.
    pub(super) fn profiles(&self) -> PathBuf {
        self.folder.join("board-profiles")
    }
}

/// Writes all that is inside of the program into `folder`, as it lies in a checkout. Files that are there are replaced.
pub fn write(folder: &Path) -> io::Result<()> {
    for (path, entry) in ENTRIES {
        let path = folder.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        match entry {
            Entry::File { content, executable } => {
                fs::write(&path, content)?;
                if *executable {
                    let mode = fs::metadata(&path)?.permissions().mode();
                    // Whoever may read it may run it.
                    fs::set_permissions(&path, fs::Permissions::from_mode(mode | (mode & 0o444) >> 2))?;
                }
            }
            Entry::Link(target) => {
                if path.is_symlink() {
                    fs::remove_file(&path)?;
                }
                symlink(target, &path)?;
            }
        }
    }
    Ok(())
}

/// The folder in `cache` with all of it and nothing else, made if need be. Of several programs that make it at once one is
/// first; the others find it made.
fn kept(cache: &Path) -> io::Result<PathBuf> {
    let kept = cache.join(format!("built-in-{}", digest()));
    if is_whole(&kept) {
        return Ok(kept);
    }
    fs::create_dir_all(cache)?;
    // What is made, and what was there and is not what it should be, have folders of their own that go in any case.
    let temporary = || tempfile::Builder::new().prefix("built-in-").tempdir_in(cache);
    let (making, old) = (temporary()?, temporary()?);
    let whole = making.path().join("whole");
    write(&whole)?;
    if fs::symlink_metadata(&kept).is_ok() {
        fs::rename(&kept, old.path().join("old"))?;
    }
    match fs::rename(&whole, &kept) {
        Err(error) if !is_whole(&kept) => Err(error),
        _ => Ok(kept),
    }
}

/// Tells this version of it from others.
fn digest() -> String {
    let mut hasher = Hasher::default();
    for (path, entry) in ENTRIES {
        let content = match entry {
            Entry::File { content, .. } => content,
            Entry::Link(target) => target.as_bytes(),
        };
        for part in [path.as_bytes(), content] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    hasher.finish().to_string()[..16].to_owned()
}

/// Whether `folder` has all of it, byte for byte, and nothing else.
fn is_whole(folder: &Path) -> bool {
    let is_same = |(path, entry): &(&str, Entry)| {
        let path = folder.join(path);
        match entry {
            Entry::File { content, .. } => {
                let is_file = fs::symlink_metadata(&path).is_ok_and(|there| there.is_file());
                is_file && fs::read(&path).is_ok_and(|found| found == *content)
            }
            Entry::Link(target) => fs::read_link(&path).is_ok_and(|found| found == Path::new(target)),
        }
    };
    let known: BTreeSet<PathBuf> = ENTRIES.iter().map(|(path, _)| folder.join(path)).collect();
    let mut found = BTreeSet::new();
    ENTRIES.iter().all(is_same) && files_below(folder, &mut found).is_ok() && found == known
}

/// All files and links below `folder`.
fn files_below(folder: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files_below(&entry.path(), files)?;
        } else {
            files.insert(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_whole_again_whatever_has_become_of_it() {
        let cache = tempfile::tempdir().unwrap();
        let folder = kept(cache.path()).unwrap();
        assert_eq!(kept(cache.path()).unwrap(), folder);
        let profile = folder.join("board-profiles/rk3328.yaml");
        let whole = fs::read(&profile).unwrap();
        let broken: [&dyn Fn() -> io::Result<()>; 4] = [
            &|| fs::write(&profile, "board: other"),
            &|| fs::remove_file(&profile),
            &|| fs::write(folder.join("board-profiles/mine.yaml"), "board: mine"),
            &|| fs::remove_file(&profile).and_then(|()| symlink("/dev/null", &profile)),
        ];
        for breaking in broken {
            breaking().unwrap();
            assert!(!is_whole(&folder));
            assert_eq!(kept(cache.path()).unwrap(), folder);
            assert_eq!(fs::read(&profile).unwrap(), whole);
            assert!(is_whole(&folder));
        }
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1, "nothing is left over");
    }

    #[test]
    fn without_a_folder_to_keep_it_in_it_goes_with_its_user() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let unpacked = Unpacked::new(Some(file.path())).unwrap();
        let folder = unpacked.folder.clone();
        assert!(is_whole(&folder));
        drop(unpacked);
        assert!(!folder.exists());
    }
}
