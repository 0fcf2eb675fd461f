//! Scripts that run once, in a node's first boot.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Invalid;

/// A script that runs once, in the first boot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunOnce {
    /// What it is called on the node and in messages: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// The script itself, from `#!` on.
    #[serde(default)]
    pub script: Option<String>,
    /// Or a file that holds it, from the settings file's folder on.
    #[serde(default)]
    pub file: Option<String>,
    /// What `file` holds, once somebody has read it.
    #[serde(skip)]
    pub content: Option<String>,
}

/// Longest name, in bytes: with its number before it, it is a file's name.
const LONGEST_NAME: usize = 64;

impl RunOnce {
    /// The script; `None` where it is in a file that nobody has read yet.
    pub fn text(&self) -> Option<&str> {
        self.script.as_deref().or(self.content.as_deref())
    }

    /// What runs it, as its first line says ([`interpreter`]).
    pub fn interpreter(&self) -> Option<&str> {
        interpreter(self.text()?)
    }

    /// Whether the node can be told to run it; whether its interpreter is there shows when it is planned.
    pub fn check(&self) -> Result<(), Invalid> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let begins_well = self.name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !begins_well || !self.name.chars().all(fits) || self.name.len() > LONGEST_NAME {
            let message = format!(
                "`{}` is no name: give at most {LONGEST_NAME} letters, digits, `.`, `_` and `-`, a letter or digit first",
                self.name.escape_debug()
            );
            return Err(Invalid::new("name", message));
        }
        let setting = match (&self.script, &self.file) {
            (Some(_), None) => "script",
            (None, Some(_)) => "file",
            (Some(_), Some(_)) => {
                return Err(Invalid::new("file", "there is a `script` already; give one of both"));
            }
            (None, None) => {
                let message = "there is neither a `script` nor a `file`; after `script:` a `#` begins a comment unless there is a quote or `|` before it";
                return Err(Invalid::new("script", message));
            }
        };
        self.text().map_or(Ok(()), check_script).map_err(|message| match &self.file {
            Some(file) => Invalid::new(setting, format!("{file}: {message}")),
            None => Invalid::new(setting, message),
        })
    }
}

/// What runs a script of this text, as its first line says: a path, or the name that `env` looks for. `None` where it says
/// nothing.
///
/// The rest of the line is the interpreter's one argument (execve(2)).
pub fn interpreter(text: &str) -> Option<&str> {
    let mut words = text.lines().next()?.strip_prefix("#!")?.split_whitespace();
    let program = words.next()?;
    match program.ends_with("/env") {
        true => words.find(|word| !word.starts_with('-') && !word.contains('=')),
        false => Some(program),
    }
}

/// Whether the kernel can start a script of this text; the message says why not.
pub fn check_script(text: &str) -> Result<(), String> {
    let Some(line) = text.split('\n').next().and_then(|line| line.strip_prefix("#!")) else {
        return Err("a script begins with `#!` and what runs it, such as `#!/bin/sh`".into());
    };
    if line.ends_with('\r') {
        return Err(
            "its lines end with CR LF, and no interpreter has a CR in its name; save it with LF".into()
        );
    }
    let program = line.split_whitespace().next().unwrap_or_default();
    if !program.starts_with('/') {
        let message = "is no absolute path; give one, or `#!/usr/bin/env` and the name";
        return Err(format!("`{}` in its first line {message}", program.escape_debug()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> RunOnce {
        RunOnce { name: "nas".into(), script: Some(text.into()), ..RunOnce::default() }
    }

    fn said(script: &RunOnce) -> String {
        script.check().unwrap_err().to_string()
    }

    #[test]
    fn a_name_is_a_files_name() {
        let named = |name: &str| RunOnce { name: name.into(), ..of("#!/bin/sh\n") };
        for name in ["nas", "0", "Set-up_2.sh", &"a".repeat(64)] {
            assert_eq!(named(name).check(), Ok(()), "{name}");
        }
        for name in ["", "a/b", "..", "-x", ".x", "a b", "ä", "a\n", &"a".repeat(65)] {
            let message = said(&named(name));
            let wanted =
                format!("name: `{}` is no name: give at most 64 letters, digits", name.escape_debug());
            assert!(message.starts_with(&wanted), "{message}");
        }
    }

    #[test]
    fn there_is_one_script() {
        let neither = RunOnce { script: None, ..of("") };
        assert!(said(&neither).starts_with("script: there is neither a `script` nor a `file`"));
        let both = RunOnce { file: Some("nas.sh".into()), ..of("#!/bin/sh\n") };
        assert_eq!(said(&both), "file: there is a `script` already; give one of both");
        let unread = RunOnce { file: Some("nas.sh".into()), ..neither };
        assert_eq!((unread.check(), unread.text()), (Ok(()), None));
    }

    #[test]
    fn a_script_says_what_runs_it() {
        for text in ["", "echo hello\n", " #!/bin/sh\n", "\u{feff}#!/bin/sh\n"] {
            assert_eq!(
                said(&of(text)),
                "script: a script begins with `#!` and what runs it, such as `#!/bin/sh`"
            );
        }
        assert_eq!(
            said(&of("#!python3\n")),
            "script: `python3` in its first line is no absolute path; give one, or `#!/usr/bin/env` and the name"
        );
        let windows = RunOnce {
            file: Some("nas.sh".into()),
            content: Some("#!/bin/sh\r\n".into()),
            script: None,
            ..of("")
        };
        assert_eq!(
            said(&windows),
            "file: nas.sh: its lines end with CR LF, and no interpreter has a CR in its name; save it with LF"
        );
    }

    #[test]
    fn the_interpreter_is_the_one_that_env_finds() {
        for (line, interpreter) in [
            ("#!/bin/sh", Some("/bin/sh")),
            ("#! /bin/bash -e", Some("/bin/bash")),
            ("#!/usr/bin/env python3", Some("python3")),
            ("#!/usr/bin/env -S LC_ALL=C perl -w", Some("perl")),
            ("#!/usr/bin/env", None),
        ] {
            assert_eq!(of(&format!("{line}\nx\n")).interpreter(), interpreter, "{line}");
        }
    }
}
