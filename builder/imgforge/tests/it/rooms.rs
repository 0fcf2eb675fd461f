//! The rooms of this crate and the direction of their imports, as ARCHITECTURE.md tells them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The rooms from the ground up: each may use those before it, and none behind it.
const ROOMS: [&str; 13] = [
    "yaml",
    "host",
    "running",
    "catalogue",
    "image",
    "flash",
    "supply",
    "target",
    "plan",
    "rules",
    "build",
    "cli",
    "commands",
];

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All source files below `folder`.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

/// The rooms that `text` names behind `crate::`, alone or as the first names in braces.
fn rooms_in(text: &str) -> Vec<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut rooms = Vec::new();
    for (at, matched) in code.match_indices("crate::") {
        let rest = &code[at + matched.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            rooms.push(name(rest));
            continue;
        };
        let (mut depth, mut is_first) = (0, true);
        for (at, character) in list.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' => is_first |= depth == 0,
                c if c.is_alphabetic() && is_first && depth == 0 => {
                    rooms.push(name(&list[at..]));
                    is_first = false;
                }
                _ => {}
            }
        }
    }
    rooms
}

#[test]
fn the_names_behind_crate_are_found() {
    let text = "use crate::{a::{b, c::d}, e};\nuse crate::f::g; // crate::comment\nfn x() -> crate::h::Y {}";
    assert_eq!(rooms_in(text), ["a", "e", "f", "h"]);
}

#[test]
fn every_import_goes_downhill() {
    let mut uphill = Vec::new();
    for (level, room) in ROOMS.iter().enumerate() {
        for file in files_below(&sources().join(room)) {
            for used in rooms_in(&fs::read_to_string(&file).unwrap()) {
                let place = ROOMS.iter().position(|room| *room == used);
                if place.is_none_or(|place| place > level) {
                    uphill.push(format!("{} uses {used}", file.strip_prefix(sources()).unwrap().display()));
                }
            }
        }
    }
    assert!(uphill.is_empty(), "{uphill:#?}");
}

#[test]
fn there_are_no_other_rooms_and_architecture_md_has_them_all() {
    let mut found: Vec<String> =
        fs::read_dir(sources()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    let mut expected: Vec<String> = ROOMS.iter().map(ToString::to_string).collect();
    expected.extend(["lib.rs".into(), "main.rs".into()]);
    expected.sort();
    assert_eq!(found, expected);
    let page = fs::read_to_string(sources().join("../../../ARCHITECTURE.md")).unwrap();
    for room in ROOMS {
        assert!(page.contains(&format!("\n| `{room}/` |")), "ARCHITECTURE.md has no row for {room}/");
    }
}
