//! The one door to YAML: errors with file, line, column and, for a misspelt key, the nearest known one.

mod place;

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use imgforge_spec::Diagnose;
use serde::de::DeserializeOwned;

pub use place::{Place, Position};

/// A file could not be read as the YAML document it should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is larger than any such document is.
    #[error("{} is larger than {limit} bytes; this is no such document", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes read.
        limit: u64,
    },
    /// Its text does not fit the document's type.
    #[error("{place}: {message}")]
    Invalid {
        /// Where.
        place: Place,
        /// What is wrong, in the parser's words.
        message: String,
        /// What the author may have meant.
        suggestion: Option<String>,
    },
}

impl Diagnose for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::Invalid { suggestion: Some(suggestion), .. } => {
                Some(format!("did you mean `{suggestion}`?"))
            }
            _ => None,
        }
    }
}

/// Documents written by people are far below this many bytes.
const MOST_BYTES: u64 = 1 << 20;

/// Reads `path` as a document of type `T`.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    parse(path, &text(path)?)
}

/// The text of `path`, as long as a document may be.
pub fn text(path: &Path) -> Result<String, Error> {
    let fail = |source| Error::Read { path: path.to_owned(), source };
    let mut text = String::new();
    // What is not a file, such as /dev/zero, does not tell how long it is.
    let read = File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text));
    if read.map_err(fail)? as u64 > MOST_BYTES {
        return Err(Error::TooLarge { path: path.to_owned(), limit: MOST_BYTES });
    }
    Ok(text)
}

/// The same of a path that nobody has given for a pipe: one that a file names, or that lies in a folder.
pub fn text_of_file(path: &Path) -> Result<String, Error> {
    let fail = |source| Error::Read { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(fail)?.is_file() {
        return Err(fail(io::Error::other("it is no file")));
    }
    text(path)
}

/// Reads a document as [`text_of_file`] does.
pub fn read_file<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    parse(path, &text_of_file(path)?)
}

/// Parses `text`, which was read from `path`.
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Error> {
    // An empty document is YAML's null; for us it is a mapping with no keys.
    let text = if text.trim().is_empty() { "{}" } else { text };
    serde_yaml::from_str(text).map_err(|error| {
        let message = error.to_string();
        let place = Place { file: path.to_owned(), position: error.location().map(Position::from) };
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        let suggestion = suggest(&message);
        Error::Invalid { place, message, suggestion }
    })
}

/// Writes `value` as a YAML document.
pub fn to_string<T: serde::Serialize>(value: &T) -> String {
    serde_yaml::to_string(value).unwrap_or_else(|error| format!("# not representable: {error}\n"))
}

/// From serde's "unknown field `x`, expected one of `a`, `b`": the candidate nearest to `x`.
fn suggest(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("unknown ")?;
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    let candidates: Vec<&str> = quoted.collect();
    // People look for these at the top.
    let inside = nearest(unknown, IN_SYSTEM).filter(|_| candidates.contains(&"system"));
    match (inside, nearest(unknown, candidates)) {
        (Some(inside), Some(beside)) if likeness(unknown, &beside) > likeness(unknown, &inside) => {
            Some(beside)
        }
        (Some(inside), _) => Some(format!("system.{inside}")),
        (None, beside) => beside,
    }
}

/// Settings that `system` has, where a document has `system`.
const IN_SYSTEM: [&str; 6] =
    ["certificates", "keyboard", "locale", "security-upgrades", "time-zone", "watchdog"];

fn likeness(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(one, other)
}

/// The candidate most like `word`, if one is alike enough to have been meant.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let scored = candidates.into_iter().map(|candidate| (likeness(word, candidate), candidate));
    let best = scored.filter(|(score, _)| *score > 0.75).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Document {
        #[serde(default)]
        #[allow(dead_code)]
        hostname: String,
        #[serde(default)]
        #[allow(dead_code)]
        mounts: Vec<String>,
    }

    fn error(text: &str) -> (String, Option<String>) {
        match parse::<Document>(Path::new("node.yaml"), text).unwrap_err() {
            error @ Error::Invalid { .. } => {
                let shown = error.to_string();
                let Error::Invalid { suggestion, .. } = error else { unreachable!() };
                (shown, suggestion)
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn what_has_no_end_and_what_is_no_file_are_told() {
        assert!(matches!(text(Path::new("/dev/zero")), Err(Error::TooLarge { .. })));
        assert!(matches!(text_of_file(Path::new("/dev/zero")), Err(Error::Read { .. })));
        assert!(matches!(text_of_file(Path::new("/dev")), Err(Error::Read { .. })));
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_place_and_the_nearest_one() {
        let (message, suggestion) = error("mounts: []\nhostnam: x\n");
        assert_eq!(message, "node.yaml:2:1: unknown field `hostnam`, expected `hostname` or `mounts`");
        assert_eq!(suggestion.as_deref(), Some("hostname"));
    }

    #[test]
    fn a_wrong_type_is_named_with_its_place() {
        let (message, _) = error("mounts:\n  - [1]\n");
        assert_eq!(message, "node.yaml:2:5: mounts[0]: invalid type: sequence, expected a string");
    }

    #[test]
    fn a_duplicate_key_is_refused() {
        assert!(error("hostname: a\nhostname: b\n").0.contains("duplicate field `hostname`"));
    }

    #[test]
    fn what_belongs_into_system_is_sent_there() {
        let of = |unknown: &str| {
            suggest(&format!("unknown field `{unknown}`, expected one of `time-servers`, `system`, `wifi`"))
        };
        assert_eq!(of("time-zone").unwrap(), "system.time-zone");
        assert_eq!(of("timezone").unwrap(), "system.time-zone");
        assert_eq!(of("time-server").unwrap(), "time-servers");
        assert_eq!(suggest("unknown field `locale`, expected `name` or `url`"), None);
    }

    #[test]
    fn the_settings_of_system_are_those_it_has() {
        let error = serde_yaml::from_str::<imgforge_spec::System>("zzz: 1").unwrap_err().to_string();
        let (_, has) = error.split_once("expected one of ").unwrap();
        let mut has: Vec<&str> = has.split('`').skip(1).step_by(2).collect();
        has.sort_unstable();
        assert_eq!(has, IN_SYSTEM);
    }
}
