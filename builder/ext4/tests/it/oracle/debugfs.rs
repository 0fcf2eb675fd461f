//! debugfs, for what only it shows: extents, flags, blocks and the state of the bitmaps.

use std::path::Path;

use crate::fixture::{run, tool};

/// What debugfs prints for one request.
pub fn ask(image: &Path, request: &str) -> String {
    String::from_utf8_lossy(&run(tool("debugfs").arg("-R").arg(request).arg(image)).stdout).into_owned()
}

/// Content of a file as debugfs finds it through its own reading of extents or block map.
pub fn content(image: &Path, path: &str) -> Vec<u8> {
    run(tool("debugfs").arg("-R").arg(format!("cat {path}")).arg(image)).stdout
}

/// The number that follows `label` in the output of `stat PATH` or `show_super_stats`.
#[track_caller]
pub fn number(said: &str, label: &str) -> u64 {
    let after = said.split_once(label).unwrap_or_else(|| panic!("no {label:?} in {said}")).1;
    let digits: String = after.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}
