//! Scripts with all that maintainer scripts may hold, and much that they should not.

mod templates;

use templates::{COMPOUND, EXPRESSIONS, GUARDED, PATTERNS, SIMPLE, TEXTS, USUAL, WORDS};

/// SplitMix64, and a script that grows from it.
pub(super) struct Grammar(u64);

impl Grammar {
    pub(super) fn new(seed: u64) -> Self {
        Grammar(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[(self.next() % from.len() as u64) as usize]
    }

    /// Puts something for each letter after a `%`: `%w` a word, `%c` a command, and so on.
    fn fill(&mut self, template: &str, depth: usize) -> String {
        let mut text = String::new();
        let mut letters = template.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                text.push(letter);
                continue;
            }
            match letters.next() {
                Some('%') => text.push('%'),
                Some('v') => text.push_str(self.pick(&["x", "y", "z", "OUTSIDE", "2", "1"])),
                Some('n') => text.push_str(self.pick(&["x", "y", "z"])),
                Some('f') => text.push_str(self.pick(&["f", "g"])),
                Some('t') => text.push_str(self.pick(TEXTS)),
                Some('w') => text.push_str(&self.word(depth)),
                Some('p') => text.push_str(&self.pattern(depth)),
                Some('e') => text.push_str(&self.expression(depth)),
                Some('s') => text.push_str(&self.simple(depth)),
                Some('c') => text.push_str(&self.command(depth)),
                Some('l') => text.push_str(&self.list(depth)),
                other => panic!("{other:?} after %"),
            }
        }
        text
    }

    fn word(&mut self, depth: usize) -> String {
        let template = match self.next() % 4 {
            0 => "%t",
            _ if depth == 0 => self.pick(&["\"$%v\"", "$%v", "%t"]),
            _ => self.pick(WORDS),
        };
        self.fill(template, depth.saturating_sub(1))
    }

    fn pattern(&mut self, depth: usize) -> String {
        let template = self.pick(PATTERNS);
        self.fill(template, depth.saturating_sub(1))
    }

    fn expression(&mut self, depth: usize) -> String {
        let template = self.pick(EXPRESSIONS);
        self.fill(template, depth.saturating_sub(1))
    }

    fn simple(&mut self, depth: usize) -> String {
        let template = match self.next() % 8 {
            0..3 => self.pick(USUAL),
            3..5 => "[ %e ]",
            _ => self.pick(SIMPLE),
        };
        self.fill(template, depth.saturating_sub(1))
    }

    fn command(&mut self, depth: usize) -> String {
        let template = match self.next() % 3 {
            0 if depth > 0 => self.pick(COMPOUND),
            1 if depth > 0 => self.pick(GUARDED),
            _ => "%s",
        };
        self.fill(template, depth.saturating_sub(1))
    }

    fn list(&mut self, depth: usize) -> String {
        let count = 1 + self.next() % 2;
        (0..count).map(|_| self.command(depth) + "\n").collect()
    }

    pub(super) fn script(&mut self) -> String {
        let beginning = self.pick(&["", "set -e\n", "set -eu\n", "set -u\n"]);
        let functions = self.pick(&["", "f() {\n%l}\n", "f() {\n%l}\ng() {\nf %w %w\n%l}\n"]);
        let end = self.pick(&["", "exit 0\n", ":\n", "exit 0\n"]);
        let script = format!("#!/bin/sh\n{beginning}{functions}%l{end}");
        self.fill(&script, 3)
    }
}
