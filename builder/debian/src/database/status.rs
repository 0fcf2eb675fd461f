//! `/var/lib/dpkg/status`: one stanza per package.
//!
//! Field names, order and normal form follow dpkg's table `fieldinfos` (lib/dpkg/parse.c) and its writer (dump.c);
//! the states are described in `dpkg(1)`.

use super::{Kind, Stanzas};
use crate::control::{Paragraph, Paragraphs};
use crate::dependency::{parse_dependencies, parse_relations};
use crate::error::Result;
use crate::identity::Identity;

/// The order in which dpkg writes the fields it knows; all others follow as they came.
const FIELD_ORDER: [&str; 28] = [
    "Package",
    "Essential",
    "Protected",
    "Status",
    "Priority",
    "Section",
    "Installed-Size",
    "Origin",
    "Maintainer",
    "Bugs",
    "Architecture",
    "Multi-Arch",
    "Source",
    "Version",
    "Config-Version",
    "Replaces",
    "Provides",
    "Depends",
    "Pre-Depends",
    "Recommends",
    "Suggests",
    "Breaks",
    "Conflicts",
    "Enhances",
    "Conffiles",
    "Description",
    "Triggers-Pending",
    "Triggers-Awaited",
];

/// Fields that dpkg keeps for itself, whatever a package says.
const OWN_FIELDS: [&str; 5] =
    ["Status", "Config-Version", "Conffiles", "Triggers-Pending", "Triggers-Awaited"];

/// Fields that dpkg leaves out when they say no.
const FLAGS: [&str; 3] = ["Essential", "Protected", "Multi-Arch"];

const WITH_ALTERNATIVES: [&str; 5] = ["Depends", "Pre-Depends", "Recommends", "Suggests", "Enhances"];
const WITHOUT_ALTERNATIVES: [&str; 4] = ["Replaces", "Provides", "Breaks", "Conflicts"];

/// How far a package has come, in dpkg's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Only selected, perhaps.
    NotInstalled,
    /// Removed, its configuration kept.
    ConfigFiles,
    /// An installation was interrupted.
    HalfInstalled,
    /// Its files are in place, it is not configured.
    Unpacked,
    /// A configuration was interrupted.
    HalfConfigured,
    /// Waits for other packages to process triggers.
    TriggersAwaited,
    /// Has triggers to process itself.
    TriggersPending,
    /// Installed and configured.
    Installed,
}

impl State {
    const NAMES: [(&'static str, State); 8] = [
        ("not-installed", State::NotInstalled),
        ("config-files", State::ConfigFiles),
        ("half-installed", State::HalfInstalled),
        ("unpacked", State::Unpacked),
        ("half-configured", State::HalfConfigured),
        ("triggers-awaited", State::TriggersAwaited),
        ("triggers-pending", State::TriggersPending),
        ("installed", State::Installed),
    ];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, state)| *state == self).map_or("", |(name, _)| name)
    }
}

/// One package of the status file.
#[derive(Clone, Debug)]
pub struct Stanza {
    /// Name, version, architecture; `None` for a stanza that only records a selection.
    pub identity: Option<Identity>,
    /// How far the package has come.
    pub state: State,
    /// All fields.
    pub paragraph: Paragraph,
}

impl Stanza {
    fn decode(paragraph: Paragraph) -> Result<Self> {
        let name = paragraph.require("Package")?;
        let words = paragraph.require("Status")?.split_whitespace();
        let state = words.last().and_then(|word| State::NAMES.iter().find(|(name, _)| *name == word));
        let (_, state) = *state.ok_or_else(|| Kind::State(name.to_owned()))?;
        let identity = match state {
            State::NotInstalled => None,
            _ => Some(Identity::from_paragraph(&paragraph)?),
        };
        Ok(Stanza { identity, state, paragraph })
    }

    /// The stanza of a package that was just unpacked. `conffiles` is its control file of that name.
    pub(crate) fn unpacked(identity: Identity, control: &Paragraph, conffiles: &[Conffile]) -> Result<Self> {
        let mut paragraph = normal_form(control)?;
        if !conffiles.is_empty() {
            let lines: Vec<String> = conffiles.iter().map(|conffile| format!("\n {conffile}")).collect();
            paragraph.set("Conffiles", lines.concat());
        }
        let mut stanza = Stanza { identity: Some(identity), state: State::Unpacked, paragraph };
        stanza.set_state(State::Unpacked);
        Ok(stanza)
    }

    /// The value of `Package`.
    pub fn name(&self) -> &str {
        self.paragraph.get("Package").unwrap_or_default()
    }

    pub(crate) fn set_state(&mut self, state: State) {
        self.state = state;
        let selection: Vec<&str> =
            self.paragraph.get("Status").unwrap_or("install ok").split_whitespace().take(2).collect();
        let status = format!("{} {}", selection.join(" "), state.name());
        self.set("Status", status);
    }

    /// Sets a field at its place in dpkg's order.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.paragraph.set(name, value);
        self.paragraph = ordered(&self.paragraph);
    }

    /// The paths that its `Conffiles` field names.
    pub(crate) fn conffiles(&self) -> impl Iterator<Item = &str> {
        self.paragraph
            .get("Conffiles")
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.split_whitespace().next())
    }
}

/// A line of a package's `conffiles`: <https://manpages.debian.org/bookworm/dpkg-dev/deb-conffiles.5>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conffile {
    pub(crate) path: String,
    /// An upgrade removes it; such a file is not in the data archive.
    pub(crate) remove_on_upgrade: bool,
}

impl Conffile {
    pub(crate) fn decode(text: &[u8]) -> Result<Vec<Self>> {
        let text = std::str::from_utf8(text).map_err(|_| Kind::Conffile("not UTF-8".into()))?;
        let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
        let decode_line = |line: &str| {
            let (remove_on_upgrade, path) = match line.strip_prefix("remove-on-upgrade ") {
                Some(path) => (true, path.trim_start()),
                None => (false, line),
            };
            if path.starts_with('/') && !path.contains(char::is_whitespace) {
                Ok(Conffile { path: path.to_owned(), remove_on_upgrade })
            } else {
                Err(Kind::Conffile(line.to_owned()).into())
            }
        };
        lines.map(decode_line).collect()
    }
}

impl std::fmt::Display for Conffile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let flag = if self.remove_on_upgrade { " remove-on-upgrade" } else { "" };
        write!(f, "{} newconffile{flag}", self.path)
    }
}

pub(super) fn decode(text: &[u8]) -> Result<Stanzas> {
    Paragraphs::new(text).map(|paragraph| Stanza::decode(paragraph?)).collect()
}

pub(super) fn encode(stanzas: &Stanzas) -> Vec<u8> {
    let mut text = String::new();
    for stanza in stanzas.iter() {
        stanza.paragraph.write_to(&mut text);
        text.push('\n');
    }
    text.into_bytes()
}

/// A control file as dpkg would write it again: relations in one spelling, flags only where they say yes.
fn normal_form(control: &Paragraph) -> Result<Paragraph> {
    let mut paragraph = Paragraph::default();
    for field in control.fields() {
        let is_in = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(&field.name));
        if is_in(&OWN_FIELDS) || field.value.is_empty() || is_in(&FLAGS) && field.value == "no" {
            continue;
        }
        let value = if is_in(&WITH_ALTERNATIVES) {
            join(&parse_dependencies(&field.value)?)
        } else if is_in(&WITHOUT_ALTERNATIVES) {
            join(&parse_relations(&field.value)?)
        } else {
            field.value.clone()
        };
        paragraph.set(&field.name, value);
    }
    Ok(ordered(&paragraph))
}

fn join(entries: &[impl ToString]) -> String {
    entries.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn ordered(paragraph: &Paragraph) -> Paragraph {
    let rank = |name: &str| FIELD_ORDER.iter().position(|known| known.eq_ignore_ascii_case(name));
    let mut fields: Vec<_> = paragraph.fields().iter().collect();
    fields.sort_by_key(|field| rank(&field.name).unwrap_or(FIELD_ORDER.len()));
    let mut sorted = Paragraph::default();
    for field in fields {
        sorted.set(&field.name, field.value.as_str());
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nDescription: x\n y\nHomepage: z\n\nPackage: b\nStatus: unknown ok not-installed\n\n";

    #[test]
    fn what_dpkg_wrote_is_written_again_byte_for_byte() {
        let stanzas = decode(STATUS.as_bytes()).unwrap();
        assert_eq!(
            stanzas.iter().map(|stanza| stanza.state).collect::<Vec<_>>(),
            [State::Installed, State::NotInstalled]
        );
        assert_eq!(String::from_utf8(encode(&stanzas)).unwrap(), STATUS);
    }

    #[test]
    fn new_fields_go_where_dpkg_puts_them() {
        let mut stanza = decode(STATUS.as_bytes()).unwrap().named("a").next().unwrap().clone();
        stanza.set("Triggers-Pending", "ldconfig".into());
        stanza.set_state(State::TriggersPending);
        let names: Vec<&str> = stanza.paragraph.fields().iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names[4..], ["Description", "Triggers-Pending", "Homepage"]);
        assert_eq!(stanza.paragraph.get("Status"), Some("install ok triggers-pending"));
    }

    #[test]
    fn conffiles_may_be_marked_for_removal() {
        let conffiles = Conffile::decode(b"/etc/a\n\nremove-on-upgrade /etc/b\n").unwrap();
        let lines: Vec<String> = conffiles.iter().map(Conffile::to_string).collect();
        assert_eq!(lines, ["/etc/a newconffile", "/etc/b newconffile remove-on-upgrade"]);
        assert!(Conffile::decode(b"etc/a").is_err());
        assert!(Conffile::decode(b"/etc/a b").is_err());
    }

    #[test]
    fn unknown_states_are_refused() {
        assert!(decode(b"Package: a\nStatus: install ok exploded\n").is_err());
    }
}
