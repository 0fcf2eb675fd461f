//! Tokens of the POSIX shell, as far as maintainer scripts use them.
//!
//! <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html>, sections 2.2, 2.3 and 2.7. What shells read in
//! different ways is not read at all: a word that ended elsewhere could hide a command.

use std::collections::VecDeque;

/// One token. Words keep their quotes: whether `$1` stands in single quotes matters later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    /// `;`, `&&`, `||`, `|`, `&`, `;;`, `(`, `)`, or a newline.
    Operator(&'static str),
    /// Any redirection into or out of a file, with its operator; the target is the next word.
    Redirect(&'static str),
    /// A here-document; its text, if expansions in it count.
    HereDocument(Option<String>),
}

/// How deep quotes and expansions may nest.
const DEPTH_LIMIT: usize = 64;

/// Longer operators come before their beginnings.
const OPERATORS: [&str; 9] = ["&&", "||", ";;", ";", "|", "&", "(", ")", "\n"];
/// What an operator can begin or go on with.
const OPERATOR_LETTERS: [char; 7] = ['&', '|', ';', '<', '>', '(', ')'];
const REDIRECTS: [&str; 7] = [">>", ">&", "<&", ">|", "<>", ">", "<"];

/// A here-document that was announced, and will begin on the next line.
struct Announced {
    delimiter: String,
    /// Whether tabs before its lines do not count.
    strip_tabs: bool,
    /// Whether expansions in it count.
    expands: bool,
    /// Its token.
    index: usize,
}

/// Splits a script; `None` if a quote or substitution never ends, or shells disagree where it does.
pub(super) fn tokens(script: &str) -> Option<Vec<Token>> {
    let mut rest = script;
    let mut tokens = Vec::new();
    let mut announced: VecDeque<Announced> = VecDeque::new();
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix([' ', '\t']) {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\\\n") {
            let before = script.get(..script.len() - rest.len())?;
            // An operator may go on behind it.
            let goes_on = after.starts_with(OPERATOR_LETTERS) || after.starts_with('\\');
            if before.ends_with(OPERATOR_LETTERS) && goes_on {
                return None;
            }
            rest = after;
        } else if first == '#' {
            rest = rest.get(rest.find('\n').unwrap_or(rest.len())..)?;
        } else if let Some(after) = rest.strip_prefix("<<") {
            let (document, after) = announcement(after, tokens.len())?;
            announced.push_back(document);
            tokens.push(Token::HereDocument(None));
            rest = after;
        } else if let Some(redirect) = REDIRECTS.into_iter().find(|redirect| rest.starts_with(redirect)) {
            tokens.push(Token::Redirect(redirect));
            rest = rest.get(redirect.len()..)?;
        } else if let Some(operator) = OPERATORS.into_iter().find(|operator| rest.starts_with(operator)) {
            tokens.push(Token::Operator(operator));
            rest = rest.get(operator.len()..)?;
            while operator == "\n" && !announced.is_empty() {
                let document = announced.pop_front()?;
                let (text, after) = here_document(rest, &document)?;
                *tokens.get_mut(document.index)? = Token::HereDocument(document.expands.then_some(text));
                rest = after;
            }
        } else {
            let (word, after) = rest.split_at_checked(word_length(rest)?)?;
            let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
            match is_number && after.starts_with(['<', '>']) {
                // Longer numbers are descriptors to some shells only.
                true if word.len() > 1 => return None,
                true => {}
                false => tokens.push(Token::Word(word.to_owned())),
            }
            rest = after;
        }
    }
    announced.is_empty().then_some(tokens)
}

/// Reads what follows `<<`.
fn announcement(text: &str, index: usize) -> Option<(Announced, &str)> {
    let (strip_tabs, text) = text.strip_prefix('-').map_or((false, text), |after| (true, after));
    let text = text.trim_start_matches([' ', '\t']);
    let (word, after) = text.split_at_checked(word_length(text)?)?;
    let quoted = ['"', '\''].map(|quote| word.strip_prefix(quote)?.strip_suffix(quote));
    let quoted = quoted.into_iter().flatten().next().or(word.strip_prefix('\\'));
    let delimiter = quoted.unwrap_or(word);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.!".contains(&byte);
    let valid = !delimiter.is_empty() && delimiter.bytes().all(plain);
    let document =
        Announced { delimiter: delimiter.to_owned(), strip_tabs, expands: quoted.is_none(), index };
    valid.then_some((document, after))
}

/// The text of a here-document and what follows it.
fn here_document<'a>(text: &'a str, document: &Announced) -> Option<(String, &'a str)> {
    let mut content = String::new();
    let mut rest = text;
    loop {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let line = if document.strip_tabs { line.trim_start_matches('\t') } else { line };
        if line == document.delimiter {
            let readable = !document.expands || expansions_end(content.as_bytes()).is_some();
            return readable.then_some((content, after));
        }
        // A joined line could be the last, or not.
        if rest.is_empty() || (document.expands && line.ends_with('\\')) {
            return None;
        }
        content.extend([line, "\n"]);
        rest = after;
    }
}

/// Looks whether every substitution in a here-document ends there.
fn expansions_end(mut rest: &[u8]) -> Option<()> {
    while let Some(first) = rest.first() {
        let length = match first {
            b'\\' => 2,
            b'`' => backquoted_length(rest)?,
            b'$' => expansion_length(rest, true, 0)?,
            _ => 1,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    Some(())
}

/// The length of the word at the start of `text` (bytes); `None` if a quote in it never ends.
fn word_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        let rest = bytes.get(position..)?;
        position += match byte {
            b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => break,
            // What is joined may be another word, a name or a number, so only a word that ends here is read.
            b'\\' if rest.get(1) == Some(&b'\n') => match rest.get(2)? {
                b' ' | b'\t' | b'\n' => break,
                _ => return None,
            },
            b'\\' => rest.get(1).map(|_| 2)?,
            b'\'' => single_quoted_length(rest)?,
            b'"' => double_quoted_length(rest, 0)?,
            b'`' => backquoted_length(rest)?,
            b'$' => expansion_length(rest, false, 0)?,
            _ => 1,
        };
    }
    Some(position)
}

fn single_quoted_length(bytes: &[u8]) -> Option<usize> {
    Some(bytes.get(1..)?.iter().position(|&byte| byte == b'\'')? + 2)
}

pub(super) fn backquoted_length(bytes: &[u8]) -> Option<usize> {
    let mut position = 1;
    loop {
        position += match bytes.get(position)? {
            b'`' => return Some(position + 1),
            b'\\' => bytes.get(position + 1).map(|_| 2)?,
            _ => 1,
        };
    }
}

pub(super) fn double_quoted_length(bytes: &[u8], depth: usize) -> Option<usize> {
    if depth > DEPTH_LIMIT {
        return None;
    }
    let mut position = 1;
    loop {
        let rest = bytes.get(position..)?;
        position += match rest.first()? {
            b'"' => return Some(position + 1),
            b'\\' if rest.get(1) == Some(&b'\n') && may_go_on(bytes.get(position - 1)) => return None,
            b'\\' => rest.get(1).map(|_| 2)?,
            b'`' => backquoted_length(rest)?,
            b'$' => expansion_length(rest, true, depth + 1)?,
            _ => 1,
        };
    }
}

/// Whether something that ends with this byte may go on in the next line, as a name does.
fn may_go_on(last: Option<&u8>) -> bool {
    !last.is_some_and(|byte| b" \t\n.,;:/-\"".contains(byte))
}

/// `$(…)`, `${…}` with whatever is quoted or nested inside; else just the `$`.
pub(super) fn expansion_length(bytes: &[u8], quoted: bool, depth: usize) -> Option<usize> {
    match bytes.get(1) {
        _ if depth > DEPTH_LIMIT => None,
        // A second parenthesis could follow.
        Some(b'(') if bytes.get(2) == Some(&b'\\') => None,
        Some(b'(') if bytes.get(2) == Some(&b'(') => arithmetic_length(bytes),
        Some(b'(') => script_length(bytes, depth),
        Some(b'{') => braces_length(bytes, quoted, depth),
        // Bash has more of them.
        Some(b'\'' | b'"') if !quoted => None,
        Some(b'[') => None,
        _ => Some(1),
    }
}

/// `$((…))`; shells disagree where other things begin like it.
fn arithmetic_length(bytes: &[u8]) -> Option<usize> {
    let mut open = 0_usize;
    for (position, &byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            b'(' => open += 1,
            b')' => open -= 1,
            byte if byte.is_ascii_alphanumeric() || b"_${}+-*/% ".contains(&byte) => {}
            _ => return None,
        }
        match open {
            0 => return (bytes.get(position - 1) == Some(&b')')).then_some(position + 1),
            1 if position > 2 && bytes.get(position + 1) != Some(&b')') => return None,
            _ => {}
        }
    }
    None
}

/// `$(…)`. Only a parser knows where it ends if there are comments, here-documents or patterns in it.
fn script_length(bytes: &[u8], depth: usize) -> Option<usize> {
    let mut open = 1_usize;
    let mut position = 2;
    while open > 0 {
        let rest = bytes.get(position..)?;
        let begins = bytes.get(position - 1).is_some_and(|byte| b" \t\n;&|(".contains(byte));
        if rest.starts_with(b"<<") || begins && (rest.starts_with(b"#") || rest.starts_with(b"case")) {
            return None;
        }
        position += match rest.first()? {
            b'\\' => rest.get(1).map(|_| 2)?,
            b'\'' => single_quoted_length(rest)?,
            b'"' => double_quoted_length(rest, depth + 1)?,
            b'`' => backquoted_length(rest)?,
            b'$' => expansion_length(rest, false, depth + 1)?,
            _ => 1,
        };
        match rest.first()? {
            b'(' => open += 1,
            b')' => open -= 1,
            _ => {}
        }
    }
    Some(position)
}

/// `${…}`. Quotes inside of quotes mean something else to each shell, and so do lone braces.
fn braces_length(bytes: &[u8], quoted: bool, depth: usize) -> Option<usize> {
    let mut position = 2;
    loop {
        let rest = bytes.get(position..)?;
        position += match rest.first()? {
            b'}' => return Some(position + 1),
            b'{' => return None,
            b'\'' | b'"' if quoted => return None,
            b'\\' if rest.get(1) == Some(&b'\n') => return None,
            b'\\' => rest.get(1).map(|_| 2)?,
            b'\'' => single_quoted_length(rest)?,
            b'"' => double_quoted_length(rest, depth + 1)?,
            b'`' => backquoted_length(rest)?,
            b'$' => expansion_length(rest, quoted, depth + 1)?,
            _ => 1,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(script: &str) -> Vec<String> {
        let word = |token| match token {
            Token::Word(word) => word,
            Token::Operator(operator) | Token::Redirect(operator) => operator.to_owned(),
            Token::HereDocument(text) => format!("<<{}", text.unwrap_or_default()),
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
        assert_eq!(words("a \\\n b\\\n c &&\\\nd"), ["a", "b", "c", "&&", "d"]);
        assert_eq!(words("\"a, \\\nb\" `c \\\n d`"), ["\"a, \\\nb\"", "`c \\\n d`"]);
        assert_eq!(words("a 2>/dev/null >&2"), ["a", ">", "/dev/null", ">&", "2"]);
        assert_eq!(words("\"`a \"b c\"`\" `d \\` e`"), ["\"`a \"b c\"`\"", "`d \\` e`"]);
    }

    #[test]
    fn here_documents_count_where_they_expand() {
        assert_eq!(words("cat <<'EOF' >x\nrm -rf /\nEOF\nb"), ["cat", "<<", ">", "x", "\n", "b"]);
        assert_eq!(words("cat <<-E\n\t$(rm)\n\tE\nb"), ["cat", "<<$(rm)\n", "\n", "b"]);
    }

    #[test]
    fn endless_quotes_are_noticed() {
        for script in ["'a", "\"a", "$(a", "`a", "<<E\n", "a\\", &"\"$(".repeat(50_000)] {
            assert_eq!(tokens(script), None, "{script}");
        }
    }

    #[test]
    fn what_shells_read_differently_is_not_read() {
        for script in [
            "$(case x in x) a;; esac)",
            "$(a # )\nb)",
            "$(cat <<E\n)\nE\n)",
            "\"${x:-'}'}\"",
            "\"${x:-\"a\"}\"",
            "${x:-{}}",
            "$'a'",
            "$((a) | b)",
            "$[1]",
            "cat <<<x",
            "cat <<E\nx\\\nE\n",
            "cat <<E\n$(echo \"a)\nE\n",
            "echo 12>/dev/null",
            "a\\\nb",
            "$x\\\ny",
            "a &\\\n& b",
            "a >\\\n> b",
            "a &\\\n\\\n& b",
            "echo 2\\\n>/dev/null",
            "\"$x\\\ny\"",
            "${x\\\ny}",
            "$(\\\n(1))",
        ] {
            assert_eq!(tokens(script), None, "{script}");
        }
    }
}
