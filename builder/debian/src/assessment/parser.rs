//! The structure of a shell script: which commands run under which conditions.

use std::collections::VecDeque;
use std::rc::Rc;

use super::lexer::{Token, tokens};
use super::word::{document_parts, is_name, parts, scripts};

/// How deep a script may nest.
const DEPTH_LIMIT: usize = 64;

/// Words that are no commands where a command is expected.
const RESERVED: [&str; 10] = ["then", "else", "elif", "fi", "do", "done", "esac", "}", "in", "!"];

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

/// Conditions with what they guard.
pub(super) type Branch = (List, List);

/// Patterns with what they guard.
pub(super) type Arm = (Vec<String>, List);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Words with quotes and expansions.
    Simple(Vec<String>, Redirects),
    Not(Box<Command>),
    /// The last list has no condition: it is that of `else`, or empty.
    If(Vec<Branch>, List),
    Case(String, Vec<Arm>),
    /// `for`, with its values; `"$@"` if none are given.
    For(String, Vec<String>, List),
    /// Condition and body.
    While(List, List),
    Until(List, List),
    /// `{ … }`
    Group(List),
    /// `( … )`
    Subshell(List),
    Pipeline(Vec<Command>),
    /// Commands that nobody waits for.
    Background(List),
    Redirected(Box<Command>, Redirects),
    Function(String, Rc<List>),
}

/// Where the input and output of a command go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Redirects {
    /// Whether it opens a file other than `/dev/null`.
    pub(super) opens: bool,
    /// The texts of here-documents in which expansions count.
    pub(super) documents: Vec<String>,
    /// Whether there is any here-document.
    pub(super) has_document: bool,
    /// Whether one descriptor goes where another does, as messages to the output: `2>&1`.
    pub(super) joins: bool,
    /// Whether there is anything at all.
    pub(super) present: bool,
}

/// Reads a script; `None` for syntax beyond what is needed here.
pub(super) fn parse(script: &str) -> Option<List> {
    parse_at(script, 0)
}

/// Reads a script that stands in others. A shell reads all of them first, and does nothing if one has no syntax.
fn parse_at(script: &str, depth: usize) -> Option<List> {
    let tokens = tokens(script)?;
    if depth > DEPTH_LIMIT {
        return None;
    }
    for token in &tokens {
        let parts = match token {
            Token::Word(word) => parts(word),
            Token::HereDocument(Some(text)) => document_parts(text),
            _ => continue,
        };
        for inner in scripts(&parts)? {
            parse_at(inner, depth + 1)?;
        }
    }
    let mut parser = Parser { tokens: tokens.into(), depth: 0 };
    parser.skip_newlines();
    if parser.tokens.is_empty() {
        return Some(List::new());
    }
    let list = parser.list(&[])?;
    parser.tokens.is_empty().then_some(list)
}

struct Parser {
    tokens: VecDeque<Token>,
    depth: usize,
}

impl Parser {
    /// One command or more, up to one of `ends`, which is left in place.
    fn list(&mut self, ends: &[&str]) -> Option<List> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return None;
        }
        let mut list = List::new();
        // Where the commands begin that `&&` and `||` hold together.
        let mut start = 0;
        let mut link = Link::Always;
        self.skip_newlines();
        loop {
            list.push((link, self.pipeline()?));
            link = match self.front() {
                "&&" => Link::AndThen,
                "||" => Link::OrElse,
                _ => Link::Always,
            };
            if link != Link::Always {
                self.tokens.pop_front();
                self.skip_newlines();
                continue;
            }
            if self.take("&") {
                let background = list.split_off(start);
                list.push((Link::Always, Command::Background(background)));
            } else if !self.take(";") && !self.at_any(&["\n"]) {
                break;
            }
            self.skip_newlines();
            start = list.len();
            if self.tokens.is_empty() || self.at_any(ends) {
                break;
            }
        }
        self.depth -= 1;
        Some(list)
    }

    fn skip_newlines(&mut self) {
        while matches!(self.tokens.front(), Some(Token::Operator("\n"))) {
            self.tokens.pop_front();
        }
    }

    fn pipeline(&mut self) -> Option<Command> {
        if self.take("!") {
            return if self.front() == "!" { None } else { Some(Command::Not(Box::new(self.pipeline()?))) };
        }
        let mut members = vec![self.command()?];
        while self.take("|") {
            self.skip_newlines();
            members.push(self.command()?);
        }
        if members.len() == 1 { members.pop() } else { Some(Command::Pipeline(members)) }
    }

    fn command(&mut self) -> Option<Command> {
        let command = match self.front() {
            "if" => self.if_command()?,
            "case" => self.case_command()?,
            "for" => self.for_command()?,
            word @ ("while" | "until") => {
                let make = if word == "while" { Command::While } else { Command::Until };
                self.tokens.pop_front();
                let condition = self.list(&["do"])?;
                make(condition, self.body("do", "done")?)
            }
            "{" => Command::Group(self.body("{", "}")?),
            "(" => Command::Subshell(self.body("(", ")")?),
            _ => return self.simple(),
        };
        let redirects = self.redirects()?;
        let redirected = redirects.present;
        Some(if redirected { Command::Redirected(Box::new(command), redirects) } else { command })
    }

    fn if_command(&mut self) -> Option<Command> {
        let mut branches = Vec::new();
        let mut word = "if";
        loop {
            if !self.take(word) {
                let otherwise = if self.take("else") { self.list(&["fi"])? } else { List::new() };
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
        self.skip_newlines();
        if !self.take("in") {
            return None;
        }
        let mut arms = Vec::new();
        loop {
            self.skip_newlines();
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
            self.skip_newlines();
            let ends = [";;", "esac"];
            arms.push((patterns, if self.at_any(&ends) { List::new() } else { self.list(&ends)? }));
            if !self.take(";;") && !self.at_any(&["esac"]) {
                return None;
            }
        }
    }

    fn for_command(&mut self) -> Option<Command> {
        self.tokens.pop_front();
        let name = self.word().filter(|name| is_name(name))?;
        let mut values = vec!["\"$@\"".to_owned()];
        self.skip_newlines();
        if self.take("in") {
            values.clear();
            while let Some(Token::Word(_)) = self.tokens.front() {
                values.push(self.word()?);
            }
            if !self.take(";") && !self.at_any(&["\n"]) {
                return None;
            }
        } else {
            self.take(";");
        }
        self.skip_newlines();
        Some(Command::For(name, values, self.body("do", "done")?))
    }

    fn body(&mut self, open: &str, close: &str) -> Option<List> {
        let list = if self.take(open) { self.list(&[close])? } else { return None };
        self.take(close).then_some(list)
    }

    fn simple(&mut self) -> Option<Command> {
        let mut words = Vec::new();
        let mut redirects = Redirects::default();
        if RESERVED.contains(&self.front()) {
            return None;
        }
        loop {
            match self.tokens.front() {
                Some(Token::Word(_)) => words.push(self.word()?),
                Some(Token::Redirect(_) | Token::HereDocument(_)) => self.redirect(&mut redirects)?,
                Some(Token::Operator("(")) if words.len() == 1 => {
                    return self.function(words.pop()?, &redirects);
                }
                _ if words.is_empty() && !redirects.present => return None,
                _ => return Some(Command::Simple(words, redirects)),
            }
        }
    }

    /// A function, of which the name was read.
    fn function(&mut self, name: String, redirects: &Redirects) -> Option<Command> {
        if redirects.present || !(is_name(&name) && self.take("(") && self.take(")")) {
            return None;
        }
        self.skip_newlines();
        let body = self.body("{", "}")?;
        let redirected = matches!(self.tokens.front(), Some(Token::Redirect(_) | Token::HereDocument(_)));
        (!redirected).then(|| Command::Function(name, Rc::new(body)))
    }

    fn redirects(&mut self) -> Option<Redirects> {
        let mut redirects = Redirects::default();
        while let Some(Token::Redirect(_) | Token::HereDocument(_)) = self.tokens.front() {
            self.redirect(&mut redirects)?;
        }
        Some(redirects)
    }

    fn redirect(&mut self, redirects: &mut Redirects) -> Option<()> {
        redirects.present = true;
        match self.tokens.pop_front()? {
            Token::HereDocument(text) => {
                redirects.has_document = true;
                redirects.documents.extend(text);
            }
            Token::Redirect(operator) => {
                let target = self.word()?;
                redirects.joins |= operator == ">&";
                // Standard output and error are open; any other descriptor may not be.
                redirects.opens |= match operator {
                    ">&" => !["1", "2"].contains(&target.as_str()),
                    "<>" | "<&" => true,
                    _ => target != "/dev/null",
                };
            }
            _ => return None,
        }
        Some(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_syntax_is_not_read() {
        for script in [
            "if true; then fi",
            "; a",
            "a;; b",
            "a & & b",
            "a &&",
            "| a",
            "for x in a do b; done",
            "do a",
            "{ }",
            "( )",
            "! ! a",
            "case x in a) b c) d;; esac",
            "a() b",
            "a() { b; } > c",
            "a() { b; } c() {",
            "in x",
            "a ( b )",
            "\"f\"() { a; }",
            "if a; then b; }",
            "case x in in) ;;",
            "a |& b",
            "case x in a) b ;& esac",
            "x=(a)",
        ] {
            assert_eq!(parse(script), None, "{script}");
        }
    }

    #[test]
    fn an_ampersand_covers_all_that_hangs_together() {
        let list = parse("a; b && c & d").unwrap();
        let [_, (Link::Always, Command::Background(inner)), _] = &list[..] else { panic!("{list:?}") };
        assert_eq!(inner.len(), 2);
    }
}
