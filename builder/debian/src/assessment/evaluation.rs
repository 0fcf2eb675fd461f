//! Which commands a script would run when a package is installed for the first time.
//!
//! The script is never run. Its conditions are decided where `$1` is `install`, `$2` is empty, and the files of the image
//! are known; a condition that depends on anything else is taken both ways.

use std::collections::BTreeMap;

use super::Effect;
use super::divert::{self, Request};
use super::expansion::{Variables, assignment};
use super::lexer::{Token, tokens, unquoted};
use super::parser::{Command, Link, List, parse};
use crate::path::TreePath;
use crate::tree::{Tree, resolve};

/// How deep functions and substitutions may nest.
const CALL_LIMIT: usize = 16;

/// Commands that change nothing on the system, whatever their arguments.
const HARMLESS: [&str; 25] = [
    ":", "true", "false", "set", "echo", "printf", "test", "[", "local", "shift", "cat", "grep", "readlink",
    "uname", "which", "basename", "dirname", "tr", "cut", "head", "unset", "export", "continue", "break",
    "seq",
];

/// Commands that change nothing with this first argument.
const HARMLESS_WITH: [(&str, &str); 9] = [
    ("command", "-v"),
    ("dpkg", "--compare-versions"),
    ("dpkg", "--print-architecture"),
    ("dpkg", "--assert-multi-arch"),
    ("dpkg-query", "*"),
    ("dpkg-divert", "--list"),
    ("dpkg-divert", "--truename"),
    ("dpkg-divert", "--listpackage"),
    // Everything it does in a preinst is guarded by a previous version.
    ("dpkg-maintscript-helper", "*"),
];

/// Tests of a file that fail where there is none.
const FILE_TESTS: [&str; 9] = ["-e", "-f", "-d", "-L", "-h", "-s", "-r", "-w", "-x"];

/// What a script would do.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// Commands that may change the system.
    pub(super) commands: Vec<String>,
    /// What it does for certain and a plan can do in its place.
    pub(super) effects: Vec<Effect>,
}

/// Reads a script of `package`; `None` if it cannot be read.
pub(super) fn reached(script: &str, package: &str, tree: &dyn Tree) -> Option<Reached> {
    let tokens = tokens(script)?;
    let words = tokens.iter().filter_map(|token| match token {
        Token::Word(word) => Some(word.as_str()),
        _ => None,
    });
    let variables = Variables::of(words);
    let mut evaluation = Evaluation {
        tree,
        package,
        variables,
        functions: BTreeMap::new(),
        reached: Reached::default(),
        unsure: 0,
        depth: 0,
    };
    evaluation.run(&parse(script)?);
    Some(evaluation.reached)
}

/// Where a list leaves the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// Runs on, with this exit status: success, failure, or unknown.
    On(Option<bool>),
    /// Ends the script or function.
    Left,
}

struct Evaluation<'a> {
    tree: &'a dyn Tree,
    package: &'a str,
    variables: Variables,
    functions: BTreeMap<String, List>,
    reached: Reached,
    /// How many undecided conditions lead here.
    unsure: usize,
    depth: usize,
}

impl Evaluation<'_> {
    fn run(&mut self, list: &List) -> Flow {
        let mut status = Some(true);
        for (link, command) in list {
            let wanted = match link {
                Link::Always => None,
                Link::AndThen => Some(true),
                Link::OrElse => Some(false),
            };
            match (wanted, status) {
                (Some(wanted), Some(status)) if wanted != status => continue,
                (Some(wanted), None) => {
                    // It may run or not: leaving is not certain, and neither is success of `&&` or failure of `||`.
                    let flow = self.perhaps(|evaluation| evaluation.command(command));
                    status = Some(!wanted).filter(|&decided| flow == Flow::On(Some(decided)));
                }
                _ => match self.command(command) {
                    Flow::On(next) => status = next,
                    Flow::Left => return Flow::Left,
                },
            }
        }
        Flow::On(status)
    }

    fn command(&mut self, command: &Command) -> Flow {
        match command {
            Command::Simple { words, writes } => self.simple(words, *writes),
            Command::Not(inner) => match self.command(inner) {
                Flow::On(status) => Flow::On(status.map(|status| !status)),
                Flow::Left => Flow::Left,
            },
            Command::If(branches, otherwise) => self.branches(branches, otherwise),
            Command::Case(subject, arms) => self.case(subject, arms),
            Command::Loop(condition, body) => {
                self.perhaps(|evaluation| {
                    evaluation.run(condition);
                    evaluation.run(body)
                });
                Flow::On(None)
            }
            Command::Group(list) if list.len() == 1 => self.run(list),
            Command::Group(list) => match self.run(list) {
                Flow::On(_) => Flow::On(None),
                Flow::Left => Flow::Left,
            },
            Command::Function(name, body) => {
                self.functions.insert(name.clone(), body.clone());
                Flow::On(Some(true))
            }
        }
    }

    /// Runs what may not run at all. If it may leave, nothing after it is certain.
    fn perhaps(&mut self, run: impl FnOnce(&mut Self) -> Flow) -> Flow {
        self.unsure += 1;
        let flow = run(self);
        if flow != Flow::Left {
            self.unsure -= 1;
        }
        flow
    }

    fn branches(&mut self, branches: &[(List, List)], otherwise: &List) -> Flow {
        let Some(((condition, body), rest)) = branches.split_first() else { return self.run(otherwise) };
        match self.run(condition) {
            Flow::On(Some(true)) => self.run(body),
            Flow::On(Some(false)) => self.branches(rest, otherwise),
            Flow::On(None) | Flow::Left => {
                self.perhaps(|evaluation| evaluation.run(body));
                self.perhaps(|evaluation| evaluation.branches(rest, otherwise));
                Flow::On(None)
            }
        }
    }

    fn case(&mut self, subject: &str, arms: &[(Vec<String>, List)]) -> Flow {
        self.substitutions(subject);
        let Some(value) = self.value(subject) else {
            for (_, body) in arms {
                self.perhaps(|evaluation| evaluation.run(body));
            }
            return Flow::On(None);
        };
        let matches = |pattern: &String| {
            let pattern = unquoted(pattern);
            match pattern.strip_suffix('*') {
                Some(start) if !start.contains(['*', '?', '[']) => value.starts_with(start),
                _ => pattern == value,
            }
        };
        match arms.iter().find(|(patterns, _)| patterns.iter().any(matches)) {
            Some((_, body)) => self.run(body),
            None => Flow::On(Some(true)),
        }
    }

    fn simple(&mut self, words: &[String], writes: bool) -> Flow {
        words.iter().for_each(|word| self.substitutions(word));
        let words: Vec<&String> = words.iter().skip_while(|word| assignment(word).is_some()).collect();
        let Some((name, arguments)) = words.split_first() else {
            if writes {
                self.reached.commands.push("> (writes a file)".to_owned());
            }
            return Flow::On(None);
        };
        let text = words.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(" ");
        if writes {
            self.reached.commands.push(format!("{text} > (writes a file)"));
            return Flow::On(None);
        }
        match name.as_str() {
            "exit" | "return" => return Flow::Left,
            "true" | ":" => return Flow::On(Some(true)),
            "false" => return Flow::On(Some(false)),
            "test" | "[" => return Flow::On(self.test(arguments)),
            "dpkg" => return self.dpkg(arguments, text),
            "dpkg-divert" if self.divert(arguments) => return Flow::On(Some(true)),
            "mkdir" | "touch" if self.make(name, arguments) => return Flow::On(Some(true)),
            _ => {}
        }
        if let Some(body) = self.functions.get(name.as_str()).cloned() {
            return self.call(&body, &text);
        }
        if !is_harmless(name, arguments) {
            self.reached.commands.push(text);
        }
        Flow::On(None)
    }

    fn call(&mut self, body: &List, text: &str) -> Flow {
        if self.depth >= CALL_LIMIT {
            self.reached.commands.push(format!("{text} (nested too deeply)"));
            return Flow::On(None);
        }
        self.depth += 1;
        self.run(body);
        self.depth -= 1;
        Flow::On(None)
    }

    fn dpkg(&mut self, arguments: &[&String], text: String) -> Flow {
        if !is_harmless("dpkg", arguments) {
            self.reached.commands.push(text);
        }
        let values: Vec<Option<String>> = arguments.iter().map(|word| self.value(word)).collect();
        Flow::On(match values.as_slice() {
            // No version at all is earlier than any, or later for the operators that say `nl`.
            [Some(option), Some(left), Some(operator), _]
                if option == "--compare-versions" && left.is_empty() =>
            {
                ["lt", "le", "lt-nl", "le-nl", "ge", "gt", "ge-nl", "gt-nl"]
                    .contains(&operator.as_str())
                    .then(|| ["lt", "le", "ge-nl", "gt-nl"].contains(&operator.as_str()))
            }
            _ => None,
        })
    }

    /// Notes a diversion, if it is certain and moves no file.
    fn divert(&mut self, arguments: &[&String]) -> bool {
        let values: Option<Vec<String>> = arguments.iter().map(|word| self.value(word)).collect();
        let request = values.and_then(|values| divert::Request::parse(&values, self.package));
        let Some(Request { diversion, rename }) = request.filter(|_| self.unsure == 0) else { return false };
        let moves = rename && !self.is_absent(&String::from_utf8_lossy(&diversion.from));
        if !moves {
            self.reached.effects.push(Effect::Divert(diversion));
        }
        !moves
    }

    /// Notes `mkdir -p DIRECTORY…` and `touch FILE…`, if they are certain and the files are new.
    fn make(&mut self, name: &str, arguments: &[&String]) -> bool {
        let (options, files): (Vec<&String>, Vec<&String>) =
            arguments.iter().partition(|word| word.starts_with('-'));
        let is_directory = name == "mkdir";
        let plain = if is_directory { options == ["-p"] } else { options.is_empty() };
        let place = |word: &&String| {
            let path = TreePath::from_absolute(self.value(word)?.as_bytes()).ok()?;
            (is_directory || self.is_absent(word)).then_some(path)
        };
        let places: Option<Vec<TreePath>> = files.iter().map(place).collect();
        let Some(places) = places.filter(|_| plain && self.unsure == 0) else { return false };
        let effect = if is_directory { Effect::Directory } else { Effect::EmptyFile };
        self.reached.effects.extend(places.into_iter().map(effect));
        true
    }

    /// Looks into `$(…)` and backquotes, wherever they stand.
    fn substitutions(&mut self, word: &str) {
        let word = &word.replace("$((", "((");
        let inner = match (word.find("$("), word.find('`')) {
            (Some(start), _) if !word.starts_with('\'') => {
                word.get(start + 2..).and_then(|rest| rest.split_once(')'))
            }
            (None, Some(start)) if !word.starts_with('\'') => {
                word.get(start + 1..).and_then(|rest| rest.split_once('`'))
            }
            _ => return,
        };
        let list = inner.filter(|_| self.depth < CALL_LIMIT).and_then(|(script, _)| parse(script));
        match list {
            Some(list) if word.matches("$(").count() + word.matches('`').count() / 2 == 1 => {
                self.call(&list, word);
            }
            _ => self.reached.commands.push(word.to_owned()),
        }
    }

    /// The value of a word, if it is known.
    fn value(&self, word: &str) -> Option<String> {
        let expansion = self.variables.expand(word);
        expansion.complete.then_some(expansion.text)
    }

    /// Decides `test` and `[`; `None` if it depends on what is not known.
    fn test(&self, arguments: &[&String]) -> Option<bool> {
        let arguments = match arguments.split_last() {
            Some((last, rest)) if last.as_str() == "]" => rest,
            _ => arguments,
        };
        if let Some(position) = arguments.iter().position(|word| ["-a", "-o"].contains(&word.as_str())) {
            let (left, right) = arguments.split_at(position);
            let (connector, right) = right.split_first()?;
            let decisive = connector.as_str() == "-o";
            return match (self.test(left), self.test(right)) {
                (Some(side), _) | (_, Some(side)) if side == decisive => Some(decisive),
                (Some(_), Some(_)) => Some(!decisive),
                _ => None,
            };
        }
        if let [operator, file] = arguments
            && FILE_TESTS.contains(&operator.as_str())
        {
            return self.is_absent(file).then_some(false);
        }
        let words: Vec<Option<String>> = arguments.iter().map(|word| self.value(word)).collect();
        match words.as_slice() {
            [Some(not), ..] if not == "!" => self.test(arguments.get(1..)?).map(|status| !status),
            [Some(operator), Some(text)] if operator == "-n" => Some(!text.is_empty()),
            [Some(operator), Some(text)] if operator == "-z" => Some(text.is_empty()),
            [Some(text)] => Some(!text.is_empty()),
            [Some(left), Some(operator), Some(right)] if operator == "=" => Some(left == right),
            [Some(left), Some(operator), Some(right)] if operator == "!=" => Some(left != right),
            _ => None,
        }
    }

    /// Whether the image certainly has no such file.
    fn is_absent(&self, word: &str) -> bool {
        let expansion = self.variables.expand(word);
        let Some(path) = expansion.place().and_then(|place| TreePath::from_absolute(place.as_bytes()).ok())
        else {
            return false;
        };
        let node = |path: &TreePath| self.tree.node(path);
        // A link itself counts as a file for `-L`, so its target is not asked for.
        let parent = path.parent().and_then(|parent| resolve(&parent, node).ok());
        parent.is_some_and(|parent| matches!(node(&parent.join(path.name())), Ok(None)))
    }
}

fn is_harmless(name: &str, arguments: &[&String]) -> bool {
    let first = arguments.first().map_or("", |word| word.as_str());
    HARMLESS.contains(&name)
        || HARMLESS_WITH
            .iter()
            .any(|&(known, argument)| known == name && (argument == "*" || argument == first))
}
