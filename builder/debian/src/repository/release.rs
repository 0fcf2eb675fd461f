//! `Release`: what a repository offers, with the sums of its indexes.
//!
//! <https://wiki.debian.org/DebianRepository/Format#A.22Release.22_files>

use std::collections::BTreeMap;

use super::date;
use crate::control::Paragraph;
use crate::digest::Sha256;
use crate::error::{Detail, Error, Result};

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("Release: {field} {value:?} is no date")]
    Date { field: &'static str, value: String },
    #[error("Release: {0:?} in the list of sums")]
    Sum(String),
    #[error("Release: no SHA256 sums")]
    NoSums,
    #[error("Release is valid until {valid_until}; the time is {now} (seconds since 1970)")]
    Expired { valid_until: u64, now: u64 },
    #[error("Release is of {date}, which is after {now} (seconds since 1970)")]
    Early { date: u64, now: u64 },
}

/// The size and sum of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSum {
    /// Bytes.
    pub size: u64,
    /// Its sum.
    pub sha256: Sha256,
}

/// A `Release` file. It says nothing of who wrote it: only text that a trusted key signed may become one.
#[derive(Clone, Debug)]
pub struct Release {
    /// All fields.
    pub paragraph: Paragraph,
    /// When it was made (seconds since 1970).
    pub date: Option<u64>,
    /// When to stop using it (seconds since 1970).
    pub valid_until: Option<u64>,
    files: BTreeMap<String, FileSum>,
}

impl Release {
    /// Reads the signed text.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is not a `Release` file with SHA-256 sums.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let paragraph = Paragraph::parse(text)?;
        let date_of = |field: &'static str| {
            let parse = |value: &str| {
                date::parse(value).ok_or_else(|| malformed(Kind::Date { field, value: value.to_owned() }))
            };
            paragraph.get(field).map(parse).transpose()
        };
        let (date, valid_until) = (date_of("Date")?, date_of("Valid-Until")?);
        let sums = paragraph.get("SHA256").ok_or_else(|| malformed(Kind::NoSums))?;
        let files =
            sums.lines().filter(|line| !line.trim().is_empty()).map(parse_sum).collect::<Result<_>>()?;
        Ok(Release { date, valid_until, files, paragraph })
    }

    /// Checks that it is in force at `now` (seconds since 1970). To accept an old release, pass the time it was made.
    ///
    /// # Errors
    /// [`Error::Untrusted`] if it is no longer or not yet valid.
    pub fn check_time(&self, now: u64) -> Result<()> {
        let kind = match (self.valid_until, self.date) {
            (Some(valid_until), _) if valid_until < now => Kind::Expired { valid_until, now },
            (_, Some(date)) if date > now => Kind::Early { date, now },
            _ => return Ok(()),
        };
        Err(Error::Untrusted(Detail::new(kind)))
    }

    /// The sum of an index, by its path beside the `Release` file.
    pub fn file(&self, path: &str) -> Option<FileSum> {
        self.files.get(path).copied()
    }

    /// Whether indexes can be had under their sum, which stays true while the mirror changes.
    pub fn acquire_by_hash(&self) -> bool {
        self.paragraph.get("Acquire-By-Hash") == Some("yes")
    }

    /// The words of a field such as `Architectures` or `Components`.
    pub fn words(&self, field: &str) -> impl Iterator<Item = &str> {
        self.paragraph.get(field).unwrap_or_default().split_whitespace()
    }
}

/// ` SUM SIZE PATH`
fn parse_sum(line: &str) -> Result<(String, FileSum)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let fail = || malformed(Kind::Sum(line.to_owned()));
    match words.as_slice() {
        [sum, size, path] => {
            let size = size.parse().map_err(|_| fail())?;
            Ok(((*path).to_owned(), FileSum { size, sha256: sum.parse()? }))
        }
        _ => Err(fail()),
    }
}

fn malformed(kind: Kind) -> Error {
    Error::Malformed(Detail::new(kind))
}
