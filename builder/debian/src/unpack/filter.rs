//! The paths that dpkg is told to leave out: `path-exclude` and `path-include` of its configuration.
//!
//! <https://manpages.debian.org/trixie/dpkg/dpkg.1#path~2>, dpkg.cfg(5). A path left out still counts as the package's: it
//! stays in `info/NAME.list`.

use super::{Detail, Error, Kind, Member, MemberKind, Result, TreePath};
use crate::pattern::Pattern;
use crate::tree::{Tree, read_resolved, resolve};

const DIRECTORY: &[u8] = b"/etc/dpkg/dpkg.cfg.d";
const FILE: &[u8] = b"/etc/dpkg/dpkg.cfg";

/// The rules of a base, in their order: the last that matches wins.
#[derive(Debug, Default)]
pub(super) struct Filter {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    include: bool,
    pattern: Pattern,
}

impl Filter {
    pub(super) fn load(tree: &dyn Tree) -> Result<Self> {
        let directory = TreePath::from_absolute(DIRECTORY)?;
        let mut names = tree.names(&resolve(&directory, |path| tree.node(path))?)?;
        // As dpkg does: what an editor or another dpkg left there does not count.
        names.retain(|name| name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)));
        names.sort();
        let mut filter = Filter::default();
        let files = names.iter().map(|name| directory.join(name));
        for file in files.chain([TreePath::from_absolute(FILE)?]) {
            filter.add(&read_resolved(tree, &file)?.unwrap_or_default())?;
        }
        Ok(filter)
    }

    /// Takes the rules of a configuration file: lines `OPTION VALUE` or `OPTION=VALUE`, the value perhaps in quotes.
    fn add(&mut self, text: &[u8]) -> Result<()> {
        for line in String::from_utf8_lossy(text).lines() {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
            let (name, rest) = line.split_at(line.find(|c| !is_name(c)).unwrap_or(line.len()));
            let include = match name {
                "path-include" => true,
                "path-exclude" => false,
                _ => continue,
            };
            let value = rest.trim_start();
            let value = value.strip_prefix('=').unwrap_or(value).trim();
            let quotes = ['"', '\''].map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
            let value = quotes.into_iter().flatten().next().unwrap_or(value);
            let pattern = Pattern::of_fnmatch(value)
                .ok_or_else(|| Error::Unsupported(Detail::new(Kind::Pattern(line.trim_end().to_owned()))))?;
            self.rules.push(Rule { include, pattern });
        }
        Ok(())
    }

    /// Whether a member is left out. Directories, and links that may lead to some, stay where an inclusion could bring
    /// something below them back.
    pub(super) fn skips(&self, member: &Member) -> bool {
        let path = member.path.as_bytes();
        let last = self.rules.iter().rev().find(|rule| rule.pattern.matches(path));
        let may_hold = matches!(member.kind, MemberKind::Directory | MemberKind::Symlink { .. });
        let mut inclusions = self.rules.iter().filter(|rule| rule.include);
        last.is_some_and(|rule| !rule.include)
            && !(may_hold && inclusions.any(|rule| path.starts_with(rule.pattern.directory())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_in_every_spelling() {
        let mut filter = Filter::default();
        let text =
            b"# path-exclude=/c\nno-debsig\npath-exclude=/a\npath-exclude /b\npath-include = \"/c d\"\n";
        filter.add(text).unwrap();
        let rules: Vec<(bool, &[u8])> =
            filter.rules.iter().map(|rule| (rule.include, rule.pattern.directory())).collect();
        assert_eq!(rules, [(false, &b"/a"[..]), (false, b"/b"), (true, b"/c d")]);
        assert!(filter.add(b"path-exclude=/[[:alpha:]]").is_err());
    }
}
