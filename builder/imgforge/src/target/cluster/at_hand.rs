//! Cluster files that are named by nobody: those in the working directory.

use std::{fs, path::PathBuf};

use serde::Deserialize;

/// Of a cluster file, what its nodes are called.
#[derive(Deserialize)]
struct Outline {
    nodes: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    hostname: String,
}

/// The cluster files in the working directory, by name, each with the host names of its nodes.
pub fn at_hand() -> Vec<(PathBuf, Vec<String>)> {
    let names = fs::read_dir(".").into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut paths: Vec<PathBuf> = names.map(PathBuf::from).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    paths.sort();
    let read = |path: PathBuf| {
        let outline: Outline = serde_yaml::from_str(&fs::read_to_string(&path).ok()?).ok()?;
        Some((path, outline.nodes.into_iter().map(|node| node.hostname).collect()))
    };
    paths.into_iter().filter_map(read).collect()
}
