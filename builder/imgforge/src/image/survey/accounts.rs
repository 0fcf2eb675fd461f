//! Accounts into which a password lets.

use std::collections::BTreeMap;

use super::look::{Look, shown};
use crate::image::read::Error;

/// An account into which a password lets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// Whether no password at all is asked for.
    pub(crate) is_open: bool,
}

/// The accounts that have a password and a shell, in the order of passwd(5).
pub(crate) fn with_passwords(root: Look<'_>) -> Result<Vec<Account>, Error> {
    let passwd = root.text("/etc/passwd")?.unwrap_or_default();
    let shadow = root.text("/etc/shadow")?.unwrap_or_default();
    let mut of_shadow: BTreeMap<&str, &str> = BTreeMap::new();
    for line in shadow.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(password)) = (fields.next(), fields.next()) {
            // The first line of a name is the one that counts.
            of_shadow.entry(name).or_insert(password);
        }
    }
    let account = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let &[name, password, _, _, _, _, shell] = fields.as_slice() else { return None };
        let password = if password == "x" { of_shadow.get(name)? } else { password };
        // shadow(5): what is no result of crypt(3) lets nobody in, and `!` before one locks it.
        let lets_in = password.is_empty() || password.starts_with('$') || is_traditional(password);
        let has_shell = !shell.ends_with("/nologin") && !shell.ends_with("/false");
        let is_open = password.is_empty();
        (lets_in && has_shell).then(|| Account { name: shown(name), is_open })
    };
    Ok(passwd.lines().filter_map(account).collect())
}

/// What crypt(3) made of passwords at first: 13 letters, digits, `.` and `/`.
fn is_traditional(password: &str) -> bool {
    password.len() == 13 && password.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'/'))
}
