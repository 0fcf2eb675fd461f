//! The one door for YAML that goes to Kubernetes.
//!
//! Kubernetes and its tools read YAML 1.1, where `yes`, `017`, `1_000`, `1:30` and `2026-11-28` are no strings;
//! `serde_yaml` writes YAML 1.2 and leaves them bare. Here a string is bare only where every reader sees that string:
//! <https://yaml.org/type/>, and what <https://github.com/go-yaml/yaml> and PyYAML make of it. The layout is
//! `serde_yaml`'s.

use serde::Serialize;
use serde_yaml::{Error, Value};

/// `value` as a block of YAML, with a line feed at its end.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    let mut text = String::new();
    block(&serde_yaml::to_value(value)?, 0, &mut text)?;
    Ok(text)
}

/// `text` as one word of YAML, wherever that stands: in a block, or between `{` and `}`.
pub fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | ':' | '-');
    if text.chars().all(is_plain) { scalar(text) } else { quoted(text) }
}

/// Writes a value over as many lines as it needs. The first goes on where the text stands.
fn block(value: &Value, indent: usize, text: &mut String) -> Result<(), Error> {
    let mut is_first = true;
    let mut start = |text: &mut String| {
        if !is_first {
            text.extend(std::iter::repeat_n(' ', indent));
        }
        is_first = false;
    };
    match untagged(value) {
        Value::Mapping(mapping) if !mapping.is_empty() => {
            for (key, value) in mapping {
                start(text);
                *text += &inline(key)?;
                text.push(':');
                match untagged(value) {
                    // A sequence stands below its key, not to the right of it.
                    Value::Sequence(values) if !values.is_empty() => below(value, indent, text)?,
                    Value::Mapping(inner) if !inner.is_empty() => below(value, indent + 2, text)?,
                    simple => *text += &format!(" {}\n", inline(simple)?),
                }
            }
        }
        Value::Sequence(values) if !values.is_empty() => {
            for value in values {
                start(text);
                *text += "- ";
                block(value, indent + 2, text)?;
            }
        }
        simple => *text += &format!("{}\n", inline(simple)?),
    }
    Ok(())
}

fn below(value: &Value, indent: usize, text: &mut String) -> Result<(), Error> {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', indent));
    block(value, indent, text)
}

/// The value without tags (`!x`), of which Kubernetes has none.
fn untagged(value: &Value) -> &Value {
    match value {
        Value::Tagged(tagged) => untagged(&tagged.value),
        plain => plain,
    }
}

/// What stands on one line. Anything but a string is left to `serde_yaml`, a key that is no string included.
fn inline(value: &Value) -> Result<String, Error> {
    match untagged(value) {
        Value::String(string) => Ok(scalar(string)),
        other => Ok(serde_yaml::to_string(other)?.trim_end_matches('\n').to_owned()),
    }
}

/// A string, bare where that is safe.
fn scalar(text: &str) -> String {
    if is_bare(text) && !is_something_else(text) { text.to_owned() } else { quoted(text) }
}

/// In single quotes, or, where characters have to be escaped, in double ones.
fn quoted(text: &str) -> String {
    if text.chars().all(is_printable) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        c if is_printable(c) => c.to_string(),
        c if u32::from(c) <= 0xff => format!("\\x{:02x}", u32::from(c)),
        c if u32::from(c) <= 0xffff => format!("\\u{:04x}", u32::from(c)),
        c => format!("\\U{:08x}", u32::from(c)),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// Of all the characters that readers take as they are, the ones that none of them has ever stumbled over.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~')
}

/// Whether the text may stand without quotes in a block: it begins with what begins nothing else, and is neither
/// cut off as a comment nor taken for a key.
fn is_bare(text: &str) -> bool {
    let begins_well = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '+');
    text.chars().all(is_printable)
        && text.starts_with(begins_well)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
}

/// Whether a reader of YAML 1.1 or 1.2 may take the bare text for something else than a string.
fn is_something_else(text: &str) -> bool {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    WORDS.contains(&text.to_ascii_lowercase().as_str())
        || text.starts_with("...") // the end of a document
        || is_number(text)
        || is_date(text)
}

/// Integers of any base, with `_` between digits; decimals; base 60 (`1:30`); infinity, not-a-number.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = unsigned.replace(['_', ','], "").to_ascii_lowercase();
    let is_based = ["0x", "0o", "0b"].iter().any(|prefix| {
        plain.strip_prefix(prefix).is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
    });
    let is_decimal = |text: &str| {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        digits(whole) && digits(fraction) && digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
    };
    matches!(plain.as_str(), ".inf" | ".nan" | "inf" | "infinity" | "nan")
        || is_based
        || plain.split(':').all(is_decimal)
}

/// `2026-11-28`, with or without a time behind it.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let is_digits =
        |part: Option<&str>| part.is_some_and(|part| part.bytes().all(|digit| digit.is_ascii_digit()));
    let third = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    is_digits(parts.next()) && is_digits(parts.next()) && parts.next().is_some_and(third)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_strings_stay_bare() {
        for text in [
            "k8s-master-1",
            "192.168.1.9:6443",
            "10.244.0.0/16",
            "10.244.0.0/16,fd00:10:244::/56",
            "720h0m0s",
            "15%",
            "3.5.10-0",
            "v1.26.15",
            "sha256:0123456789abcdef",
            "unix:///run/containerd/containerd.sock",
            "home.example/network=gigabit,home.example/raid=true",
            "lets the nodes of the cluster file join",
            "fd00::1",
            "/etc/kubernetes/patches",
            "0123456789abcdef.token",
        ] {
            assert_eq!(scalar(text), text);
            assert_eq!(serde_yaml::to_string(text).unwrap(), format!("{text}\n"), "as it always was");
        }
    }

    #[test]
    fn strings_that_look_like_something_else_are_quoted() {
        for text in [
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "true",
            "Null",
            "017",
            "0o17",
            "0x1F",
            "0b1",
            "1_000",
            "1:30",
            "1.5",
            "1e3",
            "1.e+3",
            ".5",
            "+1",
            ".inf",
            ".NaN",
            "2026-11-28",
            "2026-11-28 10:00:00",
            "500",
            ".",
        ] {
            assert_eq!(scalar(text), format!("'{text}'"));
        }
        for text in ["", "~", "=", "<<", "-", "- a", "? a", "#", "a #b", "a: b", "a:", " a", "a ", "'", "*a"]
        {
            assert!(scalar(text).starts_with('\''), "{text}");
        }
        assert_eq!(scalar("it's: so"), "'it''s: so'");
        assert_eq!(scalar("a\nb\u{85}\u{2028}\u{1f600}"), r#""a\nb\x85\u2028\U0001f600""#);
    }

    #[test]
    fn a_word_may_stand_between_brackets() {
        assert_eq!(word("home.example"), "home.example");
        assert_eq!(word("a, b}"), "'a, b}'");
        assert_eq!(word("017"), "'017'");
    }
}
