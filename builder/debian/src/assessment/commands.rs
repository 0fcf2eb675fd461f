//! Simple commands: what the shell does itself, what changes nothing, and what a plan can do in a script's place.

use std::rc::Rc;

use super::Effect;
use super::divert::{self, Request};
use super::evaluation::{Evaluation, FrameKind};
use super::parser::{List, Redirects};
use super::programs::{compare, divert_query, harmless, is_number, maintscript_helper, printf};
use super::state::{Status, Text, Variable, Words};
use super::word::{assignment, is_name, parts, scripts};
use crate::path::TreePath;

/// Commands of the shell, which a function must not replace.
const BUILTINS: [&str; 35] = [
    ".", ":", "alias", "bg", "break", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export",
    "false", "fg", "getopts", "hash", "jobs", "kill", "local", "printf", "pwd", "read", "readonly", "return",
    "set", "shift", "test", "times", "trap", "true", "type", "umask", "unset", "wait",
];

/// Commands that write nothing to their output, whatever comes of them.
const SILENT: [&str; 8] = [":", "true", "false", "test", "[", "exit", "return", "shift"];

impl Evaluation<'_> {
    pub(super) fn simple(&mut self, words: &[String], redirects: &Redirects, tested: bool) -> Status {
        let text = words.join(" ");
        self.substituted = None;
        let count = words.iter().take_while(|word| assignment(word).is_some()).count();
        let (assignments, command) = words.split_at(count);
        let expanded = self.words(command);
        let opened_none = self.redirect(redirects, &text);
        for (index, (name, value)) in assignments.iter().filter_map(|word| assignment(word)).enumerate() {
            let text = self.text(value);
            // Older versions of dash expand all values before they set the first variable.
            let is_plain = index == 0 || !value.contains(['$', '`']);
            let value = Variable::Set(if is_plain { text } else { Text::unknown() });
            // What is set for a command alone, some keep and others do not.
            let keeps = command.is_empty() || self.state.variable(name) == value;
            self.assign(name, if keeps { value } else { Variable::Unknown });
        }
        if !opened_none {
            return Status::Unknown;
        }
        if command.is_empty() {
            // Which status counts if a here-document has substitutions, too?
            let counts = redirects.documents.is_empty() || self.substituted.is_none();
            return if counts { self.substituted.unwrap_or(Status::Success) } else { Status::Unknown };
        }
        let Some((Text { text: name, complete: true }, arguments)) = expanded.known.split_first() else {
            self.report(&text);
            return Status::Unknown;
        };
        let arguments = Words { known: arguments.to_vec(), open: expanded.open };
        if ["export", "local"].contains(&name.as_str()) && self.splits(command, &arguments) {
            return self.foreign(&text);
        }
        match self.state.functions.get(name) {
            Some(Some(body)) if assignments.is_empty() => {
                let body = Rc::clone(body);
                self.call(&body, arguments, &text, tested)
            }
            Some(_) => self.foreign(&text),
            None if name == "cat" && arguments == Words::default() && redirects.has_document => {
                self.prints = true;
                Status::Success
            }
            None => self.builtin(name, &arguments, &text),
        }
    }

    /// Whether a value in the arguments of `export` or `local` was split, which not every version of dash does.
    fn splits(&mut self, command: &[String], arguments: &Words) -> bool {
        let words = command.get(1..).unwrap_or_default();
        let is_whole = |(word, argument): (&String, &Text)| {
            let parts = parts(word);
            let may_run = scripts(&parts).is_none_or(|scripts| !scripts.is_empty());
            may_run || assignment(word).is_none() || self.text(word) == *argument
        };
        arguments.open
            || words.len() != arguments.known.len()
            || !words.iter().zip(&arguments.known).all(is_whole)
    }

    fn foreign(&mut self, text: &str) -> Status {
        self.report(text);
        Status::Unknown
    }

    /// Sets a variable, unless that would change what other commands do.
    pub(super) fn assign(&mut self, name: &str, value: Variable) {
        if self.state.is_full() {
            self.report("(more variables than can be looked at)");
        } else if !self.state.set(name, value) {
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
        let is_silent = SILENT.contains(&name) || name == "dpkg-query" && self.finds_no_package(arguments);
        self.prints |= !is_silent;
        let done = match name {
            "exit" => self.exit(FrameKind::Shell, arguments, text),
            "return" => self.exit(FrameKind::Function, arguments, text),
            "continue" if self.in_condition() => None,
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
            [number] if is_number(number) => Status::of(number.parse::<u8>().ok()? == 0),
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
            [count] if is_number(count) => count.parse().ok()?,
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
        match (name, values.as_slice()) {
            ("rm", _) => self.takes_nothing(arguments).then_some(Status::Success),
            // It fails where there is no such alternative.
            ("update-alternatives", [Some("--auto"), Some(name)]) if !arguments.open => {
                self.has_no_alternative(name).then_some(Status::Failure)
            }
            ("dpkg-query", _) if self.finds_no_package(arguments) => Some(Status::Failure),
            ("mkdir" | "touch", _) => self.make(name, arguments).then_some(Status::Success),
            ("dpkg-divert", _) if self.divert(arguments) => Some(Status::Success),
            ("dpkg-divert", _) => divert_query(arguments),
            ("dpkg-maintscript-helper", _) => maintscript_helper(arguments),
            ("command", [Some("-v"), ..]) => Some(Status::Unknown),
            ("printf", [Some(format), ..]) if !arguments.open => printf(format),
            ("dpkg", [Some("--compare-versions"), left, operator, right]) if !arguments.open => {
                Some(compare(*left, *operator, *right))
            }
            ("dpkg", [Some("--print-architecture")]) if !arguments.open => Some(Status::Success),
            ("dpkg", [Some(option)]) if option.starts_with("--assert-") && !arguments.open => {
                Some(Status::Unknown)
            }
            _ => harmless(name, arguments),
        }
    }

    /// Notes a diversion, if it is certain and moves no file.
    fn divert(&mut self, arguments: &Words) -> bool {
        let request = arguments.values().and_then(|values| divert::Request::parse(&values, self.package));
        let Some(Request { diversion, rename }) = request.filter(|_| self.state.certain) else {
            return false;
        };
        let from = Text::known(String::from_utf8_lossy(&diversion.from));
        let path = TreePath::from_absolute(&diversion.from);
        // Directories are not diverted.
        let stays = path.is_ok_and(|path| self.is_no_directory(&path)) && (!rename || self.is_absent(&from));
        if stays {
            self.reached.effects.push(Effect::Divert(diversion));
        }
        stays
    }
}
