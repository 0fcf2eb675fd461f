//! e2fsck in its read-only mode: exactly clean, or the test fails with what it said.

use std::path::Path;

use crate::fixture::{text, tool};

/// What e2fsck has to say about the image; `None` if it is exactly clean.
///
/// Its exit status is not enough: it is 0 after "could be narrower" and the like. So every line has to be one that
/// a clean run prints.
pub fn complaint(image: &Path) -> Option<String> {
    let output = tool("e2fsck").arg("-fn").arg(image).output().unwrap();
    let said = text(&output);
    let expected = |line: &str| {
        line.is_empty()
            || line.starts_with("e2fsck 1.")
            || line.starts_with("Pass ")
            || (line.contains(" files (") && line.ends_with(" blocks"))
    };
    let clean = output.status.success() && said.lines().all(expected);
    (!clean).then_some(said)
}

/// Fails unless e2fsck finds nothing at all to say about the image.
#[track_caller]
pub fn assert_clean(image: &Path) {
    if let Some(said) = complaint(image) {
        if let Some(keep) = std::env::var_os("IMGFORGE_KEEP") {
            std::fs::copy(image, keep).unwrap();
        }
        panic!("e2fsck:\n{said}");
    }
}
