//! Generated documentation is what the code would generate now. `make docs` writes it anew.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use imgforge::{
    cli::SchemaKind,
    commands::{reference_pages, rules_page, schema_of, write_manual},
};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Compares `text` with the file `name`, or writes it when `IMGFORGE_WRITE_DOCS` is set.
fn check(name: &str, text: &str) {
    let path = docs().join(name);
    if env::var_os("IMGFORGE_WRITE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "docs/{name} is not what the code generates; run `make docs`");
}

#[test]
fn schemas_are_those_of_the_types() {
    for kind in SchemaKind::value_variants() {
        let name = kind.to_possible_value().unwrap().get_name().to_owned();
        check(&format!("schema/{name}.json"), &schema_of(*kind));
    }
}

#[test]
fn the_reference_is_that_of_the_schemas() {
    for (name, text) in reference_pages() {
        check(&format!("reference/{name}"), &text);
        for link in text.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
            let is_there = text
                .lines()
                .any(|line| line.strip_prefix("## ").is_some_and(|title| title.to_ascii_lowercase() == link));
            assert!(is_there, "docs/reference/{name} leads to #{link}, and has no such section");
        }
    }
}

#[test]
fn the_page_of_rules_is_that_of_the_tables() {
    check("rules.md", &rules_page());
}

#[test]
fn the_manual_is_that_of_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    write_manual(folder.path()).unwrap();
    let mut pages: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    for page in pages {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        check(&format!("man/{name}"), &fs::read_to_string(&page).unwrap());
    }
}
