//! Programs that change nothing, and when they are sure to succeed.

use super::state::{Status, Text, Words};
use crate::version::Version;

/// Commands that change nothing on the system, whatever their arguments.
const HARMLESS: [&str; 17] = [
    ":",
    "true",
    "false",
    "echo",
    "uname",
    "seq",
    "tr",
    "cut",
    "basename",
    "dirname",
    "cat",
    "grep",
    "readlink",
    "which",
    "head",
    "dpkg-query",
    "id",
];

/// How `dpkg --compare-versions` relates no version at all to any: earlier, or later for the operators that say `nl`.
const NO_VERSION: [(&str, Status); 10] = [
    ("lt", Status::Success),
    ("le", Status::Success),
    ("eq", Status::Failure),
    ("ne", Status::Success),
    ("ge", Status::Failure),
    ("gt", Status::Failure),
    ("lt-nl", Status::Failure),
    ("le-nl", Status::Failure),
    ("ge-nl", Status::Success),
    ("gt-nl", Status::Success),
];

/// How a command ends that changes nothing; `None` for any other.
pub(super) fn harmless(name: &str, arguments: &Words) -> Option<Status> {
    if !HARMLESS.contains(&name) {
        return None;
    }
    let values = arguments.values();
    let succeeds = match (name, values.as_deref()) {
        (":" | "true" | "echo", _) => true,
        ("false", _) => return Some(Status::Failure),
        ("uname", Some([])) => true,
        ("uname", Some([option])) => ["-a", "-m", "-n", "-r", "-s", "-v"].contains(option),
        ("seq", Some(numbers @ ([_] | [_, _]))) => numbers.iter().all(|number| is_number(number)),
        ("basename", _) => matches!(arguments.known.len(), 1 | 2) && has_operands_only(arguments),
        ("dirname", _) => !arguments.known.is_empty() && has_operands_only(arguments),
        _ => false,
    };
    Some(if succeeds { Status::Success } else { Status::Unknown })
}

/// A number as every program reads it.
pub(super) fn is_number(text: &str) -> bool {
    (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether none of the words can be an option.
fn has_operands_only(arguments: &Words) -> bool {
    !arguments.open && arguments.known.iter().all(is_operand)
}

fn is_operand(word: &Text) -> bool {
    !word.text.starts_with('-') && (word.complete || !word.text.is_empty())
}

/// `printf` fails for numbers that are none.
pub(super) fn printf(format: &str) -> Option<Status> {
    let conversions = format.replace("%%", "").replace("%s", "");
    (!format.starts_with('-')).then_some(if conversions.contains('%') {
        Status::Unknown
    } else {
        Status::Success
    })
}

/// `dpkg --compare-versions` with these words, as far as they are known.
pub(super) fn compare(left: Option<&str>, operator: Option<&str>, right: Option<&str>) -> Status {
    let decided = NO_VERSION.iter().find(|(known, _)| Some(*known) == operator);
    match (left, decided, right) {
        (Some(""), Some((_, status)), Some(right)) if right.parse::<Version>().is_ok() => *status,
        _ => Status::Unknown,
    }
}

/// `dpkg-divert` where it only asks.
pub(super) fn divert_query(arguments: &Words) -> Option<Status> {
    match arguments.known.as_slice() {
        [option, file] if !arguments.open && file.text.starts_with('/') => match option.value()? {
            "--truename" | "--listpackage" if file.value().is_some_and(|file| !file.contains('\n')) => {
                Some(Status::Success)
            }
            "--truename" | "--listpackage" | "--list" => Some(Status::Unknown),
            _ => None,
        },
        [option] if !arguments.open && option.value() == Some("--list") => Some(Status::Unknown),
        _ => None,
    }
}

/// `dpkg-maintscript-helper ACTION … -- "$@"`: in a preinst, all that it does is guarded by a previous version. It fails
/// for arguments that it does not like.
pub(super) fn maintscript_helper(arguments: &Words) -> Option<Status> {
    let words = arguments.known.as_slice();
    if let [supports, _] = words
        && supports.value() == Some("supports")
    {
        return (!arguments.open).then_some(Status::Unknown);
    }
    let end = words.iter().position(|word| word.value() == Some("--")).filter(|_| !arguments.open)?;
    let ([action, given @ ..], [script]) = (words.get(..end)?, words.get(end + 1..)?) else { return None };
    if script.value() != Some("install") {
        return None;
    }
    let is_path = |word: &Text| word.text.starts_with('/') && (word.text.len() > 1 || !word.complete);
    let is_named = |word: &Text| is_path(word) && word.complete && !word.text.ends_with('/');
    let (accepted, rest) = match (action.value()?, given) {
        ("rm_conffile", [path, rest @ ..]) => (is_path(path), rest),
        ("mv_conffile", [from, to, rest @ ..]) => (is_path(from) && is_path(to), rest),
        ("symlink_to_dir", [path, target, rest @ ..]) => (is_named(path) && !target.text.is_empty(), rest),
        ("dir_to_symlink", [path, target, rest @ ..]) => (is_path(path) && !target.text.is_empty(), rest),
        ("rm_conffile" | "mv_conffile" | "symlink_to_dir" | "dir_to_symlink", _) => (false, given),
        _ => return None,
    };
    let version = rest.first().is_none_or(|version| {
        version.value().is_some_and(|version| version.is_empty() || version.parse::<Version>().is_ok())
    });
    // An unknown word could be the `--` that ends them.
    let known =
        given.iter().all(|word| word.complete || !word.text.is_empty() && !word.text.starts_with('-'));
    known.then_some(if accepted && version { Status::Success } else { Status::Unknown })
}
