//! Values that can be read and cannot be used.

use std::fmt;

/// A setting with a value that would not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {message}")]
pub struct Invalid {
    /// The setting, by its path in what was checked: `ssh-keys[0]`; empty where all of that is meant.
    pub setting: String,
    /// What is wrong, and what is right.
    pub message: String,
}

impl Invalid {
    /// The value of `setting` does not work, as `message` says.
    pub fn new(setting: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { setting: setting.into(), message: message.to_string() }
    }

    /// The same, seen from whatever has what was checked at the path `above`.
    pub fn below(self, above: &str) -> Self {
        if self.setting.is_empty() {
            return Self { setting: above.to_owned(), ..self };
        }
        Self { setting: format!("{above}.{}", self.setting), ..self }
    }
}
