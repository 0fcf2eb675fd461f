//! The pages: all are in the table of contents, every link leads somewhere, and every command in them is one.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use clap::Parser;
use imgforge::cli::Cli;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The pages that people read, by their paths in the repository.
fn pages() -> Vec<PathBuf> {
    let root = repository();
    let mut all: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"].map(PathBuf::from).into();
    for folder in ["docs", "docs/reference"] {
        let entries = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let pages = entries.map(|name| Path::new(folder).join(name));
        all.extend(pages.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    }
    all.sort();
    all
}

fn text(page: &Path) -> String {
    fs::read_to_string(repository().join(page)).unwrap()
}

/// Where the links in `text` lead, those in code left out.
fn links(text: &str) -> Vec<String> {
    let prose = text.lines().filter(|line| !line.starts_with("    "));
    let of_line = |line: &str| {
        let outside: String = line.split('`').step_by(2).collect::<Vec<_>>().join("x");
        let starts = outside.match_indices("](").map(|(at, _)| at + 2);
        starts.filter_map(|at| Some(outside[at..].split_once(')')?.0.to_owned())).collect::<Vec<_>>()
    };
    prose.flat_map(of_line).collect()
}

/// What a heading is called in links, as forges and mdBook have it.
fn anchor(heading: &str) -> String {
    let letters = heading.trim().to_lowercase();
    let kept = letters.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for page in pages() {
        for link in links(&text(&page)).iter().filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            let path = repository().join(&target);
            let is_there = path.exists()
                && (heading.is_empty()
                    || fs::read_to_string(&path).is_ok_and(|text| anchors(&text).contains(heading)));
            if !is_there {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_table_of_contents_has_every_page_once() {
    let mut listed: Vec<PathBuf> =
        links(&text(Path::new("docs/SUMMARY.md"))).iter().map(|link| Path::new("docs").join(link)).collect();
    listed.sort();
    let all: Vec<PathBuf> = pages()
        .into_iter()
        .filter(|page| page.starts_with("docs") && !page.ends_with("SUMMARY.md"))
        .collect();
    assert_eq!(listed, all);
}

/// The words of a command, as a shell splits them; nothing behind a comment, a pipe or another command.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match (quote, c) {
            (Some(end), c) if c == end => quote = None,
            (None, '"' | '\'') => (quote, begun) = (Some(c), true),
            (None, '#' | '|' | ';' | '&' | '>' | '<' | ')') if word.is_empty() => break,
            (None, ' ') => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (None, ')' | ';') => break,
            _ => word.push(c),
        }
    }
    if begun || !word.is_empty() {
        words.push(word);
    }
    words
}

/// The commands of imgforge in the code of a page; one with `…` in it only hints.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let code = joined.lines().filter_map(|line| line.strip_prefix("    ")).map(str::trim);
    let own = code.map(|line| line.strip_prefix("$ ").unwrap_or(line));
    own.filter(|line| line.starts_with("imgforge ") && !line.contains('…')).map(str::to_owned).collect()
}

/// Those typed in the recording of a terminal, which its description has.
fn recorded(picture: &str) -> Vec<String> {
    let said = picture.split_once("aria-label=\"A terminal: ").and_then(|(_, rest)| rest.split_once('"'));
    let commands = said.map(|(commands, _)| commands).unwrap_or_default().split("; ");
    commands.filter(|command| command.starts_with("imgforge ")).map(str::to_owned).collect()
}

#[test]
fn every_command_in_the_pages_is_one() {
    let mut wrong = Vec::new();
    let mut count = 0;
    let recording = PathBuf::from("docs/pictures/first-cluster.svg");
    assert!(recorded(&text(&recording)).len() >= 3);
    for page in pages().into_iter().chain([recording]) {
        for command in [commands(&text(&page)), recorded(&text(&page))].concat() {
            count += 1;
            if let Err(error) = Cli::try_parse_from(words(&command))
                && error.use_stderr()
            {
                let first = error.to_string().lines().next().unwrap_or_default().to_owned();
                wrong.push(format!("{}: {command}: {first}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 50, "only {count} commands were found");
}
