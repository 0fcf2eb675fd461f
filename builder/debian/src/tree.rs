//! A read-only view of the file system that packages go into.

use std::collections::VecDeque;

use crate::error::{Detail, Error, Result};
use crate::path::TreePath;

/// As many symbolic links as the kernel follows in one path.
const LINK_LIMIT: usize = 40;

#[derive(Debug, thiserror::Error)]
#[error("{0}: too many symbolic links")]
struct LinkLoop(TreePath);

/// What lies at a path, the path's own last link not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory,
    /// A symbolic link with its target.
    Symlink(Vec<u8>),
    /// Anything else: a regular file, or a kind that packages never make.
    File,
}

/// The file system of the base, as this crate needs to see it.
///
/// Paths passed in name no symbolic link but perhaps their last component: links are resolved by this crate, so that
/// they never lead out of the tree.
pub trait Tree {
    /// What lies at `path`; `None` if nothing does.
    ///
    /// # Errors
    /// [`Error::Io`] if the base cannot be read.
    fn node(&self, path: &TreePath) -> Result<Option<Node>>;

    /// The bytes of the regular file at `path`; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Io`] if the base cannot be read.
    fn read(&self, path: &TreePath) -> Result<Option<Vec<u8>>>;
}

/// Follows every symbolic link of `path` inside the tree, the last one too. What does not exist stays as it is named.
pub(crate) fn resolve(path: &TreePath, node: impl Fn(&TreePath) -> Result<Option<Node>>) -> Result<TreePath> {
    let mut names: VecDeque<Vec<u8>> = path.names().map(<[u8]>::to_vec).collect();
    let mut resolved = TreePath::root();
    let mut links = 0;
    while let Some(name) = names.pop_front() {
        if name == b".." {
            resolved = resolved.parent().unwrap_or(resolved);
            continue;
        }
        let next = resolved.join(&name);
        let Some(Node::Symlink(target)) = node(&next)? else {
            resolved = next;
            continue;
        };
        links += 1;
        if links > LINK_LIMIT {
            return Err(Error::Malformed(Detail::new(LinkLoop(path.clone()))));
        }
        if target.starts_with(b"/") {
            resolved = TreePath::root();
        }
        let parts = target.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".");
        for part in parts.rev() {
            names.push_front(part.to_vec());
        }
    }
    Ok(resolved)
}

/// Reads the file that `path` leads to, by whatever symbolic links; `None` where there is none.
///
/// # Errors
/// [`Error::Io`] if the base cannot be read, [`Error::Malformed`] if its links lead round in a circle.
pub fn read_resolved(tree: &dyn Tree, path: &TreePath) -> Result<Option<Vec<u8>>> {
    tree.read(&resolve(path, |path| tree.node(path))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(path: &str) -> Result<String> {
        let links = [("/lib", "usr/lib"), ("/a", "/lib/../lib/x"), ("/up", "../../etc"), ("/loop", "loop")];
        let node = |path: &TreePath| {
            let target = links.iter().find(|(link, _)| link.as_bytes() == path.as_bytes());
            Ok(target.map(|(_, target)| Node::Symlink(target.as_bytes().to_vec())))
        };
        resolve(&TreePath::from_absolute(path.as_bytes())?, node).map(|path| path.to_string())
    }

    #[test]
    fn links_are_followed_inside_the_tree_only() {
        assert_eq!(resolved("/lib/systemd/x").unwrap(), "/usr/lib/systemd/x");
        assert_eq!(resolved("/a/y").unwrap(), "/usr/lib/x/y");
        assert_eq!(resolved("/up/passwd").unwrap(), "/etc/passwd");
        assert!(resolved("/loop").is_err());
    }
}
