//! Which installed packages learn of an unpacking.

use std::collections::BTreeSet;

use crate::database::{Database, Directive, Interest, Verb};
use crate::error::Result;
use crate::path::TreePath;
use crate::tree::Tree;

/// The activations of one package.
pub(super) struct Activations<'a> {
    tree: &'a dyn Tree,
    info_name: &'a str,
    /// Triggers, packages that were told of them, and whether they are awaited; once is enough.
    told: BTreeSet<(String, String, bool)>,
    /// Packages whose processing this one must wait for, in the order they were told.
    awaited: Vec<String>,
}

impl<'a> Activations<'a> {
    pub(super) fn new(tree: &'a dyn Tree, info_name: &'a str) -> Self {
        Activations { tree, info_name, told: BTreeSet::new(), awaited: Vec::new() }
    }

    /// Follows the `activate` directives of the package's `triggers` member.
    pub(super) fn activate_declared(&mut self, database: &mut Database, text: &[u8]) -> Result<()> {
        for directive in Directive::decode(text)?.iter().filter(|directive| directive.verb == Verb::Activate)
        {
            let interests = match directive.trigger.strip_prefix('/') {
                Some(_) => {
                    let found = database.file_interests(directive.trigger.as_bytes());
                    found.into_iter().map(|(_, interest)| interest).collect()
                }
                None => database.interests(self.tree, &directive.trigger)?.clone(),
            };
            for interest in interests {
                self.tell(database, &directive.trigger, &interest, directive.noawait);
            }
        }
        Ok(())
    }

    /// Tells those interested in `path` and in the directories above it.
    pub(super) fn activate_path(&mut self, database: &mut Database, path: &TreePath) {
        for path in std::iter::once(path.clone()).chain(path.ancestors()) {
            for (trigger, interest) in database.file_interests(path.as_bytes()) {
                self.tell(database, &trigger, &interest, false);
            }
        }
    }

    fn tell(&mut self, database: &mut Database, trigger: &str, interest: &Interest, noawait: bool) {
        let awaits = !noawait && !interest.noawait;
        if !self.told.insert((trigger.to_owned(), interest.package.clone(), awaits)) {
            return;
        }
        if database.note_pending(&interest.package, trigger)
            && awaits
            && !self.awaited.contains(&interest.package)
        {
            self.awaited.push(interest.package.clone());
        }
    }

    /// The value of `Triggers-Awaited`.
    pub(super) fn awaited(&self) -> Option<String> {
        (!self.awaited.is_empty()).then(|| self.awaited.join(" "))
    }

    /// Registers the `interest` directives of the package's `triggers` member.
    pub(super) fn register(&self, database: &mut Database, text: &[u8]) -> Result<()> {
        for directive in Directive::decode(text)? {
            if directive.verb == Verb::Interest {
                let interest = Interest { package: self.info_name.to_owned(), noawait: directive.noawait };
                database.register(self.tree, &directive.trigger, interest)?;
            }
        }
        Ok(())
    }
}
