//! Tokens of the POSIX shell, as far as maintainer scripts use them.
//!
//! <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html>, sections 2.2, 2.3 and 2.7.

use std::collections::VecDeque;

/// One token. Words keep their quotes: whether `$1` stands in single quotes matters later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    /// `;`, `&&`, `||`, `|`, `&`, `;;`, `(`, `)`, or a newline.
    Operator(&'static str),
    /// Any redirection into or out of a file, with its operator; the target is the next word.
    Redirect(&'static str),
    /// A here-document, its text dropped.
    HereDocument,
}

/// How deep quotes and expansions may nest.
const DEPTH_LIMIT: usize = 64;

/// Longer operators come before their beginnings.
const OPERATORS: [&str; 9] = ["&&", "||", ";;", ";", "|", "&", "(", ")", "\n"];
const REDIRECTS: [&str; 7] = [">>", ">&", "<&", ">|", "<>", ">", "<"];

/// Splits a script; `None` if a quote or substitution never ends.
pub(super) fn tokens(script: &str) -> Option<Vec<Token>> {
    let mut rest = script;
    let mut tokens = Vec::new();
    let mut here_documents: VecDeque<(String, bool)> = VecDeque::new();
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("\\\n").or(rest.strip_prefix([' ', '\t'])) {
            rest = after;
        } else if first == '#' {
            rest = rest.get(rest.find('\n').unwrap_or(rest.len())..)?;
        } else if let Some(after) = rest.strip_prefix("<<") {
            let (strip_tabs, after) = after.strip_prefix('-').map_or((false, after), |after| (true, after));
            let after = after.trim_start_matches([' ', '\t']);
            let (delimiter, after) = after.split_at(word_length(after)?);
            here_documents.push_back((unquoted(delimiter), strip_tabs));
            tokens.push(Token::HereDocument);
            rest = after;
        } else if let Some(redirect) = REDIRECTS.into_iter().find(|redirect| rest.starts_with(redirect)) {
            tokens.push(Token::Redirect(redirect));
            rest = rest.get(redirect.len()..)?;
        } else if let Some(operator) = OPERATORS.into_iter().find(|operator| rest.starts_with(operator)) {
            tokens.push(Token::Operator(operator));
            rest = rest.get(operator.len()..)?;
            while operator == "\n" && !here_documents.is_empty() {
                let (delimiter, strip_tabs) = here_documents.pop_front()?;
                rest = skip_here_document(rest, &delimiter, strip_tabs)?;
            }
        } else {
            let (word, after) = rest.split_at(word_length(rest)?);
            let is_descriptor =
                word.bytes().all(|byte| byte.is_ascii_digit()) && after.starts_with(['<', '>']);
            if !is_descriptor {
                tokens.push(Token::Word(word.replace("\\\n", "")));
            }
            rest = after;
        }
    }
    here_documents.is_empty().then_some(tokens)
}

fn skip_here_document<'a>(text: &'a str, delimiter: &str, strip_tabs: bool) -> Option<&'a str> {
    let mut rest = text;
    loop {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let line = if strip_tabs { line.trim_start_matches('\t') } else { line };
        if line == delimiter {
            return Some(after);
        }
        if rest.is_empty() {
            return None;
        }
        rest = after;
    }
}

/// The length of the word at the start of `text` (bytes); `None` if a quote in it never ends.
fn word_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        position += match byte {
            b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => break,
            b'\\' => 2,
            b'\'' => bytes.get(position + 1..)?.iter().position(|&byte| byte == b'\'')? + 2,
            b'"' => double_quoted_length(bytes.get(position..)?, 0)?,
            b'`' => bytes.get(position + 1..)?.iter().position(|&byte| byte == b'`')? + 2,
            b'$' => expansion_length(bytes.get(position..)?, 0)?,
            _ => 1,
        };
    }
    Some(position.min(bytes.len()))
}

fn double_quoted_length(bytes: &[u8], depth: usize) -> Option<usize> {
    if depth > DEPTH_LIMIT {
        return None;
    }
    let mut position = 1;
    loop {
        position += match bytes.get(position)? {
            b'"' => return Some(position + 1),
            b'\\' => 2,
            b'$' => expansion_length(bytes.get(position..)?, depth + 1)?,
            _ => 1,
        };
    }
}

/// `$(…)`, `${…}` with whatever is quoted or nested inside; else just the `$`.
fn expansion_length(bytes: &[u8], depth: usize) -> Option<usize> {
    let (open, close) = match bytes.get(1) {
        Some(b'(') => (b'(', b')'),
        Some(b'{') => (b'{', b'}'),
        _ => return Some(1),
    };
    let mut open_count = 0;
    let mut position = 1;
    loop {
        let byte = *bytes.get(position)?;
        position += match byte {
            b'\\' => 2,
            b'"' => double_quoted_length(bytes.get(position..)?, depth + 1)?,
            b'\'' => bytes.get(position + 1..)?.iter().position(|&byte| byte == b'\'')? + 2,
            _ => 1,
        };
        if byte == open {
            open_count += 1;
        } else if byte == close {
            open_count -= 1;
            if open_count == 0 {
                return Some(position);
            }
        }
    }
}

/// The word without its quotes; expansions stay as they are written.
pub(super) fn unquoted(word: &str) -> String {
    word.chars().filter(|character| !['"', '\'', '\\'].contains(character)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(script: &str) -> Vec<String> {
        let word = |token| match token {
            Token::Word(word) => word,
            Token::Operator(operator) | Token::Redirect(operator) => operator.to_owned(),
            Token::HereDocument => "<<".to_owned(),
        };
        tokens(script).unwrap().into_iter().map(word).collect()
    }

    #[test]
    fn words_end_at_operators_but_not_in_quotes() {
        assert_eq!(
            words("a 'b; c' \"d $(e \"f)\") g\"&&h;;"),
            ["a", "'b; c'", "\"d $(e \"f)\") g\"", "&&", "h", ";;"]
        );
        assert_eq!(words("x=${y:-z w} # no\n\\\n u"), ["x=${y:-z w}", "\n", "u"]);
        assert_eq!(words("a 2>/dev/null >&2"), ["a", ">", "/dev/null", ">&", "2"]);
    }

    #[test]
    fn here_documents_are_no_commands() {
        assert_eq!(words("cat <<'EOF' >x\nrm -rf /\nEOF\nb"), ["cat", "<<", ">", "x", "\n", "b"]);
        assert_eq!(words("cat <<-E\n\trm\n\tE\nb"), ["cat", "<<", "\n", "b"]);
    }

    #[test]
    fn endless_quotes_are_noticed() {
        for script in ["'a", "\"a", "$(a", "`a", "<<E\n", &"\"$(".repeat(50_000)] {
            assert_eq!(tokens(script), None, "{script}");
        }
    }
}
