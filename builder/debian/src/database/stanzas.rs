//! The stanzas of a status file, found by name.

use std::collections::BTreeMap;

use super::status::Stanza;

/// Stanzas by name and architecture, in the order in which dpkg writes them.
#[derive(Debug, Default)]
pub struct Stanzas(BTreeMap<String, BTreeMap<String, Stanza>>);

impl Stanzas {
    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Stanza> {
        self.0.values().flat_map(BTreeMap::values)
    }

    /// Those of a package, one for each architecture.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Stanza> {
        self.0.get(name).into_iter().flat_map(BTreeMap::values)
    }

    /// That of the package with this name in `info/` and in trigger files: `NAME` or `NAME:ARCHITECTURE`.
    pub(super) fn of_info_name(&self, info_name: &str) -> Option<&Stanza> {
        self.named(stem(info_name)).find(|stanza| has_info_name(stanza, info_name))
    }

    pub(super) fn of_info_name_mut(&mut self, info_name: &str) -> Option<&mut Stanza> {
        let of_name = self.0.get_mut(stem(info_name))?;
        of_name.values_mut().find(|stanza| has_info_name(stanza, info_name))
    }

    /// Adds one, over another of the same name and architecture.
    pub(super) fn insert(&mut self, stanza: Stanza) {
        let architecture = stanza.paragraph.get("Architecture").unwrap_or_default().to_owned();
        self.0.entry(stanza.name().to_owned()).or_default().insert(architecture, stanza);
    }
}

impl FromIterator<Stanza> for Stanzas {
    fn from_iter<I: IntoIterator<Item = Stanza>>(iter: I) -> Self {
        let mut stanzas = Stanzas::default();
        iter.into_iter().for_each(|stanza| stanzas.insert(stanza));
        stanzas
    }
}

fn stem(info_name: &str) -> &str {
    info_name.split(':').next().unwrap_or_default()
}

fn has_info_name(stanza: &Stanza, info_name: &str) -> bool {
    stanza.identity.as_ref().is_some_and(|identity| identity.info_name() == info_name)
}
