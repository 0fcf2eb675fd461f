//! apt's lists of repositories: <https://manpages.debian.org/trixie/apt/sources.list.5>.
//!
//! A line of the one-line form says what a stanza of the deb822 form says, so that it is turned into one, and both are
//! decoded in the same place.

use std::fmt;

use super::{Fingerprint, Layout, stays_below};
use crate::control::{Paragraph, Paragraphs};
use crate::dependency::is_package_name;
use crate::error::{Detail, Error, Result};
use crate::path::TreePath;

/// One repository that apt is told to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The address, with a slash at its end. Any scheme, also those that are of no use here, such as `cdrom:`.
    pub uri: String,
    /// What to ask for below the address.
    pub layout: Layout,
    /// Whose signatures count; `None` for the keys that apt trusts for every repository.
    pub signed_by: Option<SignedBy>,
    /// The architectures to ask for; empty for all.
    pub architectures: Vec<String>,
}

/// Whose signatures count for a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedBy {
    /// Keys that are kept elsewhere.
    Keys {
        /// Keyrings of the root file system: every key in them counts.
        files: Vec<TreePath>,
        /// Keys among those that apt trusts for every repository.
        fingerprints: Vec<Fingerprint>,
    },
    /// An armoured keyring in the list itself: every key in it counts.
    Embedded(String),
}

/// The names of options where the two forms differ by more than case; the one-line form has the first.
const OPTION_NAMES: [(&str, &str); 5] = [
    ("arch", "Architectures"),
    ("arch+", "Architectures-Add"),
    ("arch-", "Architectures-Remove"),
    ("lang", "Languages"),
    ("target", "Targets"),
];

/// Fields that change which packages are offered, in ways that are not followed here. What other fields say does not
/// matter to packages, or would only make apt more trusting.
const REFUSED: [&str; 6] =
    ["Architectures-Add", "Architectures-Remove", "Include", "Exclude", "InRelease-Path", "Snapshot"];

/// What apt takes for `no`.
const NO: [&str; 6] = ["no", "false", "without", "off", "disable", "0"];

const KEY_START: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

#[derive(Debug, thiserror::Error)]
#[error("source list, {place}: {reason}")]
struct Kind {
    place: Place,
    reason: Reason,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Line(usize),
    Stanza(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(number) => write!(f, "line {number}"),
            Place::Stanza(number) => write!(f, "stanza {number}"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error("not UTF-8")]
    Encoding,
    #[error("not of the form `deb [option=value …] URI SUITE [COMPONENT …]`")]
    Line,
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{field} {value:?} is not acceptable")]
    Value { field: &'static str, value: String },
    #[error("the suite {0:?} names a directory, which has no components")]
    FlatComponents(String),
    #[error("the suite {0:?} needs at least one component")]
    NoComponents(String),
    #[error("the field {0} is not followed; remove it, or disable the repository")]
    Refused(&'static str),
}

impl Reason {
    fn at(self, place: Place) -> Error {
        let refused = matches!(self, Reason::Refused(_));
        let detail = Detail::new(Kind { place, reason: self });
        if refused { Error::Unsupported(detail) } else { Error::Malformed(detail) }
    }
}

/// Reads a file of the one-line form (`*.list`): a [`Source`] per line of binary packages, in their order.
///
/// # Errors
/// [`Error::Malformed`] for a line that apt would not take either; [`Error::Unsupported`] for an option that changes
/// what a repository offers.
pub fn parse_source_list(text: &[u8]) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let decode = || match stanza_of_line(std::str::from_utf8(line).map_err(|_| Reason::Encoding)?)? {
            Some(stanza) => decode(&stanza),
            None => Ok(Vec::new()),
        };
        sources.extend(decode().map_err(|reason| reason.at(Place::Line(number)))?);
    }
    Ok(sources)
}

/// Reads a file of the deb822 form (`*.sources`): a [`Source`] per address and suite of each enabled stanza of binary
/// packages, in their order.
///
/// # Errors
/// [`Error::Malformed`] for a stanza that apt would not take either; [`Error::Unsupported`] for a field that changes
/// what a repository offers.
pub fn parse_deb822_sources(text: &[u8]) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for (number, stanza) in (1..).zip(Paragraphs::new(text)) {
        sources.extend(decode(&stanza?).map_err(|reason| reason.at(Place::Stanza(number)))?);
    }
    Ok(sources)
}

/// Says in fields what a line says; `None` for an empty one.
fn stanza_of_line(line: &str) -> Result<Option<Paragraph>, Reason> {
    let mut words = words(uncommented(line)).peekable();
    let Some(kind) = words.next() else { return Ok(None) };
    let mut stanza = Paragraph::default();
    stanza.set("Types", kind);
    if let Some(options) = words.next_if(|word| word.starts_with('[')) {
        let inner = options.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or(Reason::Line)?;
        for option in inner.split_whitespace() {
            let (name, value) = option.split_once('=').ok_or(Reason::Line)?;
            let field = OPTION_NAMES.iter().find(|(short, _)| name.eq_ignore_ascii_case(short));
            stanza.set(field.map_or(name, |(_, field)| field), value.replace(',', " "));
        }
    }
    stanza.set("URIs", words.next().ok_or(Reason::Line)?);
    stanza.set("Suites", words.next().ok_or(Reason::Line)?);
    stanza.set("Components", words.collect::<Vec<_>>().join(" "));
    Ok(Some(stanza))
}

/// A line without its comment.
fn uncommented(line: &str) -> &str {
    let mut outside = outside_brackets();
    line.split(|character| outside(character) && character == '#').next().unwrap_or_default()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut outside = outside_brackets();
    text.split(move |character: char| outside(character) && character.is_whitespace())
        .filter(|word| !word.is_empty())
}

/// Tells of one character after the other whether it stands outside of brackets, which keep blanks and `#` in a word.
fn outside_brackets() -> impl FnMut(char) -> bool {
    let mut inside = false;
    move |character| {
        inside = character == '[' || inside && character != ']';
        !inside
    }
}

fn decode(stanza: &Paragraph) -> Result<Vec<Source>, Reason> {
    let list = |field| words(stanza.get(field).unwrap_or_default());
    let required = |field| {
        let mut words = list(field).peekable();
        words.peek().is_some().then_some(words).ok_or(Reason::Missing(field))
    };
    if list("Enabled").any(|word| NO.contains(&word.to_ascii_lowercase().as_str())) {
        return Ok(Vec::new());
    }
    let mut binary = false;
    for kind in required("Types")? {
        binary |= match kind {
            "deb" => true,
            "deb-src" => false,
            _ => return Err(value("Types", kind)),
        };
    }
    if !binary {
        return Ok(Vec::new());
    }
    if let Some(field) = REFUSED.into_iter().find(|field| stanza.get(field).is_some()) {
        return Err(Reason::Refused(field));
    }
    let components = checked("Components", list("Components"), stays_below)?;
    let architectures = checked("Architectures", list("Architectures"), is_package_name)?;
    let signed_by = stanza.get("Signed-By").map(signed_by).transpose()?.flatten();
    let layouts: Vec<Layout> =
        required("Suites")?.map(|suite| layout(suite, &components)).collect::<Result<_, _>>()?;
    let mut sources = Vec::new();
    for address in uris(required("URIs")?)? {
        sources.extend(layouts.iter().map(|layout| Source {
            uri: address.clone(),
            layout: layout.clone(),
            signed_by: signed_by.clone(),
            architectures: architectures.clone(),
        }));
    }
    Ok(sources)
}

fn value(field: &'static str, value: &str) -> Reason {
    Reason::Value { field, value: value.to_owned() }
}

fn checked<'a>(
    field: &'static str,
    words: impl Iterator<Item = &'a str>,
    is_valid: fn(&str) -> bool,
) -> Result<Vec<String>, Reason> {
    words.map(|word| if is_valid(word) { Ok(word.to_owned()) } else { Err(value(field, word)) }).collect()
}

fn uris<'a>(words: impl Iterator<Item = &'a str>) -> Result<Vec<String>, Reason> {
    let with_slash = |word: &str| {
        let (scheme, rest) = word.split_once(':').ok_or_else(|| value("URIs", word))?;
        let valid = is_package_name(scheme) && !rest.is_empty() && !rest.contains(char::is_control);
        let slash = if word.ends_with('/') { "" } else { "/" };
        if valid { Ok(format!("{word}{slash}")) } else { Err(value("URIs", word)) }
    };
    words.map(with_slash).collect()
}

fn layout(suite: &str, components: &[String]) -> Result<Layout, Reason> {
    // `$(ARCH)` stands for one of several architectures, which a layout cannot say.
    if suite.contains('$') {
        return Err(value("Suites", suite));
    }
    let Some(directory) = suite.strip_suffix('/') else {
        return match (stays_below(suite), components) {
            (false, _) => Err(value("Suites", suite)),
            (true, []) => Err(Reason::NoComponents(suite.to_owned())),
            (true, _) => Ok(Layout::Suite { suite: suite.to_owned(), components: components.to_vec() }),
        };
    };
    let directory = directory.trim_start_matches("./").trim_matches('/');
    let directory = if directory == "." { "" } else { directory };
    match (stays_below(directory), components) {
        (false, _) => Err(value("Suites", suite)),
        (true, []) => Ok(Layout::Flat { directory: directory.to_owned() }),
        (true, _) => Err(Reason::FlatComponents(suite.to_owned())),
    }
}

/// An embedded keyring, or paths and fingerprints; `None` for an empty value.
fn signed_by(text: &str) -> Result<Option<SignedBy>, Reason> {
    if text.trim_start().starts_with(KEY_START) {
        // As in a description, a lone dot stands for an empty line.
        let lines = text.trim_start().lines().map(str::trim).map(|line| if line == "." { "" } else { line });
        return Ok(Some(SignedBy::Embedded(lines.flat_map(|line| [line, "\n"]).collect())));
    }
    let (mut files, mut fingerprints) = (Vec::new(), Vec::new());
    for word in text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
        if word.starts_with('/') {
            let path = TreePath::from_absolute(word.as_bytes());
            files.push(path.map_err(|_| value("Signed-By", word))?);
        } else {
            // `FINGERPRINT!` would exclude the key's own subkeys, which `Trust` cannot say.
            fingerprints.push(word.parse().map_err(|_| value("Signed-By", word))?);
        }
    }
    let none = files.is_empty() && fingerprints.is_empty();
    Ok((!none).then_some(SignedBy::Keys { files, fingerprints }))
}

#[cfg(test)]
mod tests;
