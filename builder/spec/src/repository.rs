//! Package repositories that people add.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Invalid;

/// A repository of Debian packages, besides those that the base knows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Repository {
    /// What it is called on the node: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// Its address: `https://packages.home.example/debian`.
    pub uri: String,
    /// Suite or codename; unset: the repository is flat, everything lies in one directory.
    #[serde(default)]
    pub suite: Option<String>,
    /// Components of the suite: `[main]`.
    #[serde(default)]
    pub components: Vec<String>,
    /// The key that signs it, as apt has it: a file, from the settings file's folder on, or the armoured key itself.
    pub signed_by: String,
    /// The key, once somebody has read it.
    #[serde(skip)]
    pub key: Option<Arc<[u8]>>,
}

/// How an armoured key begins (RFC 9580, 6.2).
const ARMOURED: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

impl Repository {
    /// The file that holds its key, if the key does not stand in the settings.
    pub fn key_file(&self) -> Option<&str> {
        (!self.is_inline()).then_some(self.signed_by.as_str())
    }

    /// Its key; `None` where that is in a file that nobody has read yet.
    pub fn key(&self) -> Option<&[u8]> {
        if self.is_inline() { Some(self.signed_by.as_bytes()) } else { self.key.as_deref() }
    }

    fn is_inline(&self) -> bool {
        self.signed_by.trim_start().starts_with(ARMOURED)
    }

    /// Whether its key is text, not binary: apt tells by the file's ending.
    pub fn is_armoured(&self) -> bool {
        self.key().is_some_and(|key| key.trim_ascii_start().starts_with(ARMOURED.as_bytes()))
    }

    /// Whether every value can stand in a source list (sources.list(5)).
    pub fn check(&self) -> Result<(), Invalid> {
        let is_word = |word: &str, others: &str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
        };
        if !is_word(&self.name, "._-") || !self.name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            let message =
                format!("`{}` is no name of letters, digits, `.`, `_` and `-`", self.name.escape_debug());
            return Err(Invalid::new("name", message));
        }
        let host = self.uri.strip_prefix("https://").or_else(|| self.uri.strip_prefix("http://"));
        let is_printable = |c: char| matches!(c, '!'..='~');
        if !host
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(is_printable))
        {
            let message =
                format!("`{}` is no address that begins with https:// or http://", self.uri.escape_debug());
            return Err(Invalid::new("uri", message));
        }
        if host.and_then(|rest| rest.split('/').next()).is_some_and(|host| host.contains('@')) {
            return Err(Invalid::new("uri", "a name or password in it would be readable for everybody"));
        }
        if let Some(suite) =
            self.suite.as_ref().filter(|suite| !is_word(suite, "._-+~/") || suite.ends_with('/'))
        {
            let message =
                format!("`{}` is no suite, such as trixie; a flat repository has none", suite.escape_debug());
            return Err(Invalid::new("suite", message));
        }
        if self.suite.is_some() == self.components.is_empty() {
            let message = match self.suite {
                Some(_) => "a suite has components, such as `[main]`",
                None => "a flat repository has no components; give `suite` as well",
            };
            return Err(Invalid::new("components", message));
        }
        let bad = self.components.iter().enumerate().find(|(_, component)| !is_word(component, "._-+/"));
        bad.map_or(Ok(()), |(index, component)| {
            let message = format!("`{}` is no component, such as main", component.escape_debug());
            Err(Invalid::new(format!("components[{index}]"), message))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(more: &str) -> Repository {
        let yaml = format!(
            r#"{{"name": "home", "uri": "https://p.example/debian", "signed-by": "home.asc"{more}}}"#
        );
        serde_json::from_str(&yaml).unwrap()
    }

    #[test]
    fn it_has_a_suite_with_components_or_is_flat() {
        for (more, said) in [
            (r#", "suite": "trixie", "components": ["main"]"#, None),
            ("", None),
            (r#", "suite": "trixie""#, Some("components: a suite has components, such as `[main]`")),
            (
                r#", "components": ["main"]"#,
                Some("components: a flat repository has no components; give `suite` as well"),
            ),
            (
                r#", "suite": "./""#,
                Some("suite: `./` is no suite, such as trixie; a flat repository has none"),
            ),
            (
                r#", "suite": "a", "components": ["a\nb"]"#,
                Some("components[0]: `a\\nb` is no component, such as main"),
            ),
        ] {
            let error = of(more).check().err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), said, "{more}");
        }
    }

    #[test]
    fn its_address_is_one_that_everybody_may_read() {
        let at =
            |uri: &str| Repository { uri: uri.into(), ..of("") }.check().map_err(|error| error.to_string());
        assert_eq!(at("http://nas:8080/x"), Ok(()));
        for uri in ["", "ftp://x", "https://", "https:///x", "https://x y", "https://x\n"] {
            assert!(at(uri).is_err(), "{uri:?}");
        }
        assert_eq!(
            at("https://me:pw@x/").unwrap_err(),
            "uri: a name or password in it would be readable for everybody"
        );
    }

    #[test]
    fn its_key_is_a_file_or_stands_there() {
        let file = of("");
        assert_eq!((file.key_file(), file.key()), (Some("home.asc"), None));
        let inline = Repository { signed_by: format!("{ARMOURED}\n\nx\n"), ..of("") };
        assert_eq!((inline.key_file(), inline.is_armoured()), (None, true));
        let binary = Repository { key: Some(b"\x99\x01".to_vec().into()), ..of("") };
        assert!(!binary.is_armoured() && binary.key().is_some());
    }
}
