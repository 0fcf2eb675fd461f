//! The paths that dpkg is told to leave out: `path-exclude` and `path-include` of its configuration.
//!
//! <https://manpages.debian.org/trixie/dpkg/dpkg.1#path~2>, dpkg.cfg(5). A path left out still counts as the package's: it
//! stays in `info/NAME.list`.

use super::{Detail, Error, Kind, Member, MemberKind, Result, TreePath};
use crate::tree::{Tree, read_resolved, resolve};

const DIRECTORY: &[u8] = b"/etc/dpkg/dpkg.cfg.d";
const FILE: &[u8] = b"/etc/dpkg/dpkg.cfg";

/// The rules of a base, in their order: the last that matches wins.
#[derive(Debug, Default)]
pub(super) struct Filter {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    include: bool,
    pattern: Pattern,
}

impl Filter {
    pub(super) fn load(tree: &dyn Tree) -> Result<Self> {
        let directory = TreePath::from_absolute(DIRECTORY)?;
        let mut names = tree.names(&resolve(&directory, |path| tree.node(path))?)?;
        // As dpkg does: what an editor or another dpkg left there does not count.
        names.retain(|name| name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)));
        names.sort();
        let mut filter = Filter::default();
        let files = names.iter().map(|name| directory.join(name));
        for file in files.chain([TreePath::from_absolute(FILE)?]) {
            filter.add(&read_resolved(tree, &file)?.unwrap_or_default())?;
        }
        Ok(filter)
    }

    /// Takes the rules of a configuration file: lines `OPTION VALUE` or `OPTION=VALUE`, the value perhaps in quotes.
    fn add(&mut self, text: &[u8]) -> Result<()> {
        for line in String::from_utf8_lossy(text).lines() {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
            let (name, rest) = line.split_at(line.find(|c| !is_name(c)).unwrap_or(line.len()));
            let include = match name {
                "path-include" => true,
                "path-exclude" => false,
                _ => continue,
            };
            let value = rest.trim_start();
            let value = value.strip_prefix('=').unwrap_or(value).trim();
            let quotes = ['"', '\''].map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
            let value = quotes.into_iter().flatten().next().unwrap_or(value);
            let pattern = Pattern::parse(value)
                .ok_or_else(|| Error::Unsupported(Detail::new(Kind::Pattern(line.trim_end().to_owned()))))?;
            self.rules.push(Rule { include, pattern });
        }
        Ok(())
    }

    /// Whether a member is left out. Directories, and links that may lead to some, stay where an inclusion could bring
    /// something below them back.
    pub(super) fn skips(&self, member: &Member) -> bool {
        let path = member.path.as_bytes();
        let last = self.rules.iter().rev().find(|rule| rule.pattern.matches(path));
        let may_hold = matches!(member.kind, MemberKind::Directory | MemberKind::Symlink { .. });
        let mut inclusions = self.rules.iter().filter(|rule| rule.include);
        last.is_some_and(|rule| !rule.include)
            && !(may_hold && inclusions.any(|rule| path.starts_with(rule.pattern.fixed_directory())))
    }
}

/// A pattern of `fnmatch(3)` without flags: `*` matches slashes too.
#[derive(Debug, Default)]
struct Pattern {
    elements: Vec<Element>,
    /// The text before the first element that is more than itself.
    fixed: Vec<u8>,
}

#[derive(Debug)]
enum Element {
    Byte(u8),
    Any,
    Star,
    /// Bytes from one to another, both included.
    Set {
        negated: bool,
        ranges: Vec<(u8, u8)>,
    },
}

impl Element {
    fn admits(&self, byte: u8) -> bool {
        match self {
            Element::Byte(own) => *own == byte,
            Element::Any => true,
            Element::Star => false,
            Element::Set { negated, ranges } => {
                ranges.iter().any(|&(first, last)| (first..=last).contains(&byte)) != *negated
            }
        }
    }
}

impl Pattern {
    /// `None` for sets with classes such as `[:alpha:]`, which depend on the locale.
    fn parse(text: &str) -> Option<Self> {
        let end = text.find(['*', '?', '[', '\\']).unwrap_or(text.len());
        let mut pattern = Pattern { fixed: text.get(..end)?.into(), ..Pattern::default() };
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            let (element, after) = match (first, after) {
                (b'*', _) => (Element::Star, after),
                (b'?', _) => (Element::Any, after),
                (b'\\', [escaped, after @ ..]) => (Element::Byte(*escaped), after),
                // A bracket that is not closed stands for itself.
                (b'[', _) => match set_end(after) {
                    Some(end) => (set(after.get(..end)?)?, after.get(end + 1..)?),
                    None => (Element::Byte(first), after),
                },
                _ => (Element::Byte(first), after),
            };
            pattern.elements.push(element);
            rest = after;
        }
        Some(pattern)
    }

    fn matches(&self, text: &[u8]) -> bool {
        let (mut at, mut position) = (0, 0);
        // Where to go on when a star has to take one byte more.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match (self.elements.get(at), text.get(position)) {
                (None, None) => return true,
                (Some(Element::Star), _) => {
                    at += 1;
                    retry = Some((at, position));
                }
                (Some(element), Some(&byte)) if element.admits(byte) => {
                    at += 1;
                    position += 1;
                }
                _ => match retry {
                    Some((after, from)) if from < text.len() => {
                        (at, position) = (after, from + 1);
                        retry = Some((at, position));
                    }
                    _ => return false,
                },
            }
        }
    }

    fn fixed_directory(&self) -> &[u8] {
        let end = self.fixed.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
        self.fixed.get(..end).unwrap_or_default()
    }
}

/// Where the set ends whose inner text starts here; its first byte may be the closing bracket itself.
fn set_end(inner: &[u8]) -> Option<usize> {
    let first = usize::from(inner.first().is_some_and(|byte| b"!^".contains(byte))) + 1;
    inner.iter().enumerate().skip(first).find(|(_, byte)| **byte == b']').map(|(index, _)| index)
}

fn set(inner: &[u8]) -> Option<Element> {
    let (negated, mut rest) = match inner {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut ranges = Vec::new();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'[', [b':' | b'=' | b'.', ..]) | (b'\\', _) => return None,
            (first, [b'-', last, after @ ..]) => {
                ranges.push((*first, *last));
                after
            }
            (first, after) => {
                ranges.push((*first, *first));
                after
            }
        };
    }
    Some(Element::Set { negated, ranges })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What bash says, whose `case` knows the same patterns.
    fn shell_matches(pattern: &str, text: &str) -> bool {
        let script = format!("case \"$1\" in {pattern}) exit 0;; esac; exit 1");
        let mut shell = std::process::Command::new("bash");
        shell.args(["-c", &script, "bash", text]).env("LC_ALL", "C").status().unwrap().success()
    }

    #[test]
    fn patterns_match_as_in_the_shell() {
        let texts =
            ["/", "/a", "/a/b", "/a/b.gz", "/usr/share/doc/x/copyright", "/[a", "/-", "/]", "/*", "/ab"];
        for pattern in [
            "/*",
            "/a*b*",
            "*/copyright",
            "/?",
            "/a?",
            "/[ab]",
            "/[!ab]",
            "/[^a]",
            "/[a-c]b",
            "/[]a]",
            "/[!]a]",
            "/[a-]",
            "/\\*",
            "/\\[a",
            "/usr/share/doc/*",
            "/[a",
            "*",
            "/a/b**",
            "/*b",
            "/a/b",
        ] {
            for text in texts {
                let ours = Pattern::parse(pattern).unwrap().matches(text.as_bytes());
                assert_eq!(ours, shell_matches(pattern, text), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn rules_are_read_in_every_spelling() {
        let mut filter = Filter::default();
        let text =
            b"# path-exclude=/c\nno-debsig\npath-exclude=/a\npath-exclude /b\npath-include = \"/c d\"\n";
        filter.add(text).unwrap();
        let rules: Vec<(bool, &[u8])> =
            filter.rules.iter().map(|rule| (rule.include, rule.pattern.fixed.as_slice())).collect();
        assert_eq!(rules, [(false, &b"/a"[..]), (false, b"/b"), (true, b"/c d")]);
        assert!(filter.add(b"path-exclude=/[[:alpha:]]").is_err());
    }
}
