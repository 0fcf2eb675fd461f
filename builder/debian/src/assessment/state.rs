//! What is known while a script is read: variables, arguments, functions, options.
//!
//! Where two ways through a script meet, what is known is what holds on both.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::parser::List;

/// Texts are known no further than this (bytes): a few lines can double a text again and again.
const TEXT_LIMIT: usize = 4096;

/// What a name or a text takes besides its own bytes, about.
const ENTRY: usize = 32;

/// Every branch of a script has its own copy of the variables, so they cannot be very many.
const VARIABLE_LIMIT: usize = 256;

/// Variables by which a shell, or a program that it runs, is told to do something else.
const SPECIAL: [&str; 31] = [
    "PATH",
    "PS1",
    "PS2",
    "PS4",
    "IFS",
    "ENV",
    "CDPATH",
    "HOME",
    "OPTIND",
    "OPTARG",
    "PPID",
    "LINENO",
    "SHELLOPTS",
    "GROUPS",
    "UID",
    "EUID",
    "RANDOM",
    "SECONDS",
    "FUNCNAME",
    "DIRSTACK",
    "GLOBIGNORE",
    "PWD",
    "OLDPWD",
    "SHELL",
    "PAGER",
    "POSIXLY_CORRECT",
    "GLIBC_TUNABLES",
    "NLSPATH",
    "LANGUAGE",
    "TZDIR",
    "_",
];
const SPECIAL_BEGINNINGS: [&str; 7] = ["LD_", "DPKG_", "BASH", "GCONV_", "LOCPATH", "GREP_", "MALLOC_"];

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Success,
    Failure,
    Unknown,
}

impl Status {
    pub(super) fn of(success: bool) -> Self {
        if success { Status::Success } else { Status::Failure }
    }

    pub(super) fn inverted(self) -> Self {
        match self {
            Status::Success => Status::Failure,
            Status::Failure => Status::Success,
            Status::Unknown => Status::Unknown,
        }
    }

    /// What holds on either of two ways.
    pub(super) fn or(self, other: Self) -> Self {
        if self == other { self } else { Status::Unknown }
    }
}

/// A text as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    /// The known beginning.
    pub(super) text: String,
    /// Whether that is all of it.
    pub(super) complete: bool,
}

impl Text {
    pub(super) fn known(text: impl Into<String>) -> Self {
        Text { text: text.into(), complete: true }
    }

    pub(super) fn unknown() -> Self {
        Text { text: String::new(), complete: false }
    }

    /// What it takes (bytes), about.
    fn size(&self) -> usize {
        ENTRY + self.text.len()
    }

    /// The text, if all of it is known.
    pub(super) fn value(&self) -> Option<&str> {
        self.complete.then_some(self.text.as_str())
    }

    pub(super) fn push(&mut self, other: &Text) {
        if self.complete {
            self.text.push_str(&other.text);
            self.complete = other.complete;
        }
        if self.text.len() > TEXT_LIMIT {
            *self = Text::unknown();
        }
    }

    pub(super) fn or(&self, other: &Text) -> Text {
        if self == other {
            return self.clone();
        }
        let same = self.text.chars().zip(other.text.chars()).take_while(|(left, right)| left == right);
        Text { text: same.map(|(left, _)| left).collect(), complete: false }
    }
}

/// What a variable that the script knows of holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    Unset,
    Set(Text),
    /// Set or not, and to anything.
    Unknown,
}

impl Variable {
    fn size(&self) -> usize {
        match self {
            Variable::Set(text) => text.size(),
            Variable::Unset | Variable::Unknown => ENTRY,
        }
    }

    fn or(&self, other: &Variable) -> Variable {
        match (self, other) {
            (Variable::Unset, Variable::Unset) => Variable::Unset,
            (Variable::Set(left), Variable::Set(right)) => Variable::Set(left.or(right)),
            _ => Variable::Unknown,
        }
    }
}

/// A variable that is a function's own.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Local {
    outside: Variable,
    /// Whether it is so on every way.
    certain: bool,
}

/// A list of words as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) known: Vec<Text>,
    /// Whether more may follow.
    pub(super) open: bool,
}

impl Words {
    /// What they take (bytes), about.
    pub(super) fn size(&self) -> usize {
        self.known.iter().map(Text::size).sum()
    }

    /// The words, if all of each is known.
    pub(super) fn values(&self) -> Option<Vec<&str>> {
        if self.open { None } else { self.known.iter().map(Text::value).collect() }
    }
}

/// All of it, at one place of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Whether the place can be reached.
    pub(super) reachable: bool,
    /// Whether it is reached for certain.
    pub(super) certain: bool,
    /// Those that are not in it came from outside.
    variables: BTreeMap<String, Variable>,
    /// For each function that is being run, the innermost last.
    locals: Vec<BTreeMap<String, Local>>,
    pub(super) arguments: Words,
    /// `None` for one that depends on how the place was reached.
    pub(super) functions: BTreeMap<String, Option<Rc<List>>>,
    /// `set -e` and `set -u`, or perhaps so.
    pub(super) exits_on_failure: bool,
    pub(super) exits_on_unset: bool,
    /// `$?`
    pub(super) last: Status,
}

impl State {
    /// A script of `package` as dpkg starts it at a first installation.
    pub(super) fn at_installation(package: &str) -> Self {
        let variable = |(name, value): (&str, &str)| (name.to_owned(), Variable::Set(Text::known(value)));
        // The script sees the board's own root.
        let variables =
            [("DPKG_ROOT", ""), ("DPKG_MAINTSCRIPT_NAME", "preinst"), ("DPKG_MAINTSCRIPT_PACKAGE", package)];
        State {
            reachable: true,
            certain: true,
            variables: variables.into_iter().map(variable).collect(),
            locals: Vec::new(),
            // No version was there before.
            arguments: Words { known: vec![Text::known("install")], open: false },
            functions: BTreeMap::new(),
            exits_on_failure: false,
            exits_on_unset: false,
            last: Status::Success,
        }
    }

    /// What a copy takes (bytes), about.
    pub(super) fn size(&self) -> usize {
        let variables = self.variables.iter().map(|(name, value)| name.len() + value.size());
        let locals = self.locals.iter().flatten().map(|(name, local)| name.len() + local.outside.size());
        let functions = self.functions.keys().map(|name| ENTRY + name.len());
        self.arguments.size() + variables.chain(locals).chain(functions).sum::<usize>()
    }

    pub(super) fn variable(&self, name: &str) -> Variable {
        self.variables.get(name).cloned().unwrap_or(Variable::Unknown)
    }

    /// Whether there are as many variables as can be looked at.
    pub(super) fn is_full(&self) -> bool {
        self.variables.len() >= VARIABLE_LIMIT
    }

    /// Tells whether the script may set it without changing what commands do.
    #[must_use]
    pub(super) fn set(&mut self, name: &str, value: Variable) -> bool {
        let special =
            SPECIAL.contains(&name) || SPECIAL_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
        let same = value == self.variable(name) && value != Variable::Unknown;
        self.variables.insert(name.to_owned(), if special && !same { Variable::Unknown } else { value });
        !special || same
    }

    pub(super) fn begin_function(&mut self) {
        self.locals.push(BTreeMap::new());
    }

    /// Gives back what the variables of the function alone are outside.
    pub(super) fn end_function(&mut self) {
        for (name, Local { outside, certain }) in self.locals.pop().unwrap_or_default() {
            let value = if certain { outside } else { outside.or(&self.variable(&name)) };
            self.variables.insert(name, value);
        }
    }

    /// Makes a variable end with the function; `false` outside of one.
    #[must_use]
    pub(super) fn make_local(&mut self, name: &str) -> bool {
        let current = self.variable(name);
        let Some(locals) = self.locals.last_mut() else { return false };
        let outside = match locals.remove(name) {
            Some(Local { outside, certain: true }) => outside,
            Some(Local { outside, certain: false }) => outside.or(&current),
            None => current,
        };
        locals.insert(name.to_owned(), Local { outside, certain: true });
        true
    }

    /// The variables that are a function's own here or on another way.
    fn locals_or(&self, other: &State) -> Vec<BTreeMap<String, Local>> {
        let both = self.locals.iter().zip(&other.locals);
        both.map(|(mine, theirs)| {
            let local = |name: &String| {
                let local = match (mine.get(name), theirs.get(name)) {
                    (Some(mine), Some(theirs)) => Local {
                        outside: mine.outside.or(&theirs.outside),
                        certain: mine.certain && theirs.certain,
                    },
                    (mine, theirs) => {
                        let outside =
                            mine.or(theirs).map_or(Variable::Unknown, |local| local.outside.clone());
                        Local { outside, certain: false }
                    }
                };
                (name.clone(), local)
            };
            mine.keys().chain(theirs.keys()).map(local).collect()
        })
        .collect()
    }

    /// What is known where this way and another meet.
    pub(super) fn or(self, other: State) -> State {
        if !self.reachable || !other.reachable {
            return if self.reachable { self } else { other };
        }
        let names = self.variables.keys().chain(other.variables.keys());
        let variable = |name: &String| (name.clone(), self.variable(name).or(&other.variable(name)));
        let functions = self.functions.keys().chain(other.functions.keys());
        let function = |name: &String| {
            let [mine, theirs] = [&self, &other].map(|state| state.functions.get(name));
            (name.clone(), mine.filter(|_| mine == theirs).cloned().flatten())
        };
        State {
            reachable: true,
            certain: self.certain && other.certain,
            variables: names.map(variable).collect(),
            locals: self.locals_or(&other),
            arguments: if self.arguments == other.arguments {
                self.arguments.clone()
            } else {
                Words { known: Vec::new(), open: true }
            },
            functions: functions.map(function).collect(),
            exits_on_failure: self.exits_on_failure || other.exits_on_failure,
            exits_on_unset: self.exits_on_unset || other.exits_on_unset,
            last: self.last.or(other.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_on_both_ways_is_known() {
        let with = |name: &str, text: &str| {
            let mut state = State::at_installation("own");
            assert!(state.set(name, Variable::Set(Text::known(text))));
            state
        };
        let met = with("x", "/var/a").or(with("x", "/var/b"));
        assert_eq!(met.variable("x"), Variable::Set(Text { text: "/var/".into(), complete: false }));
        assert_eq!(with("x", "a").or(with("y", "a")).variable("x"), Variable::Unknown);
        assert_eq!(with("x", "a").or(State { reachable: false, ..with("x", "b") }), with("x", "a"));
    }

    #[test]
    fn variables_that_change_commands_are_not_set() {
        for name in ["PATH", "IFS", "LD_PRELOAD", "PS4", "DPKG_ROOT", "PAGER", "SHELL"] {
            assert!(!State::at_installation("own").set(name, Variable::Unset), "{name}");
        }
    }
}
