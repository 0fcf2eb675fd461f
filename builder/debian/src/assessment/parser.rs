//! The structure of a shell script: which commands run under which conditions.

use std::collections::VecDeque;

use super::lexer::{Token, tokens};

/// How deep a script may nest.
const DEPTH_LIMIT: usize = 64;

/// How a command follows the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Whatever came before.
    Always,
    /// `&&`
    AndThen,
    /// `||`
    OrElse,
}

pub(super) type List = Vec<(Link, Command)>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Words with quotes and expansions, and whether it writes to a file other than `/dev/null`.
    Simple {
        words: Vec<String>,
        writes: bool,
    },
    Not(Box<Command>),
    /// Conditions with what they guard, the last without condition if there is an `else`.
    If(Vec<(List, List)>, List),
    Case(String, Vec<(Vec<String>, List)>),
    /// `for`, `while`, `until`: runs any number of times; the condition list is empty for `for`.
    Loop(List, List),
    /// `{ … }`, `( … )`, or the members of a pipeline.
    Group(List),
    Function(String, List),
}

/// Reads a script; `None` for syntax beyond what is needed here.
pub(super) fn parse(script: &str) -> Option<List> {
    let mut parser = Parser { tokens: tokens(script)?.into(), depth: 0 };
    let list = parser.list(&[])?;
    parser.tokens.is_empty().then_some(list)
}

struct Parser {
    tokens: VecDeque<Token>,
    depth: usize,
}

impl Parser {
    /// Commands up to one of `ends`, which is left in place.
    fn list(&mut self, ends: &[&str]) -> Option<List> {
        self.depth += 1;
        let mut list = Vec::new();
        let mut link = Link::Always;
        loop {
            self.skip_separators(link == Link::Always);
            if self.tokens.is_empty() || self.at_any(ends) {
                break;
            }
            if self.depth > DEPTH_LIMIT {
                return None;
            }
            list.push((link, self.pipeline()?));
            link = match self.tokens.front() {
                Some(Token::Operator("&&")) => Link::AndThen,
                Some(Token::Operator("||")) => Link::OrElse,
                _ => Link::Always,
            };
            if link != Link::Always {
                self.tokens.pop_front();
            }
        }
        self.depth -= 1;
        (link == Link::Always).then_some(list)
    }

    fn skip_separators(&mut self, semicolons: bool) {
        while match self.tokens.front() {
            Some(Token::Operator("\n")) => true,
            Some(Token::Operator(";" | "&")) => semicolons,
            _ => false,
        } {
            self.tokens.pop_front();
        }
    }

    fn pipeline(&mut self) -> Option<Command> {
        if self.take("!") {
            return if self.front() == "!" { None } else { Some(Command::Not(Box::new(self.pipeline()?))) };
        }
        let first = self.command()?;
        let mut members = vec![(Link::Always, first)];
        while self.take("|") {
            self.skip_separators(false);
            members.push((Link::Always, self.command()?));
        }
        if members.len() == 1 {
            members.pop().map(|(_, command)| command)
        } else {
            Some(Command::Group(members))
        }
    }

    fn command(&mut self) -> Option<Command> {
        let command = match self.front() {
            "if" => self.if_command()?,
            "case" => self.case_command()?,
            "for" => self.for_command()?,
            "while" | "until" => {
                self.tokens.pop_front();
                let condition = self.list(&["do"])?;
                Command::Loop(condition, self.body("do", "done")?)
            }
            "{" => Command::Group(self.body("{", "}")?),
            "(" => Command::Group(self.body("(", ")")?),
            _ => return self.simple(),
        };
        // A redirection of the whole is judged like a command that writes.
        match self.redirections()? {
            true => Some(Command::Group(vec![(Link::Always, command), (Link::Always, writer())])),
            false => Some(command),
        }
    }

    fn if_command(&mut self) -> Option<Command> {
        let mut branches = Vec::new();
        let mut word = "if";
        loop {
            if !self.take(word) {
                let otherwise = if self.take("else") { self.list(&["fi"])? } else { Vec::new() };
                return self.take("fi").then_some(Command::If(branches, otherwise));
            }
            let condition = self.list(&["then"])?;
            if !self.take("then") {
                return None;
            }
            branches.push((condition, self.list(&["elif", "else", "fi"])?));
            word = "elif";
        }
    }

    fn case_command(&mut self) -> Option<Command> {
        self.tokens.pop_front();
        let subject = self.word()?;
        self.skip_separators(false);
        if !self.take("in") {
            return None;
        }
        let mut arms = Vec::new();
        loop {
            self.skip_separators(false);
            if self.take("esac") {
                return Some(Command::Case(subject, arms));
            }
            self.take("(");
            let mut patterns = vec![self.word()?];
            while self.take("|") {
                patterns.push(self.word()?);
            }
            if !self.take(")") {
                return None;
            }
            arms.push((patterns, self.list(&[";;", "esac"])?));
            self.take(";;");
        }
    }

    fn for_command(&mut self) -> Option<Command> {
        self.tokens.pop_front();
        let mut values = Vec::new();
        while !self.at_any(&["do"]) {
            if let Token::Word(word) = self.tokens.pop_front()? {
                values.push(word);
            }
        }
        // The values may hold substitutions; `:` carries them as arguments that are looked at but not run.
        let values = Command::Simple { words: [vec![":".to_owned()], values].concat(), writes: false };
        Some(Command::Loop(vec![(Link::Always, values)], self.body("do", "done")?))
    }

    fn body(&mut self, open: &str, close: &str) -> Option<List> {
        let list = if self.take(open) { self.list(&[close])? } else { return None };
        self.take(close).then_some(list)
    }

    fn simple(&mut self) -> Option<Command> {
        let mut words = Vec::new();
        let mut writes = false;
        loop {
            match self.tokens.front() {
                Some(Token::Word(_)) => words.push(self.word()?),
                Some(Token::Redirect(_) | Token::HereDocument) => writes |= self.redirections()?,
                Some(Token::Operator("(")) if words.len() == 1 => {
                    self.tokens.pop_front();
                    if !self.take(")") {
                        return None;
                    }
                    self.skip_separators(false);
                    return Some(Command::Function(words.pop()?, self.body("{", "}")?));
                }
                _ if words.is_empty() && !writes => return None,
                _ => return Some(Command::Simple { words, writes }),
            }
        }
    }

    /// Takes redirections; tells whether one of them writes to a file.
    fn redirections(&mut self) -> Option<bool> {
        let mut writes = false;
        loop {
            match self.tokens.front() {
                Some(Token::HereDocument) => {
                    self.tokens.pop_front();
                }
                Some(&Token::Redirect(operator)) => {
                    self.tokens.pop_front();
                    let target = self.word()?;
                    writes |= operator.starts_with('>') && operator != ">&" && target != "/dev/null";
                }
                _ => return Some(writes),
            }
        }
    }

    fn word(&mut self) -> Option<String> {
        match self.tokens.pop_front()? {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    fn front(&self) -> &str {
        match self.tokens.front() {
            Some(Token::Word(word)) => word,
            Some(Token::Operator(operator)) => operator,
            _ => "",
        }
    }

    fn at_any(&self, texts: &[&str]) -> bool {
        texts.contains(&self.front())
    }

    fn take(&mut self, text: &str) -> bool {
        let found = !self.tokens.is_empty() && self.front() == text;
        if found {
            self.tokens.pop_front();
        }
        found
    }
}

fn writer() -> Command {
    Command::Simple { words: Vec::new(), writes: true }
}
