//! Files that a script asks for or makes, as far as the image tells of them.

use std::cell::Cell;

use super::Effect;
use super::evaluation::Evaluation;
use super::state::{Text, Words};
use crate::path::TreePath;
use crate::tree::{Node, resolve};

/// Where dpkg keeps what it knows of a package, and update-alternatives of a name.
const DPKG_INFO: &str = "/var/lib/dpkg/info";
const ALTERNATIVES: &str = "/var/lib/dpkg/alternatives";

/// The architectures of Debian's ports, one of which is in the name of a package's list where several can be installed.
const PORTS: [&str; 14] = [
    "alpha", "amd64", "arm64", "armel", "armhf", "hppa", "i386", "loong64", "mips64el", "mipsel", "ppc64el",
    "riscv64", "s390x", "sparc64",
];

/// Places whose content on the board is not that of the image: other file systems lie there, or it changes all the time.
const VOLATILE: [&[u8]; 10] =
    [b"/run", b"/proc", b"/sys", b"/dev", b"/tmp", b"/var/tmp", b"/boot", b"/efi", b"/mnt", b"/media"];

impl Evaluation<'_> {
    /// Notes `mkdir -p DIRECTORY…` and `touch FILE…`, if they are certain to be run and to succeed, and the files
    /// are new.
    pub(super) fn make(&mut self, name: &str, arguments: &Words) -> bool {
        let Some(values) = arguments.values() else { return false };
        let is_directory = name == "mkdir";
        let files = match values.as_slice() {
            ["-p", files @ ..] if is_directory => files,
            files if !is_directory => files,
            _ => return false,
        };
        for word in files {
            let path = TreePath::from_absolute(word.as_bytes()).ok();
            let effect = path.and_then(|path| match is_directory {
                true => self.new_directory(&path).map(Effect::Directory),
                // A slash at the end would ask for a directory.
                false => {
                    self.new_file(&path).filter(|_| path.as_bytes() == word.as_bytes()).map(Effect::EmptyFile)
                }
            });
            match effect {
                // Nothing comes of it, whether it is run or not.
                Some(Effect::Directory(place)) if self.is_directory(&place) => {}
                Some(effect) if self.state.certain => self.reached.effects.push(effect),
                _ => return false,
            }
        }
        !files.is_empty()
    }

    /// Where `mkdir -p` would make this directory, if nothing else is in its way.
    fn new_directory(&self, path: &TreePath) -> Option<TreePath> {
        let mut place = TreePath::root();
        for name in path.names() {
            place = place.join(name);
            if is_volatile(&place) || self.has_made_file(&place) {
                return None;
            }
            match self.tree.node(&place).ok()? {
                None | Some(Node::Directory) => {}
                Some(Node::Symlink(_)) => {
                    place = self.follow(&place)?;
                    if !self.is_directory(&place) {
                        return None;
                    }
                }
                Some(Node::File) => return None,
            }
        }
        Some(place)
    }

    /// Where `touch` would make this file, if it has a directory to lie in and nothing is there.
    fn new_file(&self, path: &TreePath) -> Option<TreePath> {
        let place = self.locate(path)?;
        let is_new = !self.has_made_directory(&place) && matches!(self.tree.node(&place), Ok(None));
        (is_new && self.is_directory(&place.parent()?)).then_some(place)
    }

    /// Whether the image certainly has no such file, and the script has made none.
    pub(super) fn is_absent(&self, text: &Text) -> bool {
        let path = text.place().and_then(|place| TreePath::from_absolute(place.as_bytes()).ok());
        // A link itself counts as a file for `-L`, so its target is not asked for.
        let Some(place) = path.and_then(|path| self.locate(&path)) else { return false };
        let made = self.has_made_directory(&place) || self.has_made_file(&place);
        !made && matches!(self.tree.node(&place), Ok(None))
    }

    /// `rm -f PATH…`, where the image certainly has none of them: it succeeds, and takes nothing away.
    pub(super) fn takes_nothing(&self, arguments: &Words) -> bool {
        let (options, paths): (Vec<&Text>, Vec<&Text>) =
            arguments.known.iter().partition(|word| word.text.starts_with('-'));
        let is_known = |option: &&Text| {
            option
                .value()
                .is_some_and(|option| option.len() > 1 && option[1..].chars().all(|c| "frRv".contains(c)))
        };
        let forces = options.iter().any(|option| option.text.contains('f')) && options.iter().all(is_known);
        let is_gone =
            |path: &&Text| path.value().is_some_and(|path| !path.ends_with('/')) && self.is_absent(path);
        forces && !arguments.open && !paths.is_empty() && paths.iter().all(is_gone)
    }

    /// Whether update-alternatives knows of no `name`.
    pub(super) fn has_no_alternative(&self, name: &str) -> bool {
        self.is_absent(&Text::known(format!("{ALTERNATIVES}/{name}")))
    }

    /// Whether `dpkg-query -W` asks for one package of which dpkg has not even the configuration.
    pub(super) fn finds_no_package(&self, arguments: &Words) -> bool {
        let Some(values) = arguments.values() else { return false };
        let name = match values.as_slice() {
            ["-W" | "--show", name] | ["-W" | "--show", "-f", _, name] => *name,
            ["-W" | "--show", format, name] | [format, "-W" | "--show", name]
                if format.starts_with("-f=") || format.starts_with("--showformat=") =>
            {
                *name
            }
            _ => return false,
        };
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"+-.".contains(&c));
        let has_none = |list: String| self.is_absent(&Text::known(list));
        is_name
            && has_none(format!("{DPKG_INFO}/{name}.list"))
            && PORTS.iter().all(|port| has_none(format!("{DPKG_INFO}/{name}:{port}.list")))
    }

    /// Whether there is no directory at this path, nor one that a link at it leads to.
    pub(super) fn is_no_directory(&self, path: &TreePath) -> bool {
        self.locate(path).is_some() && self.follow(path).is_some_and(|place| !self.is_directory(&place))
    }

    fn is_directory(&self, place: &TreePath) -> bool {
        place.is_root()
            || self.has_made_directory(place)
            || matches!(self.tree.node(place), Ok(Some(Node::Directory)))
    }

    fn has_made_directory(&self, place: &TreePath) -> bool {
        self.reached.effects.iter().any(|effect| match effect {
            Effect::Directory(made) => made == place || made.ancestors().any(|above| above == *place),
            _ => false,
        })
    }

    fn has_made_file(&self, place: &TreePath) -> bool {
        self.reached.effects.iter().any(|effect| matches!(effect, Effect::EmptyFile(made) if made == place))
    }

    /// Where a path lies, a link at the path itself not followed; `None` where the image does not tell.
    fn locate(&self, path: &TreePath) -> Option<TreePath> {
        let place = self.follow(&path.parent()?)?.join(path.name());
        (!is_volatile(&place)).then_some(place)
    }

    /// Where a path leads; `None` if the way leads through a place of which the image does not tell.
    fn follow(&self, path: &TreePath) -> Option<TreePath> {
        let is_known = Cell::new(true);
        let node = |path: &TreePath| {
            is_known.set(is_known.get() && !is_volatile(path));
            self.tree.node(path)
        };
        let place = resolve(path, node).ok()?;
        is_known.get().then_some(place)
    }
}

fn is_volatile(path: &TreePath) -> bool {
    VOLATILE.iter().any(|volatile| {
        path.as_bytes().strip_prefix(*volatile).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    })
}

impl Text {
    /// The known part as a place in the image: the path itself, or the directory that an incomplete path lies in.
    fn place(&self) -> Option<&str> {
        let place = if self.complete { &self.text } else { self.text.get(..self.text.rfind('/')?)? };
        place.starts_with('/').then_some(place)
    }
}
