//! Whom sshd lets in: its settings, and the keys that are there.

use super::look::{Look, shown};
use crate::image::read::Error;

/// What sshd(8) goes by.
#[derive(Debug, Clone, Default)]
pub struct Ssh {
    /// Keywords, in small letters, with their values, in the order in which sshd reads them.
    settings: Vec<(String, String)>,
    /// The files of keys of root and of people.
    pub(crate) keys: Vec<String>,
}

impl Ssh {
    pub(super) fn of(root: Look<'_>) -> Result<Self, Error> {
        let mut settings = Vec::new();
        for (keyword, value) in global(&root.text("/etc/ssh/sshd_config")?.unwrap_or_default()) {
            if keyword != "include" {
                settings.push((keyword, value));
            } else if value == "/etc/ssh/sshd_config.d/*.conf" {
                for name in
                    root.names("/etc/ssh/sshd_config.d")?.iter().filter(|name| name.ends_with(".conf"))
                {
                    settings.extend(global(
                        &root.text(&format!("/etc/ssh/sshd_config.d/{name}"))?.unwrap_or_default(),
                    ));
                }
            }
        }
        let mut keys = Vec::new();
        for line in root.text("/etc/passwd")?.unwrap_or_default().lines() {
            let Some(home) = line.split(':').nth(5).filter(|home| home.len() > 1) else { continue };
            let path = format!("{home}/.ssh/authorized_keys");
            if root.text(&path)?.is_some_and(|text| !text.trim().is_empty()) && !keys.contains(&path) {
                keys.push(path);
            }
        }
        Ok(Self { settings, keys })
    }

    /// The value of `keyword`: sshd takes the first.
    pub(crate) fn value(&self, keyword: &'static str) -> Option<&str> {
        self.values(keyword).next()
    }

    /// All values of `keyword`, for those whose lines add up.
    pub(crate) fn values(&self, keyword: &'static str) -> impl Iterator<Item = &str> {
        self.settings.iter().filter(move |(name, _)| name == keyword).map(|(_, value)| value.as_str())
    }
}

/// The settings in `text` that hold for everybody: those before the first `Match`.
fn global(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let split = |line: &str| {
        let (keyword, value) = line.split_once([' ', '\t', '=']).unwrap_or((line, ""));
        (keyword.to_ascii_lowercase(), shown(value.trim_matches([' ', '\t', '=', '"'])))
    };
    lines.map(split).take_while(|(keyword, _)| keyword != "match").collect()
}
