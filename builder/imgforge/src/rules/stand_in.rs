//! A node for tests of rules: its settings, and what is in its image.

use std::path::{Path, PathBuf};

use imgforge_kube::check::Severity;
use imgforge_spec::{ImagePath, Octets, Role, Sha256};

use self::tree::MemoryTree;
use super::{Context, judge};
use crate::{
    catalogue::Catalogue,
    image::{
        change::{Access, Volume},
        entry::{ChangeEntry, State},
        survey::Survey,
    },
    plan::Request,
    yaml,
};

#[path = "../../tests/it/tree.rs"]
mod tree;

/// A node and what its image has once all changes are made.
#[derive(Clone)]
pub struct Node {
    request: Request,
    files: Vec<(String, String)>,
    links: Vec<(String, String)>,
    boot: Vec<(String, String)>,
    programs: Vec<(String, Vec<u8>)>,
    changes: Vec<ChangeEntry>,
    added: Vec<&'static str>,
}

impl Node {
    /// With these settings, on an image of nothing.
    pub fn of(settings: &str) -> Self {
        let request = Request {
            board: catalogue().board("rpi4").unwrap(),
            role: Role::Base,
            node: yaml::parse(Path::new("node.yaml"), settings).unwrap(),
            source: None,
            membership: None,
            kubernetes: None,
            engine: Default::default(),
            overlays: PathBuf::new(),
        };
        let (files, links, boot, programs) = Default::default();
        Self { request, files, links, boot, programs, changes: Vec::new(), added: Vec::new() }
    }

    /// The same on another board.
    pub(crate) fn on(mut self, board: &str) -> Self {
        self.request.board = catalogue().board(board).unwrap();
        self
    }

    /// The same with a program in its root file system.
    pub(crate) fn with_program(mut self, path: &str, bytes: &[u8]) -> Self {
        self.programs.push((path.to_owned(), bytes.to_owned()));
        self
    }

    /// The same in another role.
    pub(crate) fn in_role(mut self, role: Role) -> Self {
        self.request.role = role;
        self
    }

    /// The same with a file in its root file system.
    pub fn with(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    /// The same with a link in its root file system.
    pub fn with_link(mut self, path: &str, target: &str) -> Self {
        self.links.push((path.to_owned(), target.to_owned()));
        self
    }

    /// The same with a file in its boot partition.
    pub(crate) fn with_boot(mut self, path: &str, text: &str) -> Self {
        self.boot.push((path.to_owned(), text.to_owned()));
        self
    }

    /// The same with a unit that is there and enabled.
    pub(crate) fn enabling(self, unit: &str) -> Self {
        let file = format!("/usr/lib/systemd/system/{unit}");
        self.with(&file, "[Unit]\n")
            .with_link(&format!("/etc/systemd/system/multi-user.target.wants/{unit}"), &file)
    }

    /// The same with a plan that makes these changes.
    pub(crate) fn changing<const N: usize>(mut self, changes: [ChangeEntry; N]) -> Self {
        self.changes.extend(changes);
        self
    }

    /// The same with packages that the build adds.
    pub(crate) fn adding(mut self, packages: &[&'static str]) -> Self {
        self.added.extend(packages);
        self
    }

    /// What the rule `name` says.
    pub fn findings(&self, name: &str) -> Vec<String> {
        self.judge(|found| (found.name == name).then(|| found.to_string()))
    }

    /// Whether it cannot be built.
    pub(crate) fn has_errors(&self) -> bool {
        !self.judge(|found| (found.severity == Severity::Error).then_some(())).is_empty()
    }

    fn judge<T>(&self, keep: impl Fn(&imgforge_kube::check::Finding) -> Option<T>) -> Vec<T> {
        let shadow = Access { mode: 0o640, uid: 0, gid: 42 };
        let mut root = MemoryTree::of(&[]);
        for (path, text) in &self.files {
            root = root.with_file(path, text, shadow);
        }
        for (path, bytes) in &self.programs {
            root = root.with_bytes(path, bytes);
        }
        for (path, target) in &self.links {
            root = root.with_link(path, target);
        }
        let boot: Vec<_> = self.boot.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let survey = Survey::of_trees(&root, Some(&MemoryTree::of(&boot))).unwrap();
        let Self { request, changes, added, .. } = self;
        judge(&Context { request, changes, added, survey: &survey }).iter().filter_map(keep).collect()
    }
}

/// The repository's boards.
fn catalogue() -> Catalogue {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Catalogue::load(vec![repository.join("board-profiles")]).unwrap()
}

/// A planned link.
pub fn link(path: &str, origin: &str) -> ChangeEntry {
    entry(path, State::Symlink { target: Octets(b"x".to_vec()), owner: None, mtime: None }, origin)
}

/// A planned file.
pub fn file(path: &str) -> ChangeEntry {
    let state = State::File {
        size: 0,
        sha256: Sha256::of(b""),
        mode: "0644".into(),
        owner: "0:0".into(),
        mtime: None,
        xattrs: Default::default(),
    };
    entry(path, state, "overlay common")
}

fn entry(path: &str, state: State, origin: &str) -> ChangeEntry {
    let path = ImagePath::new(path).unwrap();
    ChangeEntry { volume: Volume::Root, path, state, origins: vec![origin.to_owned()] }
}
