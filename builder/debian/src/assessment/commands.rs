//! Simple commands: what the shell does itself, what changes nothing, and what a plan can do in a script's place.

use std::rc::Rc;

use super::Effect;
use super::divert::{self, Request};
use super::evaluation::{Evaluation, FrameKind};
use super::parser::{List, Redirects};
use super::state::{Status, Text, Variable, Words};
use super::word::{assignment, is_name};
use crate::path::TreePath;
use crate::tree::resolve;

/// Commands of the shell, which a function must not replace.
const BUILTINS: [&str; 35] = [
    ".", ":", "alias", "bg", "break", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export",
    "false", "fg", "getopts", "hash", "jobs", "kill", "local", "printf", "pwd", "read", "readonly", "return",
    "set", "shift", "test", "times", "trap", "true", "type", "umask", "unset", "wait",
];

/// Commands that change nothing on the system, whatever their arguments, and whether they are sure to succeed.
const HARMLESS: [(&str, Status); 17] = [
    (":", Status::Success),
    ("true", Status::Success),
    ("false", Status::Failure),
    ("echo", Status::Success),
    ("uname", Status::Success),
    ("seq", Status::Success),
    ("tr", Status::Success),
    ("cut", Status::Success),
    ("basename", Status::Success),
    ("dirname", Status::Success),
    ("cat", Status::Unknown),
    ("grep", Status::Unknown),
    ("readlink", Status::Unknown),
    ("which", Status::Unknown),
    ("head", Status::Unknown),
    ("dpkg-query", Status::Unknown),
    ("id", Status::Unknown),
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

impl Evaluation<'_> {
    pub(super) fn simple(&mut self, words: &[String], redirects: &Redirects, tested: bool) -> Status {
        let text = words.join(" ");
        self.substituted = None;
        let count = words.iter().take_while(|word| assignment(word).is_some()).count();
        let (assignments, command) = words.split_at(count);
        let expanded = self.words(command);
        let opened_none = self.redirect(redirects, &text);
        for (name, value) in assignments.iter().filter_map(|word| assignment(word)) {
            let value = Variable::Set(self.text(value));
            // What is set for a command alone, some keep and others do not.
            let keeps = command.is_empty() || self.state.variable(name) == value;
            self.assign(name, if keeps { value } else { Variable::Unknown });
        }
        if !opened_none {
            return Status::Unknown;
        }
        if command.is_empty() {
            return self.substituted.unwrap_or(Status::Success);
        }
        let Some((Text { text: name, complete: true }, arguments)) = expanded.known.split_first() else {
            self.report(&text);
            return Status::Unknown;
        };
        let arguments = Words { known: arguments.to_vec(), open: expanded.open };
        match self.state.functions.get(name) {
            Some(Some(body)) if assignments.is_empty() => {
                let body = Rc::clone(body);
                self.call(&body, arguments, &text, tested)
            }
            Some(_) => self.foreign(&text),
            None if name == "cat" && arguments == Words::default() && redirects.has_document => {
                Status::Success
            }
            None => self.builtin(name, &arguments, &text),
        }
    }

    fn foreign(&mut self, text: &str) -> Status {
        self.report(text);
        Status::Unknown
    }

    /// Sets a variable, unless that would change what other commands do.
    pub(super) fn assign(&mut self, name: &str, value: Variable) {
        if !self.state.set(name, value) {
            self.report(&format!("{name}=…"));
        }
    }

    pub(super) fn define(&mut self, name: &str, body: &Rc<List>) {
        if BUILTINS.contains(&name) {
            self.report(&format!("{name}()"));
        }
        self.state.functions.insert(name.to_owned(), Some(Rc::clone(body)));
    }

    fn builtin(&mut self, name: &str, arguments: &Words, text: &str) -> Status {
        let done = match name {
            "exit" => self.exit(FrameKind::Shell, arguments, text),
            "return" => self.exit(FrameKind::Function, arguments, text),
            "break" | "continue" if *arguments == Words::default() => {
                Some(self.leave(FrameKind::Loop, Status::Success, text))
            }
            "test" | "[" => Some(self.test(name, arguments)),
            "set" => self.set(arguments),
            "shift" => self.shift(arguments),
            "unset" => self.unset(arguments),
            "export" => self.declare(arguments, false),
            "local" => self.declare(arguments, true),
            _ => self.program(name, arguments),
        };
        done.unwrap_or_else(|| self.foreign(text))
    }

    fn exit(&mut self, kind: FrameKind, arguments: &Words, text: &str) -> Option<Status> {
        let status = match arguments.values()?.as_slice() {
            [] => self.state.last,
            [number] => Status::of(number.parse::<u8>().ok()? == 0),
            _ => return None,
        };
        Some(self.leave(kind, status, text))
    }

    /// `set`, with the options that are known here; `None` for others.
    pub(super) fn set(&mut self, arguments: &Words) -> Option<Status> {
        let values = arguments.values()?;
        let mut operands = values.as_slice();
        let mut replaces = false;
        while let [option, rest @ ..] = operands
            && option.starts_with(['-', '+'])
            && !replaces
        {
            operands = rest;
            replaces = *option == "--";
            let letters = option.get(1..).filter(|letters| !letters.is_empty())?;
            for letter in letters.chars().filter(|_| !replaces) {
                match letter {
                    'e' => self.state.exits_on_failure = option.starts_with('-'),
                    'u' => self.state.exits_on_unset = option.starts_with('-'),
                    'x' | 'v' => {}
                    _ => return None,
                }
            }
        }
        if replaces || !operands.is_empty() {
            let known = operands.iter().map(|operand| Text::known(*operand)).collect();
            self.state.arguments = Words { known, open: false };
        }
        Some(Status::Success)
    }

    /// `shift`, which ends the script where there is nothing to shift.
    fn shift(&mut self, arguments: &Words) -> Option<Status> {
        let count: usize = match arguments.values()?.as_slice() {
            [] => 1,
            [count] => count.parse().ok()?,
            _ => return None,
        };
        let known = &mut self.state.arguments.known;
        (count <= known.len() && !self.state.arguments.open).then(|| {
            known.drain(..count);
            Status::Success
        })
    }

    fn unset(&mut self, arguments: &Words) -> Option<Status> {
        for name in arguments.values()? {
            if !is_name(name) {
                return None;
            }
            self.assign(name, Variable::Unset);
        }
        Some(Status::Success)
    }

    /// `export` and `local`: names, perhaps with values.
    fn declare(&mut self, arguments: &Words, local: bool) -> Option<Status> {
        if arguments.open {
            return None;
        }
        for word in &arguments.known {
            let (name, value) = match word.text.split_once('=') {
                Some((name, value)) => {
                    (name, Some(Variable::Set(Text { text: value.to_owned(), complete: word.complete })))
                }
                None if word.complete => (word.text.as_str(), local.then_some(Variable::Unknown)),
                None => return None,
            };
            if !is_name(name) || (local && !self.make_local(name)) {
                return None;
            }
            if let Some(value) = value {
                self.assign(name, value);
            }
        }
        Some(Status::Success)
    }

    /// A program, or a command of the shell that is like one; `None` if it may change the system.
    fn program(&mut self, name: &str, arguments: &Words) -> Option<Status> {
        let values: Vec<Option<&str>> = arguments.known.iter().map(Text::value).collect();
        let may_be_option =
            |word: &Text| word.text.starts_with('-') || (word.text.is_empty() && !word.complete);
        let has_options = arguments.known.iter().skip(1).any(may_be_option);
        match (name, values.as_slice()) {
            ("mkdir" | "touch", _) if self.make(name, arguments) => Some(Status::Success),
            ("dpkg-divert", _) if self.divert(arguments) => Some(Status::Success),
            _ if arguments.open && name != "dpkg" => harmless(name),
            ("printf", [Some(format), ..]) => printf(format),
            ("command", [Some("-v"), ..]) => Some(Status::Unknown),
            ("dpkg", [Some("--compare-versions"), left, operator, right]) if !arguments.open => {
                Some(compare(*left, *operator, *right))
            }
            ("dpkg", [Some("--print-architecture")]) if !arguments.open => Some(Status::Success),
            ("dpkg", [Some(option)]) if option.starts_with("--assert-") && !arguments.open => {
                Some(Status::Unknown)
            }
            ("dpkg-divert", [Some("--list" | "--listpackage" | "--truename"), ..]) if !has_options => {
                Some(Status::Success)
            }
            ("dpkg-maintscript-helper", values) => maintscript_helper(values),
            _ => harmless(name),
        }
    }

    /// Notes a diversion, if it is certain and moves no file.
    fn divert(&mut self, arguments: &Words) -> bool {
        let request = arguments.values().and_then(|values| divert::Request::parse(&values, self.package));
        let Some(Request { diversion, rename }) = request.filter(|_| self.state.certain) else {
            return false;
        };
        let from = Text::known(String::from_utf8_lossy(&diversion.from));
        let moves = rename && !self.is_absent(&from);
        if !moves {
            self.reached.effects.push(Effect::Divert(diversion));
        }
        !moves
    }

    /// Notes `mkdir -p DIRECTORY…` and `touch FILE…`, if they are certain and the files are new.
    fn make(&mut self, name: &str, arguments: &Words) -> bool {
        let Some(values) = arguments.values().filter(|_| self.state.certain) else { return false };
        let (options, files): (Vec<&str>, Vec<&str>) = values.iter().partition(|word| word.starts_with('-'));
        let is_directory = name == "mkdir";
        let plain = if is_directory { options == ["-p"] } else { options.is_empty() };
        let place = |word: &str| {
            let path = TreePath::from_absolute(word.as_bytes()).ok()?;
            (is_directory || self.is_absent(&Text::known(word))).then_some(path)
        };
        let places: Option<Vec<TreePath>> = files.into_iter().map(place).collect();
        let Some(places) = places.filter(|places| plain && !places.is_empty()) else { return false };
        let effect = if is_directory { Effect::Directory } else { Effect::EmptyFile };
        self.reached.effects.extend(places.into_iter().map(effect));
        true
    }

    /// Whether the image certainly has no such file, and the script has made none.
    pub(super) fn is_absent(&self, text: &Text) -> bool {
        let Some(path) = text.place().and_then(|place| TreePath::from_absolute(place.as_bytes()).ok()) else {
            return false;
        };
        let node = |path: &TreePath| self.tree.node(path);
        let made = self.reached.effects.iter().any(|effect| match effect {
            Effect::Divert(_) => false,
            Effect::Directory(made) | Effect::EmptyFile(made) => {
                *made == path || made.ancestors().any(|above| above == path)
            }
        });
        // A link itself counts as a file for `-L`, so its target is not asked for.
        let parent = path.parent().and_then(|parent| resolve(&parent, node).ok());
        !made && parent.is_some_and(|parent| matches!(node(&parent.join(path.name())), Ok(None)))
    }
}

fn harmless(name: &str) -> Option<Status> {
    HARMLESS.iter().find(|(harmless, _)| *harmless == name).map(|(_, status)| *status)
}

/// `printf` fails for numbers that are none.
fn printf(format: &str) -> Option<Status> {
    let conversions = format.replace("%%", "").replace("%s", "");
    (!format.starts_with('-')).then_some(if conversions.contains('%') {
        Status::Unknown
    } else {
        Status::Success
    })
}

/// `dpkg --compare-versions` with these words, as far as they are known.
fn compare(left: Option<&str>, operator: Option<&str>, right: Option<&str>) -> Status {
    let decided = NO_VERSION.iter().find(|(known, _)| Some(*known) == operator);
    match (left, decided, right) {
        (Some(""), Some((_, status)), Some(right)) if !right.is_empty() => *status,
        _ => Status::Unknown,
    }
}

/// `dpkg-maintscript-helper ACTION … -- "$@"`: in a preinst, all that it does is guarded by a previous version.
fn maintscript_helper(values: &[Option<&str>]) -> Option<Status> {
    if let [Some("supports"), _] = values {
        return Some(Status::Unknown);
    }
    let end = values.iter().position(|value| *value == Some("--"))?;
    match (values.get(..end)?, values.get(end + 1..)?) {
        (
            [Some("rm_conffile" | "mv_conffile" | "symlink_to_dir" | "dir_to_symlink"), _, ..],
            [Some("install")],
        ) => Some(Status::Success),
        _ => None,
    }
}
