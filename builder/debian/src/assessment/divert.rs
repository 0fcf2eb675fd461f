//! `dpkg-divert --add` as scripts call it: <https://manpages.debian.org/bookworm/dpkg/dpkg-divert.1>.

use crate::database::Diversion;

/// A diversion that a script asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) diversion: Diversion,
    /// Whether a file that is there must be moved.
    pub(super) rename: bool,
}

impl Request {
    /// Reads the arguments of a call in a script of `package`; `None` for any other use of the command.
    pub(super) fn parse(arguments: &[&str], package: &str) -> Option<Self> {
        let mut owner = Some(package.to_owned());
        let (mut add, mut rename) = (true, false);
        let (mut from, mut to) = (None, None);
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let (option, inline) =
                word.split_once('=').map_or((*word, None), |(option, value)| (option, Some(value)));
            let mut value = || inline.or_else(|| words.next().copied()).map(str::to_owned);
            match option {
                "--add" => add = true,
                "--quiet" => {}
                "--local" => owner = None,
                "--rename" => rename = true,
                "--no-rename" => rename = false,
                "--package" => owner = Some(value()?),
                "--divert" => to = Some(value()?),
                path if path.starts_with('/') && from.is_none() => from = Some((*word).to_owned()),
                _ => add = false,
            }
        }
        let from = from.filter(|_| add)?;
        let to = to.unwrap_or_else(|| format!("{from}.distrib"));
        let valid = |path: &str| path.starts_with('/') && !path.contains('\n');
        (valid(&from) && valid(&to)).then(|| Request {
            diversion: Diversion { from: from.into_bytes(), to: to.into_bytes(), package: owner },
            rename,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Request> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Request::parse(&words, "own")
    }

    #[test]
    fn additions_are_read() {
        let request = parse("--package x --add --rename --divert /a.real /a").unwrap();
        let diversion =
            Diversion { from: b"/a".to_vec(), to: b"/a.real".to_vec(), package: Some("x".into()) };
        assert_eq!(request, Request { diversion, rename: true });
        let request = parse("--quiet --no-rename --add /a").unwrap();
        assert_eq!((request.diversion.to.as_slice(), request.rename), (&b"/a.distrib"[..], false));
        assert_eq!(request.diversion.package.as_deref(), Some("own"));
        assert_eq!(parse("--local --divert=/b /a").unwrap().diversion.package, None);
    }

    #[test]
    fn other_uses_are_not() {
        for line in ["--remove /a", "--add a", "--list", "--add /a /b", "--add --divert b /a", "--divert"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
