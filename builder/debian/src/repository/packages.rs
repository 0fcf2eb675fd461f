//! `Packages`: the packages of a repository.

use std::io::BufRead;

use super::{FileSum, stays_below};
use crate::control::{Paragraph, Paragraphs};
use crate::error::{Detail, Error, Result};
use crate::identity::Identity;

#[derive(Debug, thiserror::Error)]
#[error("Packages: {package}: {field} {value:?}")]
struct Kind {
    package: String,
    field: &'static str,
    value: String,
}

/// What the resolver needs to know of a package; the rest of a paragraph is dropped to keep a whole archive in memory.
const KEPT: [&str; 10] = [
    "Depends",
    "Pre-Depends",
    "Recommends",
    "Conflicts",
    "Breaks",
    "Replaces",
    "Provides",
    "Essential",
    "Priority",
    "Section",
];

/// A package that a repository offers.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Name, version, architecture.
    pub identity: Identity,
    /// Where it is, below the repository's address.
    pub filename: String,
    /// Size and sum of the `.deb`.
    pub sum: FileSum,
    /// Its relationship fields, priority and section.
    pub relations: Paragraph,
}

/// Streams the packages of an index, one paragraph in memory at a time.
///
/// Each item is an error where the index is broken: [`Error::Malformed`], or [`Error::Io`] from the reader. Read to the
/// end before anything is believed if the reader verifies at its end, as [`crate::Checked`] does.
pub fn read_packages(reader: impl BufRead) -> impl Iterator<Item = Result<Candidate>> {
    Paragraphs::new(reader).map(|paragraph| Candidate::decode(&paragraph?))
}

impl Candidate {
    fn decode(paragraph: &Paragraph) -> Result<Self> {
        let identity = Identity::from_paragraph(paragraph)?;
        let fail = |field, value: &str| {
            let kind = Kind { package: identity.name.clone(), field, value: value.to_owned() };
            Error::Malformed(Detail::new(kind))
        };
        let filename = paragraph.require("Filename")?;
        if !stays_below(filename) {
            return Err(fail("Filename", filename));
        }
        let size = paragraph.require("Size")?;
        let size = size.parse().map_err(|_| fail("Size", size))?;
        let sum = FileSum { size, sha256: paragraph.require("SHA256")?.parse()? };
        let mut relations = Paragraph::default();
        for field in KEPT {
            if let Some(value) = paragraph.get(field) {
                relations.set(field, value);
            }
        }
        Ok(Candidate { filename: filename.to_owned(), sum, relations, identity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;

    fn entry(filename: &str, size: &str) -> String {
        format!(
            "Package: a\nVersion: 1\nArchitecture: all\nDepends: b\nTag: x\nFilename: {filename}\nSize: {size}\nSHA256: {}\n\n",
            Sha256::of(b"")
        )
    }

    #[test]
    fn entries_keep_what_resolving_needs() {
        let text = entry("pool/a.deb", "7") + &entry("./b.deb", "8");
        let packages: Vec<Candidate> = read_packages(text.as_bytes()).collect::<Result<_>>().unwrap();
        assert_eq!(packages.len(), 2);
        assert_eq!(packages[0].relations.get("Depends"), Some("b"));
        assert_eq!(packages[0].relations.get("Tag"), None);
        assert_eq!(packages[0].sum, FileSum { size: 7, sha256: Sha256::of(b"") });
    }

    #[test]
    fn entries_cannot_point_elsewhere() {
        for (filename, size) in
            [("/etc/passwd", "1"), ("a/../../b", "1"), ("a b", "1"), ("a?b", "1"), ("a", "-1")]
        {
            assert!(
                read_packages(entry(filename, size).as_bytes()).next().unwrap().is_err(),
                "{filename} {size}"
            );
        }
    }
}
