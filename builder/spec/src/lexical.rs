//! Paths as people write them, before they are known to be any: what their text alone says.

/// A path without what does not change it: `//`, `/./`, a slash at its end.
pub fn plain_path(path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.fold(String::new(), |path, part| path + "/" + part)
}

/// Whether `path` is `folder` or below it, both [plain](plain_path).
pub fn is_path_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether `path` begins at the root and does not climb.
pub fn is_absolute_path(path: &str) -> bool {
    path.starts_with('/') && !path.split('/').any(|part| part == "..") && !path.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_in_itself_and_in_what_is_above() {
        assert_eq!(plain_path("/etc//./x/"), "/etc/x");
        assert!(is_path_in("/etc/x", "/etc") && is_path_in("/etc", "/etc"));
        assert!(!is_path_in("/etcetera", "/etc"));
    }

    #[test]
    fn an_absolute_path_does_not_climb() {
        assert!(is_absolute_path("/etc/..x"));
        for path in ["etc", "", "/etc/../shadow", "/a\0b"] {
            assert!(!is_absolute_path(path), "{path:?}");
        }
    }
}
