//! What a word of a script is made of: quotes, parameters and substitutions.

use super::lexer::{backquoted_length, double_quoted_length, expansion_length};

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Text; unless it is quoted, it may be a pattern.
    Text { text: String, quoted: bool },
    /// `$NAME` or `${NAME}`, and so on.
    Parameter { name: String, default: Option<Default>, quoted: bool },
    /// `$(…)` or backquotes: the script in them.
    Script { script: String, quoted: bool },
    /// A home directory.
    Tilde,
    /// What is not known here, as it is written.
    Foreign(String),
}

/// What stands in for a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Default {
    /// `-` for one that is not set, `=` to set it as well, `+` for one that is set.
    pub(super) operator: char,
    /// Whether an empty one counts as not set.
    pub(super) colon: bool,
    pub(super) word: Vec<Part>,
}

/// What surrounds the text that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quoting {
    None,
    Double,
    /// A here-document, in which quotes are text.
    Document,
}

/// The parts of a word.
pub(super) fn parts(word: &str) -> Vec<Part> {
    read(word, Quoting::None)
}

/// The parts of a here-document.
pub(super) fn document_parts(text: &str) -> Vec<Part> {
    read(text, Quoting::Document)
}

/// Splits `NAME=VALUE`.
pub(super) fn assignment(word: &str) -> Option<(&str, &str)> {
    word.split_once('=').filter(|(name, _)| is_name(name))
}

/// Whether a variable or function may be called so.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn read(text: &str, quoting: Quoting) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let before = text.get(..text.len() - rest.len()).unwrap_or_default();
        match part(before, rest, quoting) {
            Some((part, length)) if rest.is_char_boundary(length) => {
                parts.extend(part);
                rest = rest.get(length..).unwrap_or_default();
            }
            _ => {
                parts.push(Part::Foreign(rest.to_owned()));
                break;
            }
        }
    }
    parts
}

/// The first part, or those of a quoted piece, with their length in bytes.
fn part(before: &str, text: &str, quoting: Quoting) -> Option<(Vec<Part>, usize)> {
    let first = text.chars().next()?;
    let quoted = quoting != Quoting::None;
    let literal = |text: &str, quoted| vec![Part::Text { text: text.to_owned(), quoted }];
    Some(match (first, quoting) {
        ('\'', Quoting::None) => {
            let (inner, _) = text.get(1..)?.split_once('\'')?;
            (literal(inner, true), inner.len() + 2)
        }
        ('"', Quoting::None) => {
            let length = double_quoted_length(text.as_bytes(), 0)?;
            let mut inner = literal("", true);
            inner.extend(read(text.get(1..length - 1)?, Quoting::Double));
            (inner, length)
        }
        ('\\', _) => {
            let next = text.get(1..)?.chars().next()?;
            let escapes = match quoting {
                Quoting::None => true,
                Quoting::Double => "$`\"\\\n".contains(next),
                Quoting::Document => "$`\\\n".contains(next),
            };
            match next {
                '\n' => (Vec::new(), 2),
                _ if escapes => (literal(&next.to_string(), true), 1 + next.len_utf8()),
                _ => (literal("\\", true), 1),
            }
        }
        ('`', _) => {
            let length = backquoted_length(text.as_bytes())?;
            let script = unescaped(text.get(1..length - 1)?, quoted);
            (vec![Part::Script { script, quoted }], length)
        }
        ('$', _) => expansion(text, quoted)?,
        // Anywhere else it is text, as in a version.
        ('~', Quoting::None) if before.is_empty() || before.ends_with([':', '=', ' ', '\t', '\n']) => {
            (vec![Part::Tilde], 1)
        }
        _ => (literal(&first.to_string(), quoted), first.len_utf8()),
    })
}

/// What stands in backquotes, once those around it are taken off. Lines are joined before anything else is read in it,
/// even in its quotes and comments.
fn unescaped(script: &str, quoted: bool) -> String {
    let mut text = String::new();
    let mut rest = script;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let escapes = after.starts_with(['$', '`', '\\']) || (quoted && after.starts_with('"'));
        let length = after.chars().next().map_or(0, char::len_utf8);
        let (next, after) = after.split_at_checked(length).unwrap_or_default();
        if next != "\n" {
            text.extend([if escapes { "" } else { "\\" }, next]);
        }
        rest = after;
    }
    text + rest
}

/// The scripts in the substitutions of a word, at any depth of its defaults; `None` if it may hold others.
pub(super) fn scripts(parts: &[Part]) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    for part in parts {
        match part {
            Part::Script { script, .. } => found.push(script.as_str()),
            Part::Parameter { default: Some(default), .. } => found.extend(scripts(&default.word)?),
            Part::Foreign(text) if text.contains('`') || text.contains("$(") && !text.starts_with("$((") => {
                return None;
            }
            _ => {}
        }
    }
    Some(found)
}

/// What begins with a dollar sign.
fn expansion(text: &str, quoted: bool) -> Option<(Vec<Part>, usize)> {
    let length = expansion_length(text.as_bytes(), quoted, 0)?;
    let whole = text.get(..length)?;
    let after = text.get(1..)?;
    let foreign = || Part::Foreign(whole.to_owned());
    let parameter = |name: &str| Part::Parameter { name: name.to_owned(), default: None, quoted };
    let part = match after.chars().next() {
        Some('(') if after.starts_with("((") => foreign(),
        Some('(') => Part::Script { script: whole.get(2..length - 1)?.to_owned(), quoted },
        Some('{') => in_braces(whole.get(2..length - 1)?, quoted).unwrap_or_else(foreign),
        Some(special) if "@*#?-$!".contains(special) || special.is_ascii_digit() => {
            return Some((vec![parameter(after.get(..1)?)], 2));
        }
        Some(first) if first.is_ascii_alphabetic() || first == '_' => {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let name = after.get(..after.find(|c| !is_part(c)).unwrap_or(after.len()))?;
            return Some((vec![parameter(name)], 1 + name.len()));
        }
        // The rest of the name may follow on the next line.
        Some('\\') => return Some((vec![Part::Foreign(text.to_owned())], text.len())),
        _ => Part::Text { text: "$".to_owned(), quoted: true },
    };
    Some((vec![part], length))
}

/// What stands in `${…}`; `None` for all that is no plain parameter with a default.
fn in_braces(inner: &str, quoted: bool) -> Option<Part> {
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, rest) = if end == 0 { inner.split_at_checked(1)? } else { inner.split_at(end) };
    // In quotes, shells do not agree on what a backslash in braces escapes, and `$@` is more than one word.
    if quoted && rest.contains(['\\', '@']) {
        return None;
    }
    let known = is_name(name)
        || name.bytes().all(|byte| byte.is_ascii_digit())
        || ["@", "*", "#", "?"].contains(&name);
    let quoting = if quoted { Quoting::Double } else { Quoting::None };
    let default = match rest.strip_prefix(':').map_or((rest, false), |rest| (rest, true)) {
        ("", false) => None,
        (rest, colon) => {
            let operator = rest.chars().next().filter(|operator| "-=+".contains(*operator))?;
            Some(Default { operator, colon, word: read(rest.get(1..)?, quoting) })
        }
    };
    let plain_only = ["@", "*", "#"].contains(&name);
    (known && !(plain_only && default.is_some())).then(|| Part::Parameter {
        name: name.to_owned(),
        default,
        quoted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, quoted: bool) -> Part {
        Part::Text { text: text.to_owned(), quoted }
    }

    #[test]
    fn quotes_are_kept_apart() {
        assert_eq!(parts("a'$b'"), [text("a", false), text("$b", true)]);
        assert_eq!(parts("\"\\$\\a\""), ["", "$", "\\", "a"].map(|part| text(part, true)));
        assert_eq!(parts("a\\\nb\\*"), [text("a", false), text("b", false), text("*", true)]);
        let script = Part::Script { script: "a 'bc'".into(), quoted: false };
        assert_eq!(parts("`a 'b\\\nc'`"), [script]);
        assert_eq!(parts("~a~"), [Part::Tilde, text("a", false), text("~", false)]);
        let quote = [text("\"", true), Part::Parameter { name: "x".into(), default: None, quoted: true }];
        assert_eq!(document_parts("\"$x"), quote);
    }

    #[test]
    fn parameters_end_with_their_names() {
        let names = |word| -> Vec<String> {
            parts(word)
                .into_iter()
                .map(|part| match part {
                    Part::Parameter { name, .. } => name,
                    other => format!("{other:?}"),
                })
                .collect()
        };
        assert_eq!(names("$12"), ["1", "Text { text: \"2\", quoted: false }"]);
        assert_eq!(names("${12}$x_1$@${y:-$z}"), ["12", "x_1", "@", "y"]);
    }

    #[test]
    fn what_is_more_than_a_parameter_is_foreign() {
        for word in ["${x#y}", "${#x}", "${x?}", "${!x}", "${x/a/b}", "$((1))", "${x[0]}", "${}", "$\\\nx"] {
            assert_eq!(parts(word), [Part::Foreign(word.to_owned())], "{word}");
        }
    }
}
