//! Triggers: `triggers/File`, one file per explicit trigger, and the `triggers` member of packages.
//!
//! <https://manpages.debian.org/bookworm/dpkg-dev/deb-triggers.5>; the files are described in dpkg's doc/spec/triggers.txt.

use super::Kind;
use crate::error::Result;

/// A package's wish to be told, as both kinds of files record it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interest {
    /// [`crate::Identity::info_name`] of the interested package.
    pub(crate) package: String,
    /// The package that activates it need not wait for the processing.
    pub(crate) noawait: bool,
}

impl Interest {
    fn decode(word: &str) -> Self {
        let (package, noawait) = match word.strip_suffix("/noawait") {
            Some(package) => (package, true),
            None => (word, false),
        };
        Interest { package: package.to_owned(), noawait }
    }

    fn encode(&self) -> String {
        format!("{}{}", self.package, if self.noawait { "/noawait" } else { "" })
    }
}

/// `triggers/File`: lines `PATH PACKAGE[/noawait]`.
pub(super) fn decode_file_interests(text: &[u8]) -> Result<Vec<(String, Interest)>> {
    let text = std::str::from_utf8(text).map_err(|_| Kind::Trigger("triggers/File is not UTF-8".into()))?;
    let decode_line = |line: &str| {
        let (path, word) = line.rsplit_once(' ').ok_or_else(|| Kind::Trigger(line.to_owned()))?;
        Ok((path.to_owned(), Interest::decode(word)))
    };
    text.lines().map(decode_line).collect()
}

pub(super) fn encode_file_interests(interests: &[(String, Interest)]) -> Vec<u8> {
    let lines: Vec<String> =
        interests.iter().map(|(path, interest)| format!("{path} {}\n", interest.encode())).collect();
    lines.concat().into_bytes()
}

/// The file of an explicit trigger: lines `PACKAGE[/noawait]`.
pub(super) fn decode_interests(text: &[u8]) -> Result<Vec<Interest>> {
    let text = std::str::from_utf8(text).map_err(|_| Kind::Trigger("trigger file is not UTF-8".into()))?;
    Ok(text.lines().filter(|line| !line.is_empty()).map(Interest::decode).collect())
}

pub(super) fn encode_interests(interests: &[Interest]) -> Vec<u8> {
    interests.iter().map(|interest| interest.encode() + "\n").collect::<String>().into_bytes()
}

/// One directive of a package's `triggers` member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directive {
    pub(crate) verb: Verb,
    /// An absolute path for file triggers, else a name.
    pub(crate) trigger: String,
    pub(crate) noawait: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Interest,
    Activate,
}

impl Directive {
    const SPELLINGS: [(&'static str, Verb, bool); 6] = [
        ("interest", Verb::Interest, false),
        ("interest-await", Verb::Interest, false),
        ("interest-noawait", Verb::Interest, true),
        ("activate", Verb::Activate, false),
        ("activate-await", Verb::Activate, false),
        ("activate-noawait", Verb::Activate, true),
    ];

    pub(crate) fn decode(text: &[u8]) -> Result<Vec<Self>> {
        let text = std::str::from_utf8(text).map_err(|_| Kind::Trigger("not UTF-8".into()))?;
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        lines.filter(|line| !line.is_empty()).map(Self::decode_line).collect()
    }

    fn decode_line(line: &str) -> Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let spelling = |verb: &str| Self::SPELLINGS.into_iter().find(|(known, ..)| *known == verb);
        match words.as_slice() {
            [verb, trigger] if spelling(verb).is_some() && is_trigger_name(trigger) => {
                let (_, verb, noawait) = spelling(verb).unwrap_or(Self::SPELLINGS[0]);
                Ok(Directive { verb, trigger: (*trigger).to_owned(), noawait })
            }
            _ => Err(Kind::Trigger(line.to_owned()).into()),
        }
    }
}

/// A file trigger is a path, any other a plain file name: it becomes one in `triggers/`.
fn is_trigger_name(name: &str) -> bool {
    let plain =
        !name.contains('/') && !name.starts_with('.') && !["File", "Unincorp", "Lock"].contains(&name);
    name.bytes().all(|byte| byte.is_ascii_graphic()) && (name.starts_with('/') || plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_round_trip() {
        let text = b"/usr/share/x a/noawait\n/etc b:arm64\n";
        assert_eq!(encode_file_interests(&decode_file_interests(text).unwrap()), text);
        let text = b"a:arm64/noawait\nb\n";
        assert_eq!(encode_interests(&decode_interests(text).unwrap()), text);
    }

    #[test]
    fn directives_know_their_verbs() {
        let directives = Directive::decode(b"# c\ninterest-noawait /a # why\n\nactivate-await b\n").unwrap();
        assert_eq!(directives[0], Directive { verb: Verb::Interest, trigger: "/a".into(), noawait: true });
        assert_eq!(directives[1], Directive { verb: Verb::Activate, trigger: "b".into(), noawait: false });
    }

    #[test]
    fn trigger_names_cannot_leave_their_directory() {
        for line in ["interest ../x", "interest a/b", "interest File", "interest", "do x", "interest a b"] {
            assert!(Directive::decode(line.as_bytes()).is_err(), "{line}");
        }
    }
}
