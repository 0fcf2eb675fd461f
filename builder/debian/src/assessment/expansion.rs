//! What words of a script stand for when a package is installed for the first time.

use std::collections::BTreeMap;

/// Places whose content on the board is not that of the image.
const VOLATILE: [&str; 5] = ["/run", "/proc", "/sys", "/dev", "/tmp"];

/// The variables of a script that have one value throughout.
#[derive(Debug, Default)]
pub(super) struct Variables(BTreeMap<String, String>);

/// A word's text as far as it is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expansion {
    /// The known beginning.
    pub(super) text: String,
    /// Whether that is all of it.
    pub(super) complete: bool,
}

impl Variables {
    /// Takes the variables that are assigned once, and a plain value, in a script with these words.
    pub(super) fn of<'a>(words: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut variables = Variables::default();
        // Variables may also be written by these commands, and by loops.
        if !words.clone().any(|word| ["read", "eval", "getopts"].contains(&word)) {
            let loops = words.clone().zip(words.clone().skip(1)).filter(|(word, _)| *word == "for");
            let changing: Vec<&str> = loops.map(|(_, name)| name).collect();
            variables.collect(words, &changing);
        }
        variables
    }

    fn collect<'a>(&mut self, words: impl Iterator<Item = &'a str>, changing: &[&str]) {
        let mut seen = changing.to_vec();
        for (name, value) in words.filter_map(assignment) {
            let expansion = Variables::default().expand(value);
            if seen.contains(&name) || !expansion.complete {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), expansion.text);
            }
            seen.push(name);
        }
    }

    /// Expands a word: quotes, `$1` and `$2`, and known variables.
    pub(super) fn expand(&self, word: &str) -> Expansion {
        let mut text = String::new();
        let mut rest = word;
        let mut quoted = false;
        while let Some(first) = rest.chars().next() {
            let after = rest.get(first.len_utf8()..).unwrap_or_default();
            rest = match first {
                '"' => {
                    quoted = !quoted;
                    after
                }
                '\'' if !quoted => match after.split_once('\'') {
                    Some((literal, after)) => {
                        text.push_str(literal);
                        after
                    }
                    None => return Expansion { text, complete: false },
                },
                '\\' => {
                    text.extend(after.chars().next());
                    after.get(after.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default()
                }
                '$' => match self.parameter(after) {
                    Some((value, after)) => {
                        text.push_str(&value);
                        after
                    }
                    None => return Expansion { text, complete: false },
                },
                '`' => return Expansion { text, complete: false },
                '*' | '?' | '[' if !quoted && word != "[" => return Expansion { text, complete: false },
                other => {
                    text.push(other);
                    after
                }
            };
        }
        Expansion { text, complete: true }
    }

    /// The value of the parameter at the start of `text`, and what follows it.
    fn parameter<'t>(&self, text: &'t str) -> Option<(String, &'t str)> {
        let (name, after) = match text.strip_prefix('{') {
            Some(inner) => {
                let (name, after) = inner.split_once('}')?;
                (name.strip_suffix(":-").unwrap_or(name), after)
            }
            None => {
                let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
                let end = if text.starts_with(|c: char| c.is_ascii_digit()) { 1 } else { end };
                text.split_at(end)
            }
        };
        let value = match name {
            "1" => "install".to_owned(),
            // No version was there before; and the script sees the board's own root.
            "2" | "DPKG_ROOT" => String::new(),
            name => self.0.get(name)?.clone(),
        };
        Some((value, after))
    }
}

impl Expansion {
    /// The known part as a place in the image: the path itself, or the directory that an incomplete path lies in.
    /// `None` where nothing can be said from the image.
    pub(super) fn place(&self) -> Option<&str> {
        let place = if self.complete { &self.text } else { self.text.get(..self.text.rfind('/')?)? };
        let volatile = VOLATILE.iter().any(|volatile| place.starts_with(volatile));
        (place.starts_with('/') && !volatile).then_some(place)
    }
}

/// Splits `NAME=VALUE`.
pub(super) fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let valid = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    valid.then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(words: &[&str], word: &str) -> (String, bool) {
        let Expansion { text, complete } = Variables::of(words.iter().copied()).expand(word);
        (text, complete)
    }

    #[test]
    fn what_is_known_is_expanded() {
        let words = ["d='/var/x'", "e=1", "e=2"];
        assert_eq!(expand(&words, "\"${d}/a b\"$1$2'$d'"), ("/var/x/a binstall$d".into(), true));
        assert_eq!(expand(&words, "$DPKG_ROOT/etc\\ x"), ("/etc x".into(), true));
        assert_eq!(expand(&words, "$d/$e/x"), ("/var/x/".into(), false));
        assert_eq!(expand(&words, "$d/*"), ("/var/x/".into(), false));
        assert_eq!(expand(&["d=1", "read", "d"], "$d"), (String::new(), false));
        assert_eq!(expand(&["d=1", "for", "d"], "$d"), (String::new(), false));
    }

    #[test]
    fn only_the_image_itself_is_asked() {
        let place =
            |text: &str, complete| Expansion { text: text.into(), complete }.place().map(str::to_owned);
        assert_eq!(place("/etc/x", true).as_deref(), Some("/etc/x"));
        assert_eq!(place("/etc/x.", false).as_deref(), Some("/etc"));
        assert_eq!(place("/run/systemd", true), None);
        assert_eq!(place("x", true), None);
    }
}
