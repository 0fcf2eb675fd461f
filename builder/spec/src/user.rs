//! People, and machines, that may log in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Invalid, KeySource, check_authorized_key};

/// Somebody who may log in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct User {
    /// Login name.
    pub name: String,
    /// Lines for `authorized_keys`, and where such lines are published: `gh:octocat`, `https://home.example/ops.keys`.
    #[serde(default)]
    pub ssh_keys: Vec<String>,
    /// Files with such lines, from the settings file's folder on; `~/` is the home of whoever builds.
    #[serde(default)]
    pub ssh_key_files: Vec<String>,
    /// A password as crypt(5) writes it (`$y$…`, `$6$…`); without one, the password is locked.
    #[serde(default)]
    pub password_hash: Option<String>,
    /// Whether `sudo` works without a password.
    #[serde(default)]
    pub sudo: bool,
}

/// Whether crypt(5) of Debian's libxcrypt reads it: `$METHOD$` of one it has, what that wants, and the hash. Anything else lets
/// nobody in, and says so nowhere.
fn is_hash(text: &str) -> bool {
    /// Digits of a hash, of each method.
    const LENGTHS: [(&str, usize); 10] = [
        ("y", 43),
        ("gy", 43),
        ("7", 43),
        ("2b", 53),
        ("2a", 53),
        ("2x", 53),
        ("2y", 53),
        ("6", 86),
        ("5", 43),
        ("1", 22),
    ];
    let mut parts = text.split('$');
    let begins_well = parts.next() == Some("");
    let method = parts.next().unwrap_or_default();
    let length = LENGTHS.iter().find(|(known, _)| *known == method).map(|(_, length)| *length);
    let rest: Vec<_> = parts.collect();
    let is_written =
        |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'/' | b'=' | b',' | b'-' | b'_' | b'$');
    let is_whole = length.is_some() && rest.last().map(|hash| hash.len()) == length;
    begins_well
        && is_whole
        && rest.len() >= 2
        && rest.iter().all(|part| !part.is_empty())
        && text.bytes().all(is_written)
}

impl User {
    /// Where those of its keys are published that do not stand in the settings.
    pub fn key_sources(&self) -> impl Iterator<Item = KeySource> {
        self.ssh_keys.iter().filter_map(|key| KeySource::of(key)?.ok())
    }

    /// Whether every value works on a node; an error names the setting of the user.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut characters = self.name.chars();
        let starts_well = characters.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
        let goes_on_well =
            characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
        if !starts_well || !goes_on_well || self.name.len() > 32 {
            let message = format!("`{}` is no login name: a-z, 0-9, `_`, `-`, at most 32", self.name);
            return Err(Invalid::new("name", message));
        }
        for (index, key) in self.ssh_keys.iter().enumerate() {
            let checked = match KeySource::of(key) {
                Some(source) => source.map(drop),
                None => check_authorized_key(key).map_err(|error| error.to_string()),
            };
            checked.map_err(|message| Invalid::new(format!("ssh-keys[{index}]"), message))?;
        }
        if let Some(hash) = &self.password_hash
            && !is_hash(hash)
        {
            let message = "give the hash that `imgforge password` prints, never a password itself";
            return Err(Invalid::new("password-hash", message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_one_that_crypt_reads() {
        for (good, length) in [
            ("$y$j9T$salt$", 43),
            ("$7$salt$", 43),
            ("$6$salt$", 86),
            ("$6$rounds=5000$salt$", 86),
            ("$5$salt$", 43),
            ("$2b$10$", 53),
            ("$1$salt$", 22),
        ] {
            let of = |digits: usize| format!("{good}{}", "x".repeat(digits));
            assert!(is_hash(&of(length)), "{good}");
            assert!(!is_hash(&of(length - 1)) && !is_hash(&of(length + 1)), "{good}");
        }
        for bad in [
            "",
            "$",
            "$$",
            "$6$x",
            "$6$$hash",
            "$argon2id$v=19$m=1$salt$hash",
            "$6$salt$hash ",
            "$6$sa lt$hash",
            "secret",
        ] {
            assert!(!is_hash(bad), "{bad}");
        }
    }
}
