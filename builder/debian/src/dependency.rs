//! Relationship fields: `Depends`, `Pre-Depends`, `Conflicts`, `Breaks`, `Replaces`, `Provides` and their kin.
//!
//! <https://www.debian.org/doc/debian-policy/ch-relationships.html>. Binary packages carry no architecture restrictions
//! (`[arm64]`) and no build profiles (`<!nocheck>`), so both are refused.

use std::cmp::Ordering;
use std::fmt;

use crate::error::{Detail, Error, Result};
use crate::version::Version;

#[derive(Debug, thiserror::Error)]
#[error("relation {text:?}: {why}")]
struct Kind {
    text: String,
    why: &'static str,
}

/// How a version relates to the one named in a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<<`
    Earlier,
    /// `<=`, and the obsolete `<`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`, and the obsolete `>`
    LaterOrEqual,
    /// `>>`
    Later,
}

impl Operator {
    const SPELLINGS: [(&'static str, Operator); 7] = [
        ("<<", Operator::Earlier),
        ("<=", Operator::EarlierOrEqual),
        (">>", Operator::Later),
        (">=", Operator::LaterOrEqual),
        ("=", Operator::Equal),
        ("<", Operator::EarlierOrEqual),
        (">", Operator::LaterOrEqual),
    ];

    fn holds(self, order: Ordering) -> bool {
        match self {
            Operator::Earlier => order.is_lt(),
            Operator::EarlierOrEqual => order.is_le(),
            Operator::Equal => order.is_eq(),
            Operator::LaterOrEqual => order.is_ge(),
            Operator::Later => order.is_gt(),
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spelling = Operator::SPELLINGS.iter().find(|(_, operator)| operator == self);
        f.write_str(spelling.map_or("", |(text, _)| text))
    }
}

/// One package named by a relation, as in `perl:any (>= 5.36)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The real or virtual package.
    pub name: String,
    /// The architecture qualifier: `any`, `native`, or an architecture.
    pub qualifier: Option<String>,
    /// The condition on the version.
    pub version: Option<(Operator, Version)>,
}

impl Relation {
    /// Whether a package of this version satisfies the condition.
    pub fn admits(&self, version: &Version) -> bool {
        self.version.as_ref().is_none_or(|(operator, wanted)| operator.holds(version.cmp(wanted)))
    }

    /// Whether a `Provides` entry of this name satisfies it: an unversioned one does only if no version is asked for.
    pub fn admits_provided(&self, provided: &Relation) -> bool {
        self.name == provided.name
            && match (&self.version, &provided.version) {
                (None, _) => true,
                (Some(_), Some((_, version))) => self.admits(version),
                (Some(_), None) => false,
            }
    }

    fn parse(text: &str) -> Result<Self> {
        let fail = |why| Error::Malformed(Detail::new(Kind { text: text.to_owned(), why }));
        let text = text.trim();
        let name_end = text.find(|c: char| c.is_whitespace() || c == '(').unwrap_or(text.len());
        let (full_name, rest) = text.split_at(name_end);
        let (name, qualifier) = match full_name.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (full_name, None),
        };
        if !is_package_name(name) || qualifier.is_some_and(|text| !is_package_name(text)) {
            return Err(fail("not a package name"));
        }
        let version = match rest.trim() {
            "" => None,
            condition => {
                let inner = condition.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
                let inner = inner.ok_or_else(|| fail("expected a version in parentheses"))?.trim();
                let (operator, version) = Operator::SPELLINGS
                    .iter()
                    .find_map(|(spelling, operator)| Some((*operator, inner.strip_prefix(spelling)?)))
                    .unwrap_or((Operator::Equal, inner));
                Some((operator, version.trim().parse()?))
            }
        };
        Ok(Relation { name: name.to_owned(), qualifier: qualifier.map(str::to_owned), version })
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(qualifier) = &self.qualifier {
            write!(f, ":{qualifier}")?;
        }
        match &self.version {
            Some((operator, version)) => write!(f, " ({operator} {version})"),
            None => Ok(()),
        }
    }
}

/// One comma-separated entry: any of these will do, the first by preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// At least one.
    pub alternatives: Vec<Relation>,
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, alternative) in self.alternatives.iter().enumerate() {
            let separator = if index == 0 { "" } else { " | " };
            write!(f, "{separator}{alternative}")?;
        }
        Ok(())
    }
}

/// Reads a field with alternatives, as `Depends` and `Pre-Depends` are; an empty field gives an empty list.
///
/// # Errors
/// [`Error::Malformed`] if an entry is not a relation.
pub fn parse_dependencies(field: &str) -> Result<Vec<Dependency>> {
    let entries = field.split(',').filter(|entry| !entry.trim().is_empty());
    entries
        .map(|entry| {
            Ok(Dependency { alternatives: entry.split('|').map(Relation::parse).collect::<Result<_>>()? })
        })
        .collect()
}

/// Reads a field without alternatives, as `Conflicts`, `Breaks`, `Replaces` and `Provides` are.
///
/// # Errors
/// [`Error::Malformed`] if an entry is not a relation; a `|` is none.
pub fn parse_relations(field: &str) -> Result<Vec<Relation>> {
    field.split(',').filter(|entry| !entry.trim().is_empty()).map(Relation::parse).collect()
}

/// Letters, digits, `+`, `-`, `.`, at least one character, not starting with a sign; dpkg also lets `_` and upper case pass.
pub(crate) fn is_package_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_alternatives_versions_and_qualifiers() {
        let text = "libc6 (>= 2.36), perl:any | raku(<<2), debconf (>= 0.5) | debconf-2.0,";
        let written: Vec<String> =
            parse_dependencies(text).unwrap().iter().map(Dependency::to_string).collect();
        assert_eq!(written, ["libc6 (>= 2.36)", "perl:any | raku (<< 2)", "debconf (>= 0.5) | debconf-2.0"]);
    }

    #[test]
    fn operators_hold_as_policy_says() {
        let version: Version = "2".parse().unwrap();
        let admits = |text: &str| parse_relations(text).unwrap()[0].admits(&version);
        for (text, expected) in [
            ("a (<< 2)", false),
            ("a (<= 2)", true),
            ("a (= 2-0)", true),
            ("a (>= 2.1)", false),
            ("a (>> 1)", true),
            ("a (< 2)", true),
            ("a (> 2)", true),
            ("a (2)", true),
            ("a", true),
        ] {
            assert_eq!(admits(text), expected, "{text}");
        }
    }

    #[test]
    fn only_versioned_provides_satisfy_versioned_relations() {
        let relation = |text: &str| parse_relations(text).unwrap().remove(0);
        assert!(relation("mta").admits_provided(&relation("mta")));
        assert!(!relation("mta (>= 1)").admits_provided(&relation("mta")));
        assert!(relation("mta (>= 1)").admits_provided(&relation("mta (= 2)")));
        assert!(!relation("mta (>= 3)").admits_provided(&relation("mta (= 2)")));
    }

    #[test]
    fn refuses_what_binary_packages_may_not_say() {
        for text in
            ["a b", "a (", "a (>=)", "a [arm64]", "a <!nocheck>", "|", "a |", "-a", "a ()", "a: (= 1)"]
        {
            assert!(parse_dependencies(text).is_err(), "{text}");
        }
        assert!(parse_relations("a | b").is_err());
    }

    proptest! {
        #[test]
        fn foreign_text_never_panics(text in "[ -~|,()<>=:é]{0,40}") {
            let _ = parse_dependencies(&text);
        }
    }
}
