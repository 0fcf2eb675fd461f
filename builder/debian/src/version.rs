//! Debian version numbers and their order.
//!
//! <https://www.debian.org/doc/debian-policy/ch-controlfields.html#version>: `[epoch:]upstream[-revision]`, compared part
//! by part, each part as alternating runs of non-digits and digits.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::error::{Detail, Error};

#[derive(Debug, thiserror::Error)]
#[error("version {text:?}: {why}")]
struct Kind {
    text: String,
    why: &'static str,
}

/// A package version, ordered as `dpkg --compare-versions` orders it.
///
/// `1.0` and `1.0-0` are equal in that order, so `==` may hold for versions of different spelling.
///
/// ```
/// use imgforge_debian::Version;
/// let parse = |text: &str| text.parse::<Version>();
/// assert!(parse("1.0~rc1-1")? < parse("1.0-1")?);
/// assert!(parse("1:0.1")? > parse("9.9")?);
/// # Ok::<(), imgforge_debian::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Version {
    text: String,
    epoch: u32,
    upstream: (usize, usize),
}

impl Version {
    /// The version as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn upstream(&self) -> &[u8] {
        self.text.as_bytes().get(self.upstream.0..self.upstream.1).unwrap_or_default()
    }

    fn revision(&self) -> &[u8] {
        self.text.as_bytes().get(self.upstream.1 + 1..).unwrap_or_default()
    }
}

impl FromStr for Version {
    type Err = Error;

    /// # Errors
    /// [`Error::Malformed`] for what `dpkg` refuses in a control file.
    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = |why| Error::Malformed(Detail::new(Kind { text: text.to_owned(), why }));
        let (epoch, start) = match text.find(':') {
            Some(colon) => {
                let digits = text.get(..colon).unwrap_or_default();
                let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                let epoch = digits.parse::<i32>().ok().filter(|_| numeric);
                (epoch.ok_or_else(|| fail("epoch is not a number below 2^31"))?.unsigned_abs(), colon + 1)
            }
            None => (0, 0),
        };
        let rest = text.get(start..).unwrap_or_default();
        let end = rest.rfind('-').unwrap_or(rest.len());
        let version = Version { text: text.to_owned(), epoch, upstream: (start, start + end) };
        let allowed =
            |extra: &'static [u8]| move |byte: &u8| byte.is_ascii_alphanumeric() || extra.contains(byte);
        if !version.upstream().first().is_some_and(u8::is_ascii_digit) {
            Err(fail("upstream part does not start with a digit"))
        } else if !version.upstream().iter().all(allowed(b".-+~:")) {
            Err(fail("invalid character in the upstream part"))
        } else if end < rest.len() && version.revision().is_empty() {
            Err(fail("revision is empty"))
        } else if !version.revision().iter().all(allowed(b".+~")) {
            Err(fail("invalid character in the revision"))
        } else {
            Ok(version)
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_part(self.upstream(), other.upstream()))
            .then_with(|| compare_part(self.revision(), other.revision()))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

/// Compares runs of non-digits by [`weight`], then runs of digits by value, until both are used up.
fn compare_part(mut left: &[u8], mut right: &[u8]) -> Ordering {
    while !(left.is_empty() && right.is_empty()) {
        let (left_text, left_rest) = split_run(left, |byte| !byte.is_ascii_digit());
        let (right_text, right_rest) = split_run(right, |byte| !byte.is_ascii_digit());
        let (left_digits, left_rest) = split_run(left_rest, u8::is_ascii_digit);
        let (right_digits, right_rest) = split_run(right_rest, u8::is_ascii_digit);
        let order =
            compare_text(left_text, right_text).then_with(|| compare_number(left_digits, right_digits));
        if order.is_ne() {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

fn split_run(bytes: &[u8], belongs: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|byte| !belongs(byte)).unwrap_or(bytes.len()))
}

fn compare_text(left: &[u8], right: &[u8]) -> Ordering {
    let weight_at = |text: &[u8], index| text.get(index).map_or(0, |&byte| weight(byte));
    (0..left.len().max(right.len()))
        .map(|index| weight_at(left, index).cmp(&weight_at(right, index)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// A tilde sorts before the end of the part (0), letters before all other characters.
fn weight(byte: u8) -> i32 {
    match byte {
        b'~' => -1,
        byte if byte.is_ascii_alphabetic() => i32::from(byte),
        byte => i32::from(byte) + 256,
    }
}

/// Compares decimal numbers of any length.
fn compare_number(left: &[u8], right: &[u8]) -> Ordering {
    let (_, left) = split_run(left, |&byte| byte == b'0');
    let (_, right) = split_run(right, |&byte| byte == b'0');
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn orders_the_policy_examples() {
        let ascending =
            ["0~~", "0~~a", "0~", "0", "0a", "0+", "1.0~rc1-1", "1.0-1", "1.0-1+b1", "1.10-1", "1:0.1"];
        for pair in ascending.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn an_absent_revision_equals_revision_zero() {
        assert_eq!(version("1.0"), version("1.0-0"));
        assert_eq!(version("1.0"), version("0:1.00"));
    }

    #[test]
    fn refuses_what_dpkg_refuses() {
        for text in [
            "",
            ":1",
            "a:1",
            "-1:1",
            "+1:1",
            "a1",
            "1-",
            "1:",
            "1_2",
            "1.0-1_2",
            "1 2",
            "4294967296:1",
            "1-é",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
    }

    /// The sign of `left` against `right` as dpkg itself sees it.
    fn dpkg_order(left: &str, right: &str) -> Ordering {
        let holds = |relation| {
            let arguments = ["--compare-versions", left, relation, right];
            std::process::Command::new("dpkg").args(arguments).status().unwrap().success()
        };
        if holds("lt") {
            Ordering::Less
        } else if holds("eq") {
            Ordering::Equal
        } else {
            Ordering::Greater
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        #[test]
        fn agrees_with_dpkg(
            left in "([0-2]:)?[0-2][01a.~+-]{0,5}[0-9a]", right in "([0-2]:)?[0-2][01a.~+-]{0,5}[0-9a]"
        ) {
            prop_assert_eq!(version(&left).cmp(&version(&right)), dpkg_order(&left, &right));
        }

        #[test]
        fn never_panics_and_keeps_the_text(text in "\\PC{0,12}") {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.as_str(), text);
            }
        }
    }
}
