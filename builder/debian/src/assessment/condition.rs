//! `test` and `[`: <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/test.html>.

use super::evaluation::Evaluation;
use super::state::{Status, Text, Words};

/// Tests of a file that fail where there is none.
const FILE_TESTS: [&str; 14] =
    ["-b", "-c", "-d", "-e", "-f", "-g", "-h", "-L", "-p", "-r", "-s", "-S", "-w", "-x"];

const COMPARISONS: [&str; 8] = ["=", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge"];

impl Evaluation<'_> {
    /// Decides a condition, as far as it does not depend on what is not known.
    pub(super) fn test(&self, name: &str, arguments: &Words) -> Status {
        match arguments.known.split_last() {
            _ if arguments.open => Status::Unknown,
            Some((last, expression)) if name == "[" && is(last, "]") => self.expression(expression),
            _ if name == "[" => Status::Unknown,
            _ => self.expression(&arguments.known),
        }
    }

    /// Of four words and less, their number tells what they mean.
    fn expression(&self, words: &[Text]) -> Status {
        match words {
            [] => Status::Failure,
            [word] => has_text(word),
            [not, word] if is(not, "!") => has_text(word).inverted(),
            [_, _] => self.primary(words).unwrap_or(Status::Unknown),
            [_, operator, _] if is_comparison(operator) => self.primary(words).unwrap_or(Status::Unknown),
            [not, rest @ ..] if is(not, "!") && rest.len() < 4 => self.expression(rest).inverted(),
            words => self.alternatives(words).unwrap_or(Status::Unknown),
        }
    }

    /// What `-o` holds together; `None` if a part may be no expression, which makes a failure of the whole.
    fn alternatives(&self, words: &[Text]) -> Option<Status> {
        let parts = words.split(|word| is(word, "-o"));
        all(parts.map(|words| self.conjunction(words).map(Status::inverted))).map(Status::inverted)
    }

    /// What `-a` holds together, which is more than `-o` does.
    fn conjunction(&self, words: &[Text]) -> Option<Status> {
        all(words.split(|word| is(word, "-a")).map(|words| match words {
            [not, rest @ ..] if is(not, "!") => self.operand(rest).map(Status::inverted),
            words => self.operand(words),
        }))
    }

    /// A part of a longer expression: nothing in it may look like an operator that is none.
    fn operand(&self, words: &[Text]) -> Option<Status> {
        let plain = match words {
            [word] | [_, word] => cannot_be_operator(word),
            [left, operator, right] => {
                is_comparison(operator) && cannot_be_operator(left) && cannot_be_operator(right)
            }
            _ => false,
        };
        if plain { self.primary(words) } else { None }
    }

    fn primary(&self, words: &[Text]) -> Option<Status> {
        match words {
            [word] => Some(has_text(word)),
            [operator, word] => match operator.value()? {
                "-n" => Some(has_text(word)),
                "-z" => Some(has_text(word).inverted()),
                operator if FILE_TESTS.contains(&operator) => {
                    Some(if self.is_absent(word) { Status::Failure } else { Status::Unknown })
                }
                _ => None,
            },
            [left, operator, right] => compare(left.value(), operator.value()?, right.value()),
            _ => None,
        }
    }
}

/// `None` for numbers that may be none.
fn compare(left: Option<&str>, operator: &str, right: Option<&str>) -> Option<Status> {
    let (left, right) = match (operator, left, right) {
        ("=" | "!=", Some(left), Some(right)) => {
            return Some(Status::of((left == right) == (operator == "=")));
        }
        ("=" | "!=", _, _) => return Some(Status::Unknown),
        (_, left, right) => (left?.parse::<i32>().ok()?, right?.parse::<i32>().ok()?),
    };
    Some(Status::of(match operator {
        "-eq" => left == right,
        "-ne" => left != right,
        "-lt" => left < right,
        "-le" => left <= right,
        "-gt" => left > right,
        "-ge" => left >= right,
        _ => return None,
    }))
}

/// Whether all succeed: one failure decides, whatever the others are.
fn all(parts: impl Iterator<Item = Option<Status>>) -> Option<Status> {
    parts.reduce(|all, part| match (all?, part?) {
        (Status::Failure, _) | (_, Status::Failure) => Some(Status::Failure),
        (Status::Success, Status::Success) => Some(Status::Success),
        _ => Some(Status::Unknown),
    })?
}

fn is(word: &Text, text: &str) -> bool {
    word.value() == Some(text)
}

fn is_comparison(word: &Text) -> bool {
    COMPARISONS.iter().any(|known| is(word, known))
}

fn has_text(word: &Text) -> Status {
    match (word.text.is_empty(), word.complete) {
        (false, _) => Status::Success,
        (true, true) => Status::Failure,
        (true, false) => Status::Unknown,
    }
}

fn cannot_be_operator(word: &Text) -> bool {
    word.text.chars().next().map_or(word.complete, |first| !"-!()=<>".contains(first))
}
