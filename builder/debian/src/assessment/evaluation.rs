//! Which commands a script would run when a package is installed for the first time.
//!
//! The script is never run. Its conditions are decided where `$1` is `install`, `$2` is empty, and the files of the image
//! are known; a condition that depends on anything else is taken both ways. Whatever is not known here counts as a
//! command that changes the system, and so does an end that may not be a success.

use std::rc::Rc;

use super::Effect;
use super::parser::{Arm, Branch, Command, Link, List, Redirects, parse};
use super::state::{State, Status, Text, Variable, Words};
use crate::tree::Tree;

/// How deep functions and substitutions may nest.
const CALL_LIMIT: usize = 16;

/// How many commands are looked at: functions that call functions are many more than they look.
const STEP_LIMIT: usize = 20_000;

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
    let list = parse(script)?;
    let mut evaluation = Evaluation {
        tree,
        package,
        state: State::at_installation(package),
        frames: vec![Frame::new(FrameKind::Shell)],
        reached: Reached::default(),
        departures: 0,
        substituted: None,
        depth: 0,
        steps: 0,
    };
    let options = options.iter().map(|option| Text::known(*option)).collect();
    evaluation.set(&Words { known: options, open: false });
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
}

/// Where something was left early, and how it stood there.
pub(super) struct Frame {
    kind: FrameKind,
    left: Option<(State, Status)>,
    /// Variables of the function alone, with what they are outside.
    pub(super) locals: Vec<(String, Variable)>,
}

impl Frame {
    fn new(kind: FrameKind) -> Self {
        Frame { kind, left: None, locals: Vec::new() }
    }
}

pub(super) struct Evaluation<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) package: &'a str,
    pub(super) state: State,
    frames: Vec<Frame>,
    pub(super) reached: Reached,
    /// How often something was left early.
    departures: usize,
    /// How the last substitution of a command ended.
    pub(super) substituted: Option<Status>,
    depth: usize,
    steps: usize,
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
    fn run(&mut self, list: &List, tested: bool) -> Status {
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

    fn command(&mut self, command: &Command, tested: bool) -> Status {
        self.steps += 1;
        if self.steps > STEP_LIMIT {
            self.report("(more than can be looked at)");
            self.state.reachable = false;
            return Status::Unknown;
        }
        match command {
            Command::Simple(words, redirects) => {
                let status = self.simple(words, redirects, tested);
                self.check(status, tested, || words.join(" "))
            }
            Command::Not(inner) => self.command(inner, true).inverted(),
            Command::If(branches, otherwise) => self.branches(branches, otherwise, tested),
            Command::Case(subject, arms) => {
                let subject = self.text(subject);
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
                for member in members {
                    status = self.subshell(|this| this.command(member, tested));
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
            Command::Function(name, body) => {
                self.define(name, body);
                Status::Success
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
            // Bash goes on in some of them.
            Some(position) => self.leave_perhaps(position, Status::Failure),
            None => {}
        }
        status
    }

    /// Takes either of two ways. Unless one of them may leave, what follows is as certain as what came before.
    fn fork(
        &mut self,
        first: impl FnOnce(&mut Self) -> Status,
        second: impl FnOnce(&mut Self) -> Status,
    ) -> Status {
        let (certain, departures) = (self.state.certain, self.departures);
        self.state.certain = false;
        let before = self.state.clone();
        let one = first(self);
        let after = std::mem::replace(&mut self.state, before);
        let other = second(self);
        let status = match (after.reachable, self.state.reachable) {
            (true, true) => one.or(other),
            (true, false) => one,
            (false, _) => other,
        };
        self.state = self.state.clone().or(after);
        self.state.certain |= certain && self.departures == departures;
        status
    }

    fn branches(&mut self, branches: &[Branch], otherwise: &List, tested: bool) -> Status {
        let Some(((condition, body), rest)) = branches.split_first() else {
            return self.run(otherwise, tested);
        };
        let status = self.run(condition, true);
        match status {
            _ if !self.state.reachable => status,
            Status::Success => self.run(body, tested),
            Status::Failure => self.branches(rest, otherwise, tested),
            Status::Unknown => {
                self.fork(|this| this.run(body, tested), |this| this.branches(rest, otherwise, tested))
            }
        }
    }

    fn arms(&mut self, subject: &Text, arms: &[Arm], tested: bool) -> Status {
        let Some(((patterns, body), rest)) = arms.split_first() else { return Status::Success };
        match self.matches(subject, patterns) {
            Status::Success => self.run(body, tested),
            Status::Failure => self.arms(subject, rest, tested),
            Status::Unknown => {
                self.fork(|this| this.run(body, tested), |this| this.arms(subject, rest, tested))
            }
        }
    }

    /// Runs the body until nothing new is learned: any number of times.
    fn for_each(&mut self, name: &str, values: &[String], body: &List, tested: bool) -> Status {
        let values = self.words(values);
        let Some(first) = values.known.first().filter(|_| !values.open) else {
            if !values.open {
                return Status::Success;
            }
            return self.any_number(name, &Text::unknown(), body, tested);
        };
        let value = values.known.iter().fold(first.clone(), |all, value| all.or(value));
        self.any_number(name, &value, body, tested)
    }

    fn any_number(&mut self, name: &str, value: &Text, body: &List, tested: bool) -> Status {
        let (certain, departures) = (self.state.certain, self.departures);
        self.state.certain = false;
        let mut status = Status::Success;
        loop {
            let before = self.state.clone();
            self.assign(name, Variable::Set(value.clone()));
            status = status.or(self.framed(FrameKind::Loop, |this| this.run(body, tested)));
            let after = std::mem::replace(&mut self.state, before.clone());
            self.state = before.clone().or(after);
            if self.state == before {
                break;
            }
        }
        self.state.certain = certain && self.departures == departures;
        status
    }

    /// `while` and `until`: only one that ends at once is known to end.
    fn repeat(&mut self, condition: &List, body: &List, ends: Status) -> Status {
        let status = self.run(condition, true);
        if self.state.reachable && status != ends {
            self.report("a loop, which may not end");
            self.fork(|this| this.framed(FrameKind::Loop, |this| this.run(body, true)), |_| Status::Success);
        }
        Status::Success
    }

    /// Runs what can be left early, and goes on where it is left or ends.
    fn framed(&mut self, kind: FrameKind, run: impl FnOnce(&mut Self) -> Status) -> Status {
        self.frames.push(Frame::new(kind));
        let status = run(self);
        let Some(Frame { left, locals, .. }) = self.frames.pop() else { return status };
        let status = match left {
            Some((state, status_there)) => {
                let reachable = self.state.reachable;
                self.state = state.or(self.state.clone());
                if reachable { status.or(status_there) } else { status_there }
            }
            None => status,
        };
        for (name, outside) in locals.into_iter().rev() {
            let _ = self.state.set(&name, outside);
        }
        status
    }

    /// Runs what changes nothing in this shell.
    pub(super) fn subshell(&mut self, run: impl FnOnce(&mut Self) -> Status) -> Status {
        let (before, departures) = (self.state.clone(), self.departures);
        let status = self.framed(FrameKind::Shell, run);
        let reachable = self.state.reachable;
        self.state = before;
        self.state.last = status;
        self.departures = departures;
        if reachable { status } else { Status::Unknown }
    }

    /// Leaves the innermost of a kind with a status. A shell is left through all in it; other things are not.
    pub(super) fn leave(&mut self, kind: FrameKind, status: Status, command: &str) -> Status {
        let through = |frame: &Frame| match kind {
            FrameKind::Shell => true,
            FrameKind::Function => frame.kind == FrameKind::Loop,
            FrameKind::Loop => false,
        };
        let position = self.frames.iter().rposition(|frame| frame.kind == kind || !through(frame));
        let is_kind = |position: &usize| self.frames.get(*position).is_some_and(|frame| frame.kind == kind);
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
        let Some(frame) = self.frames.get_mut(position) else { return };
        frame.left = Some(match frame.left.take() {
            Some((state, before)) => (state.or(self.state.clone()), before.or(status)),
            None => (self.state.clone(), status),
        });
        self.departures += 1;
    }

    /// Makes a variable end with the function; `false` outside of one.
    pub(super) fn make_local(&mut self, name: &str) -> bool {
        let outside = self.state.variable(name);
        let frame = self.frames.iter_mut().rfind(|frame| frame.kind != FrameKind::Loop);
        let Some(frame) = frame.filter(|frame| frame.kind == FrameKind::Function) else { return false };
        frame.locals.push((name.to_owned(), outside));
        true
    }

    /// Runs the body of a function with arguments of its own.
    pub(super) fn call(&mut self, body: &Rc<List>, arguments: Words, text: &str, tested: bool) -> Status {
        let outside = std::mem::replace(&mut self.state.arguments, arguments);
        let status =
            self.nested(text, |this| this.framed(FrameKind::Function, |this| this.run(body, tested)));
        self.state.arguments = outside;
        status
    }

    /// Runs a script in a substitution.
    pub(super) fn substitute(&mut self, script: &str) {
        let text = format!("$({script})");
        let Some(list) = parse(script) else { return self.report(&text) };
        let status = self.nested(&text, |this| this.subshell(|this| this.run(&list, false)));
        self.substituted = Some(status);
        self.state.last = status;
    }

    fn nested(&mut self, text: &str, run: impl FnOnce(&mut Self) -> Status) -> Status {
        if self.depth >= CALL_LIMIT {
            self.report(&format!("{text} (nested too deeply)"));
            return Status::Unknown;
        }
        self.depth += 1;
        let status = run(self);
        self.depth -= 1;
        status
    }

    /// Looks at redirections; tells whether they open no file.
    pub(super) fn redirect(&mut self, redirects: &Redirects, text: &str) -> bool {
        for document in &redirects.documents {
            self.document(document);
        }
        if redirects.opens {
            self.report(format!("{text} > (opens a file)").trim_start());
        }
        !redirects.opens
    }
}
