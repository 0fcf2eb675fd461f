//! Patterns with wildcards for names and paths.

/// A pattern for names or paths, in bytes.
///
/// A slash is a byte like any other: `*` and `?` match it, as in dpkg's `path-exclude`. Whoever wants stars to end at
/// slashes matches component by component. Whether a text matches is known after at most (pattern + 1) × (text + 1) steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    elements: Vec<Element>,
    /// The text before the first element that is more than itself.
    fixed: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// A pattern in which `*` stands for any run of bytes, and every other byte for itself.
    pub fn of_stars(text: &[u8]) -> Self {
        let element = |&byte| if byte == b'*' { Element::Star } else { Element::Byte(byte) };
        let fixed = text.iter().copied().take_while(|&byte| byte != b'*').collect();
        Pattern { elements: text.iter().map(element).collect(), fixed }
    }

    /// A pattern of `fnmatch(3)` without flags: `*`, `?`, sets in brackets, and a backslash before what stands for itself.
    ///
    /// `None` for sets with classes such as `[:alpha:]`, which depend on the locale.
    pub fn of_fnmatch(text: &str) -> Option<Self> {
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

    /// Whether all of `text` matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        self.matches_in(text, &mut 0)
    }

    /// The same, counting the steps. Only the last star may have to take more: what an earlier one could take in
    /// addition, the last can take as well.
    fn matches_in(&self, text: &[u8], steps: &mut usize) -> bool {
        let (mut at, mut position) = (0, 0);
        // Where to go on when the last star has to take one byte more.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            *steps += 1;
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

    /// What every text that matches begins with, without slashes at its end.
    pub(crate) fn directory(&self) -> &[u8] {
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
                let ours = Pattern::of_fnmatch(pattern).unwrap().matches(text.as_bytes());
                assert_eq!(ours, shell_matches(pattern, text), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn stars_are_all_that_of_stars_knows() {
        let matches =
            |pattern: &str, text: &str| Pattern::of_stars(pattern.as_bytes()).matches(text.as_bytes());
        assert!(
            matches("ssh_host_*", "ssh_host_rsa_key.pub") && matches("*", "") && matches("a\\[?", "a\\[?")
        );
        assert!(!matches("*.conf", "a.conf.old") && !matches("a?", "ab") && !matches("a", "ab"));
        assert!(Pattern::of_stars(b"*\xff").matches(b"\xfe\xff"));
    }

    #[test]
    fn many_stars_take_no_longer_than_one_for_each_byte() {
        let pattern = format!("/etc/{}z", "*a".repeat(200));
        let text = format!("/etc/{}", "a".repeat(5000));
        let mut steps = 0;
        assert!(!Pattern::of_stars(pattern.as_bytes()).matches_in(text.as_bytes(), &mut steps));
        assert!(steps <= (pattern.len() + 1) * (text.len() + 1), "{steps} steps");
    }
}
