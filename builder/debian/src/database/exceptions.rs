//! The administrator's exceptions: `diversions` and `statoverride`.
//!
//! <https://manpages.debian.org/bookworm/dpkg/dpkg-divert.1> and dpkg-statoverride(1); both files are line-based.

use super::Kind;
use crate::error::Result;

/// Three lines: the contested path, where it goes instead, and the package that may still use the contested path.
#[derive(Clone, PartialEq, Eq)]
pub struct Diversion {
    /// The contested path.
    pub from: Vec<u8>,
    /// Where other packages' files go.
    pub to: Vec<u8>,
    /// `None` for a local diversion, written `:`, which holds for every package.
    pub package: Option<String>,
}

impl Diversion {
    pub(super) fn decode(text: &[u8]) -> Result<Vec<Self>> {
        let lines: Vec<&[u8]> =
            text.strip_suffix(b"\n").unwrap_or(text).split(|&byte| byte == b'\n').collect();
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let decode_lines = |lines: &[&[u8]]| match lines {
            [from, to, package] if from.starts_with(b"/") && to.starts_with(b"/") => {
                let package = String::from_utf8_lossy(package).into_owned();
                let package = Some(package).filter(|package| package != ":");
                Ok(Diversion { from: from.to_vec(), to: to.to_vec(), package })
            }
            _ => Err(Kind::Diversion(String::from_utf8_lossy(&lines.concat()).into_owned()).into()),
        };
        lines.chunks(3).map(decode_lines).collect()
    }

    pub(super) fn encode(diversions: &[Self]) -> Vec<u8> {
        let lines = |diversion: &Self| {
            let package = diversion.package.as_deref().unwrap_or(":");
            [diversion.from.as_slice(), &diversion.to, package.as_bytes(), b""].join(&b'\n')
        };
        diversions.iter().flat_map(lines).collect()
    }
}

impl std::fmt::Debug for Diversion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [from, to] = [&self.from, &self.to].map(|path| String::from_utf8_lossy(path));
        write!(f, "{from} to {to} by {}", self.package.as_deref().unwrap_or(":"))
    }
}

/// `USER GROUP MODE PATH`: owner and mode that win over the package's. A user or group is a name or `#NUMBER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatOverride {
    pub(crate) user: String,
    pub(crate) group: String,
    pub(crate) mode: u32,
    pub(crate) path: Vec<u8>,
}

impl StatOverride {
    pub(super) fn decode(text: &[u8]) -> Result<Vec<Self>> {
        let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let decode_line = |line: &[u8]| {
            let words: Vec<&[u8]> = line.splitn(4, |&byte| byte == b' ').collect();
            let word = |index: usize| {
                words.get(index).and_then(|word| std::str::from_utf8(word).ok()).map(str::to_owned)
            };
            let decode = || {
                let path = words.get(3).filter(|path| path.starts_with(b"/"))?;
                let mode = u32::from_str_radix(&word(2)?, 8).ok()?;
                Some(StatOverride { user: word(0)?, group: word(1)?, mode, path: path.to_vec() })
            };
            decode().ok_or_else(|| Kind::StatOverride(String::from_utf8_lossy(line).into_owned()).into())
        };
        lines.map(decode_line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diversions_come_in_threes() {
        let diversions = Diversion::decode(b"/bin/sh\n/bin/sh.distrib\ndash\n/a\n/b\n:\n").unwrap();
        assert_eq!(diversions[0].package.as_deref(), Some("dash"));
        assert_eq!((diversions[1].from.as_slice(), &diversions[1].package), (&b"/a"[..], &None));
        assert_eq!(Diversion::encode(&diversions), b"/bin/sh\n/bin/sh.distrib\ndash\n/a\n/b\n:\n");
        assert!(Diversion::decode(b"/a\n/b\n").is_err());
        assert!(Diversion::decode(b"").unwrap().is_empty());
    }

    #[test]
    fn overrides_name_owner_mode_and_path() {
        let overrides = StatOverride::decode(b"root #42 4750 /usr/bin/a b\n").unwrap();
        assert_eq!((overrides[0].mode, overrides[0].path.as_slice()), (0o4750, &b"/usr/bin/a b"[..]));
        assert!(StatOverride::decode(b"root root 9 /x\n").is_err());
        assert!(StatOverride::decode(b"root root 755\n").is_err());
    }
}
