//! Scripts with all that maintainer scripts may hold, and much that they should not.

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

const TEXTS: &[&str] = &[
    "install",
    "upgrade",
    "a",
    "ab",
    "''",
    "1",
    "2",
    "0",
    "'a b'",
    "'*'",
    "in\"stal\"l",
    "i\\nstall",
    "\"\"",
    "/etc/passwd",
    "/nowhere/x",
    "-n",
    "!",
    "=",
    "\"a\\\"b\"",
    "'-a'",
    "x=1",
    "a*",
    "[ab]",
    "\\*",
    "\"$\"",
    "~",
    "{a,b}",
    "é",
];
const WORDS: &[&str] = &[
    "$%v",
    "\"$%v\"",
    "\"$%v\"",
    "${%v}",
    "${%v:-%t}",
    "\"${%v:-a}\"",
    "${%v-%w}",
    "${%v:+%w}",
    "${%v+%w}",
    "${%v:=%t}",
    "${%v#a}",
    "${%v%%a}",
    "${#%v}",
    "\"$@\"",
    "$@",
    "\"$*\"",
    "$*",
    "$#",
    "$?",
    "$(%c)",
    "\"$(%c)\"",
    "`%s`",
    "$((1+1))",
    "%w%w",
    "\"%v$%v\"",
    "${1+\"$@\"}",
    "a\"$@\"b",
    "''\"$@\"",
    "\"`%s`\"",
    "\"${%v:-$(%s)}\"",
    "$(echo %w)",
    "${%v:-a b}",
];
const PATTERNS: &[&str] = &[
    "*",
    "install",
    "upgrade",
    "i*",
    "*l",
    "%w",
    "\"$%v\"",
    "$%v",
    "'i*'",
    "i?stall",
    "[hij]nstall",
    "[!i]*",
    "install|upgrade",
    "[a-z]*",
    "''",
    "\"*\"",
    "a|%w",
    "*n*a*",
    "\\i*",
    "[]i]*",
    "[i",
    "*[",
];
const EXPRESSIONS: &[&str] = &[
    "\"$1\" = install",
    "\"$1\" = upgrade",
    "\"$1\" != upgrade",
    "-n \"$2\"",
    "-z \"$2\"",
    "%w = %w",
    "%w != %w",
    "-n %w",
    "-z %w",
    "%w",
    "! %w",
    "! %w = %w",
    "-e %w",
    "! -e %w",
    "-f /nowhere/x",
    "-e /etc/passwd",
    "%e -a %e",
    "%e -o %e",
    "%e -o %e -a %e",
    "$# -eq %w",
    "$# -gt 1",
    "%w %w %w",
    "%w %w",
    "\"$%v\" = %w",
    "\"x$%v\" = x%w",
    "\"$%v\" = \"$%v\"",
    "\\( %e \\)",
    "%w -a %w",
    "-x \"$%v/x\"",
    "-d /nowhere/$%v",
];
const USUAL: &[&str] = &[
    ":",
    "true",
    "false",
    "echo %w",
    "%n=%w",
    "%n=%t",
    "%f %w",
    "%f",
    "set -- %w %w",
    "shift",
    "unset %n",
    "act",
];
const SIMPLE: &[&str] = &[
    "set %w %w",
    "set -- %w",
    "set --",
    "set -e",
    "set +e",
    "set -u",
    "set -f",
    "shift %t",
    "shift 2",
    "unset %n %n",
    "unset -f f",
    "export %n=%w",
    "export %n",
    "local %n=%w",
    "local %n",
    "readonly %n=%t",
    "%n=%w %n=%w",
    "%n=%w %f %w",
    "%n=%w :",
    "%n=%w true",
    "test %e",
    "[ %e",
    "return",
    "return %t",
    "return 1",
    "return 0",
    "exit",
    "exit 0",
    "exit 1",
    "exit %w",
    "break",
    "continue",
    "break 2",
    "eval %w",
    "eval \"act\"",
    "eval '%n=a'",
    "trap act EXIT",
    "trap 'act' 0",
    "alias true=act",
    ". ./act",
    "exec true",
    "exec act",
    "exec >out",
    "grep %w",
    "%n=$(grep %w)",
    "%n=$(%c)",
    "uname",
    "readlink %w",
    "dpkg --compare-versions \"$2\" lt %w",
    "dpkg --compare-versions %w gt 1",
    "dpkg --print-architecture",
    "dpkg -i %w",
    "dpkg-maintscript-helper rm_conffile /x 1 -- \"$@\"",
    "dpkg-maintscript-helper rm_conffile /x 1 -- %w %w",
    "command -v %w",
    "command act",
    "command true",
    "%w",
    "%w %w",
    "$%v",
    "cat <<E\n%w $%v\nE\n",
    "cat <<E\n$(%s)\nE\n",
    "cat <<'E'\n$(act)\nE\n",
    ": <<E\n`%s`\nE\n",
    "echo %w >/dev/null",
    "%s 2>/dev/null",
    "%s >&2",
    "%s >out",
    "%s >>out",
    ": >out",
    ">out",
    "%s </dev/null",
    "%s <nowhere",
    "%s >&-",
    "IFS=a",
    "PATH=.",
    "read %n",
    "cd /etc",
    "printf '%%s' %w",
    "printf %w",
    "umask 022",
    "type act",
    "hash act",
    "wait",
    "times >/dev/null",
    "getopts a %n",
    "PS4='$(act)'",
    "set -x",
    "%n=`%s`",
    "\"act\"",
    "'ac't %w",
    "a\\ct",
    "set -o errexit",
    "true() { act; }",
    ":() { act; }",
    "%f() { %s; }",
    "act() { :; }",
    "# act",
    ": # act",
    "{ act\n}",
    "(act)",
    "! act",
    "if act; then :; fi",
    "echo `act`",
    ": ${%n:=act}; $%n",
    ": \"$(act)\"",
    "true & act",
];
const GUARDED: &[&str] = &[
    "if [ %e ]; then %s; fi",
    "if [ %e ]; then\n%lelse\n%lfi",
    "[ %e ] && act",
    "[ %e ] || act",
    "[ %e ] && %c || %c",
    "[ %e ] || %c || :",
    "case \"$1\" in %p) %s;; esac",
    "case %w in %p) act;; %p) %c;; esac",
    "case $%v in\n(%p) %s\n;;\n%p) ;;\n*) %s\nesac",
    "! [ %e ] || act",
    "if [ %e ] && [ %e ]; then act; fi",
    "if [ %e ] || [ %e ]; then act; elif [ %e ]; then %s; fi",
    "! { [ %e ] && %s; } || act",
];
const COMPOUND: &[&str] = &[
    "if %c; then\n%lelif %s; then\n%lfi",
    "if ! %c; then\n%lelse\n%lfi",
    "for %n in %w %w; do\n%ldone",
    "for %n; do\n%ldone",
    "for %n in; do act; done",
    "for %n in %w; do [ %e ] || continue; %s; done",
    "for %n in %w %w; do [ %e ] && break; %s; done || :",
    "while false; do act; done",
    "while [ %e ]; do %s; break; done",
    "until [ %e ]; do %s; break; done",
    "until true; do act; done",
    "{\n%l}",
    "(\n%l)",
    "(%s) || %s",
    "%s | %s",
    "%s | { %s; }",
    "! %s",
    "! { %s; }",
    "%s && %s",
    "%s || %s",
    "%s && %s || %s",
    "%s & :",
    "{ %s && %s; } >/dev/null",
    "{ %s; } >out",
    "%f() {\n%l}\n%f %w",
    "%f() { local %n=%w; %s; }\n%f %w",
    "%f() { shift; [ %e ] || return 0; %c; }\n%f %w %w",
    "%f() { [ %e ]; }\nif %f %w; then %s; fi",
    "set -- %w %w\n[ %e ] || %s",
    "%n=%w\n[ \"$%n\" = %w ] || %s",
    "%n=%t\ncase $%n in %p) ;; *) %s;; esac",
    "if %c; then %n=%t; else %n=%t; fi\n[ \"$%n\" = %t ] && %s || :",
    "%n=install\n%f() { %n=%t; }\n( %f; )\n[ $%n = install ] || act",
    "if true; then %s; fi | %s",
    "case a in esac",
    "case %w in %p) %s;; %p) %s;; esac && %s",
];
