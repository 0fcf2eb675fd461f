//! Puts profiles, overlays and examples into the program: lists them, by path, as `built_in.rs` in `OUT_DIR`, which
//! `src/catalogue/built_in.rs` takes in.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// The folders of the repository that the program has inside.
const FOLDERS: [&str; 3] = ["board-profiles", "examples", "overlays"];

fn main() -> io::Result<()> {
    let variable = |name| env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(name));
    let repository = variable("CARGO_MANIFEST_DIR")?.join("../..").canonicalize()?;
    let mut entries = Vec::new();
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={}", repository.join(folder).display());
        gather(&repository, Path::new(folder), &mut entries)?;
    }
    entries.sort();
    let list: String = entries.into_iter().map(|(_, entry)| entry).collect();
    let text = format!("const ENTRIES: &[(&str, Entry)] = &[\n{list}];\n");
    fs::write(variable("OUT_DIR")?.join("built_in.rs"), text)
}

/// Adds what lies in `folder`, a path below `repository`: its path, and its line of the list.
fn gather(repository: &Path, folder: &Path, entries: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(repository.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        let name = path.to_str().ok_or_else(|| io::Error::other(format!("{path:?} is not UTF-8")))?;
        let kind = entry.file_type()?;
        let mut line = String::new();
        if kind.is_dir() {
            gather(repository, &path, entries)?;
            continue;
        } else if name.ends_with(".lock.yaml") {
            // What one machine has pinned for itself.
            continue;
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path())?;
            let target =
                target.to_str().ok_or_else(|| io::Error::other(format!("{target:?} is not UTF-8")))?;
            writeln!(line, "({name:?}, Entry::Link({target:?})),").map_err(io::Error::other)?;
        } else {
            let (file, executable) = (entry.path(), entry.metadata()?.permissions().mode() & 0o111 != 0);
            let content = format!("include_bytes!({file:?})");
            writeln!(line, "({name:?}, Entry::File {{ content: {content}, executable: {executable} }}),")
                .map_err(io::Error::other)?;
        }
        entries.push((name.to_owned(), line));
    }
    Ok(())
}
