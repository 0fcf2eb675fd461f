//! Which commands a script would run when a package is installed for the first time.
//!
//! The script is never run. Its conditions are decided where `$1` is `install`, `$2` is empty, and the files of the image
//! are known; a condition that depends on anything else is taken both ways. Whatever is not known here counts as a
//! command that changes the system, and so does an end that may not be a success.

use std::rc::Rc;

use super::Effect;
use super::parser::{Command, Link, List, Redirects, parse};
use super::state::{State, Status, Text, Words};
use crate::tree::Tree;

/// How deep functions and substitutions may nest.
const CALL_LIMIT: usize = 16;

/// How many commands are looked at: functions that call functions are many more than they look.
const STEP_LIMIT: usize = 20_000;

/// So much of a script (bytes) counts as a command: what is long takes its time however few commands it has.
const STEP_LENGTH: usize = 256;

/// So much of what is known (bytes) counts as a command wherever it is copied: each way through a script has its own.
const COPY_LENGTH: usize = 4096;

/// No real script is longer (bytes).
const LENGTH_LIMIT: usize = 128 << 10;

/// How deep branches may nest, those of called functions and the arms of one `case` included.
const NESTING_LIMIT: usize = 120;

/// What a script would do.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// Commands that may change the system.
    pub(super) commands: Vec<String>,
    /// What it does for certain and a plan can do in its place.
    pub(super) effects: Vec<Effect>,
}

/// Reads a script of `package` that is started with these options; `None` if it cannot be read.
pub(super) fn reached(script: &str, options: &[&str], package: &str, tree: &dyn Tree) -> Option<Reached> {
    if script.len() > LENGTH_LIMIT {
        let commands = vec!["(a script that is too long to be looked at)".to_owned()];
        return Some(Reached { commands, ..Reached::default() });
    }
    let list = parse(script)?;
    let mut evaluation = Evaluation {
        tree,
        package,
        state: State::at_installation(package),
        frames: vec![Frame::new(FrameKind::Shell)],
        reached: Reached::default(),
        departures: 0,
        substituted: None,
        prints: false,
        depth: 0,
        steps: 0,
        nesting: 0,
    };
    let options = options.iter().map(|option| Text::known(*option)).collect();
    evaluation.set(&Words { known: options, open: false })?;
    let status = evaluation.run(&list, false);
    if evaluation.state.reachable && status != Status::Success {
        evaluation.report_failure("its last command");
    }
    Some(evaluation.reached)
}

/// What can be left before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// The script, or a subshell, by `exit`.
    Shell,
    /// By `return`.
    Function,
    /// By `break` and `continue`.
    Loop,
    /// The condition of a loop, which `continue` goes round for ever.
    Condition,
}

/// Where something was left early, and how it stood there.
struct Frame {
    kind: FrameKind,
    left: Option<(State, Status)>,
}

impl Frame {
    fn new(kind: FrameKind) -> Self {
        Frame { kind, left: None }
    }
}

pub(super) struct Evaluation<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) package: &'a str,
    pub(super) state: State,
    frames: Vec<Frame>,
    pub(super) reached: Reached,
    /// How often something was left early.
    pub(super) departures: usize,
    /// How the last substitution of a command ended.
    pub(super) substituted: Option<Status>,
    /// Whether a command may have written to its output since the substitution that is being read began.
    pub(super) prints: bool,
    depth: usize,
    steps: usize,
    nesting: usize,
}

impl Evaluation<'_> {
    /// Notes a command that may change the system.
    pub(super) fn report(&mut self, command: &str) {
        if !self.reached.commands.iter().any(|known| known == command) {
            self.reached.commands.push(command.to_owned());
        }
    }

    /// Notes a failure that would end the installation. After anything worse it does not matter.
    fn report_failure(&mut self, command: &str) {
        if self.reached.commands.is_empty() {
            self.report(&format!("{command}, which may fail"));
        }
    }

    /// Runs a list. `tested`: a failure in it does not end the script.
    pub(super) fn run(&mut self, list: &List, tested: bool) -> Status {
        let mut status = Status::Success;
        let mut commands = list.iter().peekable();
        while let Some((link, command)) = commands.next() {
            let tested = tested || commands.peek().is_some_and(|(link, _)| *link != Link::Always);
            let skips = match link {
                Link::Always => None,
                Link::AndThen => Some(Status::Failure),
                Link::OrElse => Some(Status::Success),
            };
            status = match skips {
                Some(skips) if status == skips => continue,
                Some(skips) if status == Status::Unknown => {
                    self.fork(|this| this.command(command, tested), |_| skips)
                }
                _ => self.command(command, tested),
            };
            self.state.last = status;
            if !self.state.reachable {
                break;
            }
        }
        status
    }

    /// Counts a piece of work; `false` if there is no end of it.
    pub(super) fn step(&mut self, length: usize) -> bool {
        self.count(1 + length / STEP_LENGTH)
    }

    /// Counts a copy of all that is known here.
    pub(super) fn copy(&mut self) -> State {
        self.count(self.state.size() / COPY_LENGTH);
        self.state.clone()
    }

    /// Counts words that an expansion made.
    pub(super) fn count_words(&mut self, words: &Words) {
        self.count(words.size() / COPY_LENGTH);
    }

    fn count(&mut self, steps: usize) -> bool {
        self.steps += steps;
        let goes_on = self.steps <= STEP_LIMIT;
        if !goes_on {
            self.report("(more than can be looked at)");
            self.state.reachable = false;
        }
        goes_on
    }

    /// Goes one level deeper, if there is no end of it.
    fn nest(&mut self, run: impl FnOnce(&mut Self) -> Status) -> Status {
        if self.nesting >= NESTING_LIMIT {
            self.report("(nested more deeply than can be looked at)");
            return Status::Unknown;
        }
        self.nesting += 1;
        let status = run(self);
        self.nesting -= 1;
        status
    }

    /// Looks at what may be run or not.
    pub(super) fn perhaps<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> T {
        let certain = std::mem::replace(&mut self.state.certain, false);
        let result = run(self);
        self.state.certain = certain;
        result
    }

    fn command(&mut self, command: &Command, tested: bool) -> Status {
        if !self.step(0) {
            return Status::Unknown;
        }
        match command {
            Command::Simple(words, redirects) => {
                let status = self.simple(words, redirects, tested);
                self.check(status, tested, || words.join(" "))
            }
            Command::Function(name, body) => {
                self.define(name, body);
                Status::Success
            }
            compound => self.nest(|this| this.compound(compound, tested)),
        }
    }

    fn compound(&mut self, command: &Command, tested: bool) -> Status {
        match command {
            Command::Simple(..) | Command::Function(..) => self.command(command, tested),
            Command::Not(inner) => self.command(inner, true).inverted(),
            Command::If(branches, otherwise) => self.branches(branches, otherwise, tested),
            Command::Case(subject, arms) => {
                let subject = self.text(subject);
                self.state.last = Status::Unknown;
                self.arms(&subject, arms, tested)
            }
            Command::For(name, values, body) => self.for_each(name, values, body, tested),
            Command::While(condition, body) => self.repeat(condition, body, Status::Failure),
            Command::Until(condition, body) => self.repeat(condition, body, Status::Success),
            Command::Group(list) => self.run(list, tested),
            Command::Subshell(list) => {
                let status = self.subshell(|this| this.run(list, tested));
                self.check(status, tested, || "( … )".to_owned())
            }
            Command::Pipeline(members) => {
                let mut status = Status::Success;
                // They run side by side: what one makes, another may see or not.
                for member in members {
                    status = self.perhaps(|this| this.subshell(|this| this.command(member, tested)));
                }
                self.check(status, tested, || "… | …".to_owned())
            }
            Command::Background(list) => {
                self.report("… &");
                self.subshell(|this| this.run(list, true));
                Status::Success
            }
            Command::Redirected(inner, redirects) => {
                self.redirect(redirects, "");
                let status = self.command(inner, tested);
                self.check(status, tested, || "{ … } > …".to_owned())
            }
        }
    }

    /// Notes a failure that ends the script, or the subshell.
    fn check(&mut self, status: Status, tested: bool, what: impl FnOnce() -> String) -> Status {
        let ends =
            self.state.reachable && self.state.exits_on_failure && !tested && status != Status::Success;
        let shell = self.frames.iter().rposition(|frame| frame.kind == FrameKind::Shell);
        match shell.filter(|_| ends) {
            Some(0) => self.report_failure(&what()),
            // What follows is looked at all the same: the status may not be that of a failure.
            Some(position) => {
                self.leave_perhaps(position, Status::Failure);
                self.state.certain = false;
            }
            None => {}
        }
        status
    }

    /// Takes either of two ways. Unless one of them may leave, what follows is as certain as what came before.
    pub(super) fn fork(
        &mut self,
        first: impl FnOnce(&mut Self) -> Status,
        second: impl FnOnce(&mut Self) -> Status,
    ) -> Status {
        let (certain, departures) = (self.state.certain, self.departures);
        self.state.certain = false;
        let before = self.copy();
        let one = self.nest(first);
        let after = std::mem::replace(&mut self.state, before);
        let other = self.nest(second);
        let status = match (after.reachable, self.state.reachable) {
            (true, true) => one.or(other),
            (true, false) => one,
            (false, _) => other,
        };
        self.state = self.state.clone().or(after);
        self.state.certain |= certain && self.departures == departures;
        status
    }

    /// Runs what can be left early, and goes on where it is left or ends.
    pub(super) fn framed(&mut self, kind: FrameKind, run: impl FnOnce(&mut Self) -> Status) -> Status {
        self.frames.push(Frame::new(kind));
        let status = run(self);
        let Some(Frame { left, .. }) = self.frames.pop() else { return status };
        match left {
            Some((state, status_there)) => {
                let reachable = self.state.reachable;
                self.state = state.or(self.state.clone());
                if reachable { status.or(status_there) } else { status_there }
            }
            None => status,
        }
    }

    /// Runs what changes nothing in this shell.
    pub(super) fn subshell(&mut self, run: impl FnOnce(&mut Self) -> Status) -> Status {
        let (before, departures) = (self.copy(), self.departures);
        self.state.last = Status::Unknown;
        let status = self.framed(FrameKind::Shell, run);
        let reachable = self.state.reachable;
        self.state = before;
        self.state.last = status;
        self.departures = departures;
        if reachable { status } else { Status::Unknown }
    }

    /// Leaves the innermost of a kind with a status. A shell is left through all in it; other things are not.
    pub(super) fn leave(&mut self, kind: FrameKind, status: Status, command: &str) -> Status {
        let is_loop = |frame: &Frame| matches!(frame.kind, FrameKind::Loop | FrameKind::Condition);
        let is_it = |frame: &Frame| {
            frame.kind == kind || (kind == FrameKind::Loop && frame.kind == FrameKind::Condition)
        };
        let through = |frame: &Frame| match kind {
            FrameKind::Shell => true,
            FrameKind::Function => is_loop(frame),
            FrameKind::Loop | FrameKind::Condition => false,
        };
        let position = self.frames.iter().rposition(|frame| is_it(frame) || !through(frame));
        let is_kind = |position: &usize| self.frames.get(*position).is_some_and(is_it);
        let Some(position) = position.filter(is_kind) else {
            self.report(command);
            return Status::Unknown;
        };
        self.leave_perhaps(position, status);
        if position == 0 && status != Status::Success {
            self.report_failure(command);
        }
        self.state.reachable = false;
        status
    }

    /// Notes that a frame may be left here.
    fn leave_perhaps(&mut self, position: usize, status: Status) {
        let here = self.copy();
        let Some(frame) = self.frames.get_mut(position) else { return };
        frame.left = Some(match frame.left.take() {
            Some((state, before)) => (state.or(here), before.or(status)),
            None => (here, status),
        });
        self.departures += 1;
    }

    /// Whether this is the condition of a loop.
    pub(super) fn in_condition(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.kind == FrameKind::Condition)
    }

    /// Makes a variable end with the function; `false` outside of one.
    pub(super) fn make_local(&mut self, name: &str) -> bool {
        let is_loop = |frame: &&Frame| matches!(frame.kind, FrameKind::Loop | FrameKind::Condition);
        let innermost = self.frames.iter().rfind(|frame| !is_loop(frame));
        innermost.is_some_and(|frame| frame.kind == FrameKind::Function) && self.state.make_local(name)
    }

    /// Runs the body of a function with arguments of its own.
    pub(super) fn call(&mut self, body: &Rc<List>, arguments: Words, text: &str, tested: bool) -> Status {
        let outside = std::mem::replace(&mut self.state.arguments, arguments);
        self.state.begin_function();
        self.state.last = Status::Unknown;
        let status =
            self.nested(text, |this| this.framed(FrameKind::Function, |this| this.run(body, tested)));
        self.state.end_function();
        self.state.arguments = outside;
        status
    }

    /// Runs a script in a substitution; returns what it writes, which is known only where that is nothing.
    pub(super) fn substitute(&mut self, script: &str) -> Text {
        let text = format!("$({script})");
        if !self.step(script.len()) {
            return Text::unknown();
        }
        let Some(list) = parse(script) else {
            self.report(&text);
            return Text::unknown();
        };
        let printed_before = std::mem::replace(&mut self.prints, false);
        let status = self.nested(&text, |this| this.subshell(|this| this.run(&list, false)));
        self.substituted = Some(status);
        self.state.last = status;
        let is_silent = !std::mem::replace(&mut self.prints, printed_before);
        if is_silent { Text::known("") } else { Text::unknown() }
    }

    fn nested(&mut self, text: &str, run: impl FnOnce(&mut Self) -> Status) -> Status {
        if self.depth >= CALL_LIMIT {
            self.report(&format!("{text} (nested too deeply)"));
            return Status::Unknown;
        }
        self.depth += 1;
        let status = self.nest(run);
        self.depth -= 1;
        status
    }

    /// Looks at redirections; tells whether they open no file.
    pub(super) fn redirect(&mut self, redirects: &Redirects, text: &str) -> bool {
        self.prints |= redirects.joins;
        for document in &redirects.documents {
            self.document(document);
        }
        if redirects.opens {
            self.report(format!("{text} > (opens a file)").trim_start());
        }
        !redirects.opens
    }
}
