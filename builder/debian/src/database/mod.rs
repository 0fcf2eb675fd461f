//! The dpkg database under `/var/lib/dpkg`: what a base has, and what unpacking adds to it.
//!
//! One file per part of it: `status`, `triggers/*`, `diversions` and `statoverride`; `info/*.list` is kept as bytes.

mod exceptions;
mod stanzas;
mod status;
mod trigger;

use std::collections::{BTreeMap, BTreeSet};

pub use self::exceptions::Diversion;
pub(crate) use self::exceptions::StatOverride;
pub use self::stanzas::Stanzas;
pub(crate) use self::status::Conffile;
pub use self::status::{Stanza, State};
pub(crate) use self::trigger::{Directive, Interest, Verb};
use crate::error::{Detail, Error, Result};
use crate::path::TreePath;
use crate::tree::{Tree, read_resolved};

/// Where the database lies.
const ROOT: &str = "/var/lib/dpkg";

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("dpkg database: {0} has an unknown state")]
    State(String),
    #[error("dpkg database: info/format is {0:?}, not 1")]
    Format(String),
    #[error("dpkg database: diversion {0:?}")]
    Diversion(String),
    #[error("dpkg database: {0} is diverted elsewhere already")]
    Diverted(String),
    #[error("dpkg database: statoverride {0:?}")]
    StatOverride(String),
    #[error("conffile {0:?}")]
    Conffile(String),
    #[error("trigger {0:?}")]
    Trigger(String),
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Error::Malformed(Detail::new(kind))
    }
}

/// A file of the database to be written whole, owned by root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseFile {
    /// Its place, no symbolic link in it followed yet.
    pub path: TreePath,
    /// Permissions.
    pub mode: u32,
    /// Its content.
    pub content: Vec<u8>,
}

/// The database of a base, and the changes made to it so far.
#[derive(Debug)]
pub struct Database {
    stanzas: Stanzas,
    architectures: BTreeSet<String>,
    diversions: Vec<Diversion>,
    overrides: Vec<StatOverride>,
    /// `info/NAME.list`, by info name.
    lists: BTreeMap<String, Vec<u8>>,
    file_interests: Vec<(String, Interest)>,
    interests: BTreeMap<String, Vec<Interest>>,
    /// Files to write, by their path below [`ROOT`].
    changed: BTreeMap<String, DatabaseFile>,
}

impl Database {
    /// Reads the database of a base, all but the file lists. A tree without one has an empty one.
    ///
    /// # Errors
    /// [`Error::Malformed`] if a file of it does not have dpkg's form; [`Error::Io`] from the tree.
    pub fn load(tree: &dyn Tree) -> Result<Self> {
        let read = |name: &str| Ok::<_, Error>(read_resolved(tree, &place(name)?)?.unwrap_or_default());
        let format = read("info/format")?;
        if !matches!(format.trim_ascii(), b"" | b"1") {
            return Err(Kind::Format(String::from_utf8_lossy(&format).into_owned()).into());
        }
        let stanzas = status::decode(&read("status")?)?;
        let architectures = String::from_utf8_lossy(&read("arch")?).lines().map(str::to_owned).collect();
        let mut database = Database {
            stanzas,
            architectures,
            diversions: Diversion::decode(&read("diversions")?)?,
            overrides: StatOverride::decode(&read("statoverride")?)?,
            lists: BTreeMap::new(),
            file_interests: trigger::decode_file_interests(&read("triggers/File")?)?,
            interests: BTreeMap::new(),
            changed: BTreeMap::new(),
        };
        database.architectures.extend(database.native_architecture().map(str::to_owned));
        if format.is_empty() {
            database.write("info/format", 0o644, b"1\n".to_vec())?;
        }
        Ok(database)
    }

    /// The same with the file lists, which only unpacking asks for: one file for each package.
    pub(crate) fn with_lists(tree: &dyn Tree) -> Result<Self> {
        let mut database = Self::load(tree)?;
        for identity in database.stanzas.iter().filter_map(|stanza| stanza.identity.as_ref()) {
            let name = identity.info_name();
            let list = read_resolved(tree, &place(&format!("info/{name}.list"))?)?;
            database.lists.insert(name, list.unwrap_or_default());
        }
        Ok(database)
    }

    /// Every stanza of the status file.
    pub fn stanzas(&self) -> &Stanzas {
        &self.stanzas
    }

    /// The architecture of the base: that of its `dpkg` package.
    pub fn native_architecture(&self) -> Option<&str> {
        let dpkg = self.stanzas.named("dpkg").next()?;
        dpkg.identity.as_ref().map(|identity| identity.architecture.as_str())
    }

    /// Whether packages of this architecture may be installed: `all`, the base's own, and those dpkg was told to accept.
    pub fn accepts(&self, architecture: &str) -> bool {
        architecture == "all" || self.architectures.contains(architecture)
    }

    pub(crate) fn diversions(&self) -> &[Diversion] {
        &self.diversions
    }

    /// Adds a diversion, unless it is there already.
    pub(crate) fn divert(&mut self, diversion: Diversion) -> Result<()> {
        if self.diversions.contains(&diversion) {
            return Ok(());
        }
        if self.diversions.iter().any(|present| present.from == diversion.from) {
            let from = String::from_utf8_lossy(&diversion.from).into_owned();
            return Err(Error::Conflict(Detail::new(Kind::Diverted(from))));
        }
        self.diversions.push(diversion);
        self.write("diversions", 0o644, Diversion::encode(&self.diversions))
    }

    pub(crate) fn override_of(&self, path: &TreePath) -> Option<&StatOverride> {
        self.overrides.iter().find(|entry| entry.path == path.as_bytes())
    }

    pub(crate) fn stanza_of(&self, info_name: &str) -> Option<&Stanza> {
        self.stanzas.of_info_name(info_name)
    }

    /// The file lists by info name; each line is a path, the root is `/.`.
    pub(crate) fn lists(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.lists
    }

    /// Who wants to be told when `path`, or something below it, changes.
    pub(crate) fn file_interests(&self, path: &[u8]) -> Vec<(String, Interest)> {
        self.file_interests.iter().filter(|(trigger, _)| trigger.as_bytes() == path).cloned().collect()
    }

    /// Who wants to be told of an explicit trigger.
    pub(crate) fn interests(&mut self, tree: &dyn Tree, trigger: &str) -> Result<&mut Vec<Interest>> {
        if !self.interests.contains_key(trigger) {
            let text = read_resolved(tree, &place(&format!("triggers/{trigger}"))?)?.unwrap_or_default();
            self.interests.insert(trigger.to_owned(), trigger::decode_interests(&text)?);
        }
        Ok(self.interests.entry(trigger.to_owned()).or_default())
    }

    pub(crate) fn register(&mut self, tree: &dyn Tree, trigger: &str, interest: Interest) -> Result<()> {
        if trigger.starts_with('/') {
            self.file_interests.push((trigger.to_owned(), interest));
            self.write("triggers/File", 0o644, trigger::encode_file_interests(&self.file_interests))
        } else {
            let interests = self.interests(tree, trigger)?;
            interests.push(interest);
            let content = trigger::encode_interests(interests);
            self.write(&format!("triggers/{trigger}"), 0o644, content)
        }
    }

    /// Notes an activated trigger with an interested package of the base, as dpkg does: nobody is told who is not
    /// installed. Returns whether the package was told.
    pub(crate) fn note_pending(&mut self, info_name: &str, trigger: &str) -> bool {
        let stanza = self.stanzas.of_info_name_mut(info_name);
        let Some(stanza) = stanza.filter(|stanza| stanza.state >= State::TriggersAwaited) else {
            return false;
        };
        let pending = stanza.paragraph.get("Triggers-Pending").unwrap_or_default();
        let mut triggers: Vec<&str> = pending.split_whitespace().collect();
        if !triggers.contains(&trigger) {
            triggers.insert(0, trigger);
            let value = triggers.join(" ");
            stanza.set("Triggers-Pending", value);
        }
        if stanza.state == State::Installed {
            stanza.set_state(State::TriggersPending);
        }
        true
    }

    /// Adds an unpacked package at its place, over a stanza that only recorded a selection.
    pub(crate) fn insert(&mut self, stanza: Stanza) {
        self.stanzas.insert(stanza);
    }

    pub(crate) fn set_list(&mut self, info_name: &str, list: Vec<u8>) -> Result<()> {
        self.lists.insert(info_name.to_owned(), list.clone());
        self.write(&format!("info/{info_name}.list"), 0o644, list)
    }

    /// Sets a file by its path below the database's root.
    pub(crate) fn write(&mut self, name: &str, mode: u32, content: Vec<u8>) -> Result<()> {
        let file = DatabaseFile { path: place(name)?, mode, content };
        self.changed.insert(name.to_owned(), file);
        Ok(())
    }

    /// The files that differ from the base's, sorted by path.
    pub(crate) fn into_files(mut self) -> Result<Vec<DatabaseFile>> {
        let status = status::encode(&self.stanzas);
        self.write("status", 0o644, status)?;
        Ok(self.changed.into_values().collect())
    }
}

/// The path of a file of the database.
fn place(name: &str) -> Result<TreePath> {
    TreePath::from_absolute(format!("{ROOT}/{name}").as_bytes())
}
