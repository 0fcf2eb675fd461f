//! `dpkg-divert --add` as scripts call it: <https://manpages.debian.org/bookworm/dpkg/dpkg-divert.1>.

use crate::database::Diversion;
use crate::path::TreePath;

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
        // What happens without either option is another thing in each version of dpkg.
        let (mut add, mut rename) = (true, true);
        let mut actions = 0;
        let (mut from, mut to) = (None, None);
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let (option, inline) =
                word.split_once('=').map_or((*word, None), |(option, value)| (option, Some(value)));
            let mut value = || inline.or_else(|| words.next().copied()).map(str::to_owned);
            match option {
                "--add" | "--quiet" | "--local" | "--rename" | "--no-rename" if inline.is_some() => {
                    add = false
                }
                "--add" => actions += 1,
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
        let from = from.filter(|_| add && actions < 2)?;
        let to = to.unwrap_or_else(|| format!("{from}.distrib"));
        let valid = |path: &str| {
            TreePath::from_absolute(path.as_bytes()).is_ok_and(|read| read.as_bytes() == path.as_bytes())
        };
        let is_package = |name: &str| {
            let is_part =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
            name.len() > 1 && !name.starts_with(['+', '-', '.']) && name.bytes().all(is_part)
        };
        let owned = owner.as_deref().is_none_or(is_package);
        (valid(&from) && valid(&to) && from != to && owned).then(|| Request {
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
        let request = parse("--package xy --add --rename --divert /a.real /a").unwrap();
        let diversion =
            Diversion { from: b"/a".to_vec(), to: b"/a.real".to_vec(), package: Some("xy".into()) };
        assert_eq!(request, Request { diversion, rename: true });
        let request = parse("--quiet --no-rename --add /a").unwrap();
        assert_eq!((request.diversion.to.as_slice(), request.rename), (&b"/a.distrib"[..], false));
        assert_eq!(request.diversion.package.as_deref(), Some("own"));
        assert_eq!(parse("--local --divert=/b /a").unwrap().diversion.package, None);
    }

    #[test]
    fn other_uses_are_not() {
        for line in [
            "--add --add /a",
            "--quiet=x --add /a",
            "--add /a --package x/y",
            "--add /a//b",
            "--add --divert /a /a",
            "--add --test /a",
            "--remove /a",
            "--add a",
            "--list",
            "--add /a /b",
            "--add --divert b /a",
            "--divert",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
