//! Who sits here: the login name, and the keys that others know them by.

use std::{env, fs};

use imgforge_spec::{User, check_authorized_key};

/// The caller as a user of a node: their name, where a node can have it and it is not root's, and the public keys in `~/.ssh`, which
/// `ssh-keygen` calls `id_*.pub`.
pub(crate) fn caller() -> User {
    let named = |name: String| User {
        name,
        ssh_keys: own_keys(),
        ssh_key_files: Vec::new(),
        password_hash: None,
        sudo: true,
    };
    let names = ["USER", "LOGNAME"].into_iter().filter_map(|variable| env::var(variable).ok());
    let known = names.map(named).find(|user| user.name != "root" && user.check().is_ok());
    known.unwrap_or_else(|| named("ops".into()))
}

/// In the order of their files' names; what is no key is left out.
fn own_keys() -> Vec<String> {
    let Ok(home) = etcetera::home_dir() else { return Vec::new() };
    let entries = fs::read_dir(home.join(".ssh")).into_iter().flatten().flatten();
    let is_key = |name: &str| name.starts_with("id_") && name.ends_with(".pub");
    let mut files: Vec<_> = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_key)).collect();
    files.sort_by_key(fs::DirEntry::file_name);
    let texts = files.iter().filter_map(|file| fs::read_to_string(file.path()).ok());
    let lines = texts.filter_map(|text| Some(text.lines().next()?.trim().to_owned()));
    lines.filter(|line| check_authorized_key(line).is_ok()).collect()
}
