//! What words of a script stand for.

use super::evaluation::Evaluation;
use super::state::{State, Status, Text, Variable, Words};
use super::word::{Default, Part, document_parts, parts};
use crate::pattern::Pattern;

/// More words than this are not kept apart: a script can double them again and again.
const WORD_LIMIT: usize = 256;

impl Evaluation<'_> {
    /// The fields of words, split and ready for a command. Unquoted text that is not known may be any number of them.
    pub(super) fn words(&mut self, words: &[String]) -> Words {
        let mut fields = Fields::default();
        for word in words {
            let parts = parts(word);
            fields.braces = braces(&parts);
            // A lone bracket is a command.
            fields.patterns = word != "[";
            fields.is_alone = parts.len() == 2;
            self.add(&parts, &mut fields);
            fields.end_field();
        }
        self.count_words(&fields.done);
        fields.done
    }

    fn add(&mut self, parts: &[Part], fields: &mut Fields) {
        for part in parts {
            match part {
                Part::Text { text, quoted: true } => fields.append(&Text::known(text.as_str())),
                Part::Text { text, quoted: false } => fields.append_unquoted(text),
                Part::Parameter { name, default: None, quoted: true } if name == "@" => {
                    fields.append_all(&self.state.arguments);
                }
                Part::Parameter { name, default: None, quoted: false } if name == "@" || name == "*" => {
                    fields.split_all(&self.state.arguments);
                }
                Part::Parameter { name, default: Some(default), quoted: false } => {
                    match self.stand_in(name, default) {
                        StandIn::Value => fields.split(&self.parameter(name)),
                        StandIn::Default => self.add(&default.word, fields),
                        StandIn::Nothing => {}
                        StandIn::Perhaps => fields.split(&self.part(part)),
                    }
                }
                part => {
                    let text = self.part(part);
                    let splits = matches!(
                        part,
                        Part::Parameter { quoted: false, .. }
                            | Part::Script { quoted: false, .. }
                            | Part::Foreign(_)
                    );
                    if splits { fields.split(&text) } else { fields.append(&text) }
                }
            }
        }
    }

    /// The text of a word that is not split.
    pub(super) fn text(&mut self, word: &str) -> Text {
        self.join(&parts(word))
    }

    /// Looks into a here-document.
    pub(super) fn document(&mut self, text: &str) {
        self.join(&document_parts(text));
    }

    fn join(&mut self, parts: &[Part]) -> Text {
        let mut text = Text::known("");
        for part in parts {
            let piece = self.part(part);
            text.push(&piece);
        }
        text
    }

    fn part(&mut self, part: &Part) -> Text {
        match part {
            Part::Text { text, .. } => Text::known(text.as_str()),
            Part::Parameter { name, default: None, .. } => self.parameter(name),
            Part::Parameter { name, default: Some(default), .. } => match self.stand_in(name, default) {
                StandIn::Value => self.parameter(name),
                StandIn::Default => self.join(&default.word),
                StandIn::Nothing => Text::known(""),
                StandIn::Perhaps => {
                    if default.operator == '=' {
                        self.report(&format!("${{{name}=…}}"));
                    }
                    let substituted = self.substituted.take();
                    self.perhaps(|this| this.join(&default.word));
                    self.substituted = self.substituted.map(|_| Status::Unknown).or(substituted);
                    Text::unknown()
                }
            },
            Part::Script { script, .. } => self.substitute(script),
            Part::Tilde => Text::unknown(),
            Part::Foreign(text) => {
                self.report(text);
                Text::unknown()
            }
        }
    }

    /// The value of a parameter; notes one whose absence would end the script.
    fn parameter(&mut self, name: &str) -> Text {
        let variable = self.state.parameter(name);
        let may_be_unset = !matches!(variable, Variable::Set(_)) && name != "@" && name != "*";
        if self.state.exits_on_unset && may_be_unset {
            self.report(&format!("${name}, which may be unset"));
        }
        match variable {
            Variable::Unset => Text::known(""),
            Variable::Set(text) => text,
            Variable::Unknown => Text::unknown(),
        }
    }

    /// What stands in for a parameter with a default.
    fn stand_in(&self, name: &str, default: &Default) -> StandIn {
        let is_set = match self.state.parameter(name) {
            Variable::Unset => false,
            Variable::Set(text) if default.colon && text.text.is_empty() && !text.complete => {
                return StandIn::Perhaps;
            }
            Variable::Set(text) => !(default.colon && text.text.is_empty()),
            Variable::Unknown => return StandIn::Perhaps,
        };
        match (is_set, default.operator) {
            (true, '+') | (false, '-') => StandIn::Default,
            (true, _) => StandIn::Value,
            (false, '+') => StandIn::Nothing,
            // It would be set as well.
            (false, _) => StandIn::Perhaps,
        }
    }

    /// Whether one of the patterns of a `case` matches.
    pub(super) fn matches(&mut self, subject: &Text, patterns: &[String]) -> Status {
        let mut all = Status::Failure;
        for word in patterns {
            if !self.step(word.len()) {
                return Status::Unknown;
            }
            // The patterns behind one that matches are not expanded.
            let pattern = self.perhaps(|this| this.pattern(&parts(word)));
            match pattern.map(|pattern| matches(&pattern, subject)) {
                Some(Status::Success) => return Status::Success,
                Some(Status::Failure) => {}
                _ => all = Status::Unknown,
            }
        }
        all
    }

    /// A pattern in which what was quoted is escaped, if it is known.
    fn pattern(&mut self, parts: &[Part]) -> Option<String> {
        let mut pattern = Some(String::new());
        for part in parts {
            let (text, quoted) = match part {
                Part::Parameter { name, default: Some(default), quoted: false } => {
                    match self.stand_in(name, default) {
                        // In it, each piece has quotes of its own.
                        StandIn::Default => {
                            let inner = self.pattern(&default.word);
                            pattern = pattern.zip(inner).map(|(pattern, inner)| pattern + &inner);
                            continue;
                        }
                        _ => (self.part(part), false),
                    }
                }
                Part::Text { quoted, .. } | Part::Parameter { quoted, .. } => (self.part(part), *quoted),
                part => (self.part(part), false),
            };
            pattern = pattern.zip(text.value()).and_then(|(pattern, text)| match quoted {
                true => Some(text.chars().fold(pattern, |pattern, c| format!("{pattern}\\{c}"))),
                false => (!text.contains('\\')).then(|| pattern + text),
            });
        }
        pattern
    }
}

/// Whether a pattern matches, where that depends neither on the shell nor on the language.
fn matches(pattern: &str, subject: &Text) -> Status {
    let has_set = pattern.contains('[');
    let in_doubt = has_set && pattern.replace("0-9", "").contains(['-', '^', '\\']);
    let ascii = subject.text.is_ascii() || !pattern.contains(['?', '[']);
    let parsed = Pattern::of_fnmatch(pattern).filter(|_| !in_doubt && ascii);
    match (parsed, subject.value()) {
        _ if pattern == "*" => Status::Success,
        (Some(parsed), Some(subject)) => Status::of(parsed.matches(subject.as_bytes())),
        _ => Status::Unknown,
    }
}

enum StandIn {
    /// Its own value.
    Value,
    Default,
    Nothing,
    /// One of them.
    Perhaps,
}

impl State {
    fn parameter(&self, name: &str) -> Variable {
        match name {
            "#" if self.arguments.open => Variable::Set(Text::unknown()),
            "#" => Variable::Set(Text::known(self.arguments.known.len().to_string())),
            "@" | "*" => Variable::Set(match self.arguments.values() {
                Some(values) => Text::known(values.join(" ")),
                None => Text::unknown(),
            }),
            "?" | "$" | "-" | "0" => Variable::Set(Text::unknown()),
            "!" => Variable::Unknown,
            name => match name.parse::<usize>() {
                Ok(number) => match number.checked_sub(1).and_then(|index| self.arguments.known.get(index)) {
                    Some(text) => Variable::Set(text.clone()),
                    None if self.arguments.open => Variable::Unknown,
                    None => Variable::Unset,
                },
                Err(_) => self.variable(name),
            },
        }
    }
}

/// Whether Bash would make several words of this one.
fn braces(parts: &[Part]) -> bool {
    let has = |wanted: &str| {
        parts.iter().any(|part| matches!(part, Part::Text { text, quoted: false } if text.contains(wanted)))
    };
    has("{") && (has(",") || has("."))
}

/// Fields as they come to be.
#[derive(Default)]
struct Fields {
    done: Words,
    current: Option<Text>,
    /// Whether there are braces in the word that Bash expands.
    braces: bool,
    /// Whether its text may be a pattern of file names.
    patterns: bool,
    /// Whether there is nothing in it but quotes and a parameter.
    is_alone: bool,
}

impl Fields {
    fn append(&mut self, text: &Text) {
        self.current.get_or_insert_with(|| Text::known("")).push(text);
    }

    fn append_unquoted(&mut self, text: &str) {
        match text {
            _ if self.braces => self.open(),
            "*" | "?" | "[" if self.patterns => self.open(),
            // Only the default of a parameter has blanks that are not quoted.
            " " | "\t" | "\n" => self.end_field(),
            text => self.append(&Text::known(text)),
        }
    }

    /// Splits what an unquoted expansion stands for.
    fn split(&mut self, text: &Text) {
        let Some(value) = text.value().filter(|value| !value.contains(['*', '?', '[', '\\'])) else {
            return self.open();
        };
        let is_blank = |c: char| " \t\n".contains(c);
        let mut fields = value.split(is_blank).filter(|field| !field.is_empty()).peekable();
        if value.starts_with(is_blank) {
            self.end_field();
        }
        while let Some(field) = fields.next() {
            self.append(&Text::known(field));
            if fields.peek().is_some() || value.ends_with(is_blank) {
                self.end_field();
            }
        }
    }

    /// `$@`: the fields of each argument.
    fn split_all(&mut self, arguments: &Words) {
        for (index, argument) in arguments.known.iter().enumerate() {
            if index > 0 {
                self.end_field();
            }
            self.split(argument);
        }
        if arguments.open {
            self.open();
        }
    }

    /// `"$@"`: each argument as it is.
    fn append_all(&mut self, arguments: &Words) {
        if arguments.known.is_empty() && self.current.as_ref().is_some_and(|text| text.text.is_empty()) {
            // No argument is no field; with other quotes beside it, it may be one.
            self.current = None;
            self.done.open |= !self.is_alone;
        }
        for (index, argument) in arguments.known.iter().enumerate() {
            if index > 0 {
                self.end_field();
            }
            self.append(argument);
        }
        if arguments.open {
            self.open();
        }
    }

    /// From here on nothing is known.
    fn open(&mut self) {
        self.current = None;
        self.done.open = true;
    }

    fn end_field(&mut self) {
        let full = self.done.known.len() >= WORD_LIMIT;
        if let Some(text) = self.current.take().filter(|_| !self.done.open) {
            if full { self.open() } else { self.done.known.push(text) }
        }
    }
}
