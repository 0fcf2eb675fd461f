//! People, and machines, that may log in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Invalid;

/// Somebody who may log in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct User {
    /// Login name.
    pub name: String,
    /// Lines for `authorized_keys`.
    #[serde(default)]
    pub ssh_keys: Vec<String>,
    /// A password as crypt(5) writes it (`$y$…`, `$6$…`); without one, the password is locked.
    #[serde(default)]
    pub password_hash: Option<String>,
    /// Whether `sudo` works without a password.
    #[serde(default)]
    pub sudo: bool,
}

impl User {
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
            if !is_public_key(key) {
                let message = "no line for authorized_keys, such as `ssh-ed25519 AAAA… comment`";
                return Err(Invalid::new(format!("ssh-keys[{index}]"), message));
            }
        }
        if let Some(hash) = &self.password_hash
            && (!hash.starts_with('$') || hash.contains([':', '\n']))
        {
            let message = "give the hash that `mkpasswd` prints, never a password itself";
            return Err(Invalid::new("password-hash", message));
        }
        Ok(())
    }
}

/// A type and base64 data on one line, options before them allowed.
fn is_public_key(line: &str) -> bool {
    const TYPES: [&str; 3] = ["ssh-", "ecdsa-sha2-", "sk-"];
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let data = words.find(|word| TYPES.iter().any(|kind| word.starts_with(kind))).and_then(|_| words.next());
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    !line.contains(['\n', '\r', '\0']) && data.is_some_and(|data| data.len() > 32 && data.chars().all(base64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_must_be_public_keys_on_one_line() {
        let key = format!("ssh-ed25519 {} me@home", "A".repeat(68));
        assert!(is_public_key(&key));
        assert!(is_public_key(&format!("no-pty {key}")));
        assert!(!is_public_key("-----BEGIN OPENSSH PRIVATE KEY-----"));
        assert!(!is_public_key(&format!("{key}\nssh-ed25519 x")));
    }
}
