//! A root file system in a directory: read as a base, changed by a plan, and listed for comparison.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use imgforge_debian::{Action, Attributes, Node, Plan, Result, Tree, TreePath};

pub struct Root(pub PathBuf);

impl Root {
    pub fn place(&self, path: &TreePath) -> PathBuf {
        self.0.join(OsStr::from_bytes(path.as_bytes().strip_prefix(b"/").unwrap()))
    }

    /// Does what the plan says; `contents` holds the file contents of each package, one after another.
    pub fn apply(&self, plan: &Plan, contents: &[Vec<u8>]) {
        for operation in &plan.operations {
            let place = self.place(&operation.path);
            if !matches!(operation.action, Action::Directory(_)) && place.symlink_metadata().is_ok() {
                fs::remove_file(&place).unwrap();
            }
            match &operation.action {
                Action::Directory(attributes) => {
                    fs::create_dir(&place).unwrap();
                    set_attributes(&place, attributes);
                }
                Action::File { attributes, size, offset } => {
                    let range = *offset as usize..(*offset + *size) as usize;
                    fs::write(&place, &contents[operation.package][range]).unwrap();
                    set_attributes(&place, attributes);
                }
                Action::Symlink { target, .. } => {
                    std::os::unix::fs::symlink(OsStr::from_bytes(target), &place).unwrap();
                }
                Action::HardLink { target } => fs::hard_link(self.place(target), &place).unwrap(),
            }
        }
        for file in &plan.database {
            let place = self.place(&file.path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(&place, &file.content).unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(file.mode)).unwrap();
        }
    }

    /// Every file with all that can be compared, by path. Left out: what dpkg keeps for its own running (locks, the
    /// backup of the status), directories' and links' times, and times in the database, where dpkg's are those of its run.
    pub fn listing(&self) -> BTreeMap<PathBuf, String> {
        let mut listing = BTreeMap::new();
        let mut inodes = BTreeMap::new();
        self.list(Path::new(""), &mut inodes, &mut listing);
        listing
    }

    fn list(
        &self,
        below: &Path,
        inodes: &mut BTreeMap<u64, PathBuf>,
        listing: &mut BTreeMap<PathBuf, String>,
    ) {
        let mut names: Vec<_> =
            fs::read_dir(self.0.join(below)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        for name in names {
            let path = below.join(name);
            if LEFT_OUT.iter().any(|left_out| path == Path::new(left_out)) {
                continue;
            }
            let place = self.0.join(&path);
            let metadata = place.symlink_metadata().unwrap();
            let owner =
                if is_root() { format!("{}:{}", metadata.uid(), metadata.gid()) } else { String::new() };
            let mode = metadata.mode();
            let line = if metadata.is_dir() {
                self.list(&path, inodes, listing);
                format!("{mode:o} {owner} directory")
            } else if metadata.is_symlink() {
                format!("{mode:o} {owner} -> {:?}", fs::read_link(&place).unwrap())
            } else {
                let time = if path.starts_with("var/lib/dpkg") { 0 } else { metadata.mtime() };
                let first = inodes.entry(metadata.ino()).or_insert(path.clone());
                let mut content = fs::read(&place).unwrap();
                if path == Path::new("var/lib/dpkg/diversions") {
                    content = sorted_entries(&content);
                }
                format!("{mode:o} {owner} {time} {first:?}\n{}", String::from_utf8_lossy(&content))
            };
            listing.insert(path, line);
        }
    }
}

/// Diversions are three lines each; dpkg writes them in no particular order.
fn sorted_entries(diversions: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(diversions);
    let lines: Vec<&str> = text.lines().collect();
    let mut entries: Vec<String> = lines.chunks(3).map(|entry| entry.join("\n")).collect();
    entries.sort();
    entries.join("\n").into_bytes()
}

const LEFT_OUT: [&str; 6] = [
    "var/lib/dpkg/lock",
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/diversions-old",
    "var/lib/dpkg/triggers/Lock",
    "var/lib/dpkg/triggers/Unincorp",
];

/// Only root can make files of other owners, so only root compares owners.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn set_attributes(place: &Path, attributes: &Attributes) {
    if is_root() {
        std::os::unix::fs::lchown(place, Some(attributes.uid), Some(attributes.gid)).unwrap();
    }
    fs::set_permissions(place, fs::Permissions::from_mode(attributes.mode)).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(attributes.mtime);
    fs::File::open(place).unwrap().set_times(fs::FileTimes::new().set_modified(time)).unwrap();
}

impl Tree for Root {
    fn names(&self, path: &TreePath) -> Result<Vec<Vec<u8>>> {
        let entries = fs::read_dir(self.place(path)).into_iter().flatten();
        Ok(entries.map(|entry| entry.unwrap().file_name().as_bytes().to_vec()).collect())
    }

    fn node(&self, path: &TreePath) -> Result<Option<Node>> {
        let place = self.place(path);
        let Ok(metadata) = place.symlink_metadata() else { return Ok(None) };
        Ok(Some(if metadata.is_dir() {
            Node::Directory
        } else if metadata.is_symlink() {
            Node::Symlink(fs::read_link(place)?.as_os_str().as_bytes().to_vec())
        } else {
            Node::File
        }))
    }

    fn read(&self, path: &TreePath) -> Result<Option<Vec<u8>>> {
        let place = self.place(path);
        if place.is_file() { Ok(Some(fs::read(place)?)) } else { Ok(None) }
    }
}
