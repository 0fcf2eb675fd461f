//! Public keys where their owners publish them.

/// Somebody's keys, by their place at a forge, as ssh-import-id(1) writes it (`gh:octocat`), or by their address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeySource {
    name: String,
    url: String,
}

/// Forges that publish the keys of those who have an account: prefix, and what is around the name in the address.
const FORGES: [(&str, &str, &str); 3] = [
    ("gh:", "https://github.com/", ".keys"),
    ("gl:", "https://gitlab.com/", ".keys"),
    ("lp:", "https://launchpad.net/~", "/+sshkeys"),
];

impl KeySource {
    /// The source that `text` names, or why it names none; `None` where it is something else, such as a key.
    pub fn of(text: &str) -> Option<Result<Self, String>> {
        if text.starts_with("https://") {
            return Some(Self::of_address(text));
        }
        if text.starts_with("http://") {
            return Some(Err(format!(
                "{text}: on the way from there anybody could put a key of their own in; give an address that begins with https://"
            )));
        }
        let (prefix, before, after) = FORGES.into_iter().find(|(prefix, ..)| text.starts_with(prefix))?;
        let account = text.strip_prefix(prefix)?;
        let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if account.is_empty()
            || account.len() > 255
            || !account.chars().all(is_good)
            || account.starts_with(['.', '-'])
        {
            return Some(Err(format!("`{}` is no name of an account", account.escape_debug())));
        }
        Some(Ok(Self { name: text.to_owned(), url: format!("{before}{account}{after}") }))
    }

    fn of_address(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("https://").unwrap_or_default();
        let host = rest.split('/').next().unwrap_or_default();
        if host.is_empty() || !rest.chars().all(|c| matches!(c, '!'..='~')) {
            return Err(format!("`{}` is no address", text.escape_debug()));
        }
        if host.contains('@') {
            return Err("a name or password in the address would be readable in the lock".to_owned());
        }
        Ok(Self { name: text.to_owned(), url: text.to_owned() })
    }

    /// What it is called in settings and lock.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the keys are, a line for `authorized_keys` each.
    pub fn url(&self) -> &str {
        &self.url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_addresses_are_sources_and_keys_are_not() {
        let url = |text: &str| KeySource::of(text).map(|source| source.map(|source| source.url));
        for (text, at) in [
            ("gh:octocat", "https://github.com/octocat.keys"),
            ("gl:a.b_c", "https://gitlab.com/a.b_c.keys"),
            ("lp:kirkland", "https://launchpad.net/~kirkland/+sshkeys"),
            ("https://home.example/ops.keys", "https://home.example/ops.keys"),
        ] {
            assert_eq!(url(text), Some(Ok(at.to_owned())));
        }
        for key in ["ssh-ed25519 AAAA gh:octocat", "from=\"*\" ssh-rsa AAAA", "", "gh", "xy:octocat"] {
            assert_eq!(url(key), None, "{key}");
        }
    }

    #[test]
    fn what_names_no_source_says_why() {
        let problem = |text: &str| KeySource::of(text).unwrap().unwrap_err();
        assert_eq!(problem("gh:"), "`` is no name of an account");
        assert_eq!(problem("gh:../x"), "`../x` is no name of an account");
        assert_eq!(problem("https:///x"), "`https:///x` is no address");
        assert_eq!(problem("https://a b"), "`https://a b` is no address");
        assert!(problem("https://me:pw@x/").contains("readable in the lock"));
        assert!(problem("http://x/ops.keys").contains("give an address that begins with https://"));
    }
}
