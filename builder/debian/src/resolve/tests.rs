use std::fmt::Write as _;

use super::*;
use crate::dependency::parse_relations;
use crate::digest::Sha256;
use crate::path::TreePath;
use crate::repository::read_packages;
use crate::tree::{Node, Tree};

/// A base with nothing but a status file.
struct Status(String);

impl Tree for Status {
    fn node(&self, path: &TreePath) -> Result<Option<Node>> {
        Ok((path.as_bytes() == b"/var/lib/dpkg/status").then_some(Node::File))
    }

    fn read(&self, path: &TreePath) -> Result<Option<Vec<u8>>> {
        Ok(self.node(path)?.map(|_| self.0.clone().into_bytes()))
    }
}

/// Paragraphs from lines such as `a 1.0: Depends b (>= 1); Provides c`.
fn paragraphs(lines: &str, extra: &str) -> String {
    let mut text = String::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (head, fields) = line.split_once(':').unwrap_or((line, ""));
        let (name, version) = head.split_once(' ').unwrap();
        writeln!(text, "Package: {name}\nVersion: {version}\nArchitecture: arm64\n{extra}").unwrap();
        for field in fields.split(';').map(str::trim).filter(|field| !field.is_empty()) {
            writeln!(text, "{}", field.replacen(' ', ": ", 1)).unwrap();
        }
        text.push('\n');
    }
    text
}

fn try_with(base: &str, offered: &str, wanted: &str, recommends: bool) -> Result<Vec<String>> {
    let status = paragraphs(&format!("dpkg 1.22\n{base}"), "Status: install ok installed");
    let database = Database::load(&Status(status))?;
    let offer = format!("Filename: x\nSize: 0\nSHA256: {}", Sha256::of(b""));
    let candidates: Vec<Candidate> =
        read_packages(paragraphs(offered, &offer).as_bytes()).collect::<Result<_>>()?;
    let wanted = parse_relations(wanted)?;
    let chosen = Resolver::new(&database, &candidates, recommends)?.resolve(&wanted)?;
    let again = Resolver::new(&database, &candidates, recommends)?.resolve(&wanted)?;
    assert_eq!(again, chosen, "the same request has the same result");
    Ok(chosen.into_iter().map(|index| candidates[index].identity.to_string().replace(" arm64", "")).collect())
}

/// What is chosen, in unpacking order, separated by commas.
fn chosen(base: &str, offered: &str, wanted: &str) -> String {
    try_with(base, offered, wanted, false).unwrap().join(", ")
}

fn refusal(base: &str, offered: &str, wanted: &str) -> String {
    try_with(base, offered, wanted, false).unwrap_err().to_string()
}

#[test]
fn dependencies_come_along_and_first() {
    assert_eq!(chosen("c 1", "a 1: Depends b (>= 2), c\nb 1\nb 2", "a"), "b 2, a 1");
    assert_eq!(chosen("a 1", "a 2", "a"), "");
}

#[test]
fn pre_dependencies_come_first_even_in_cycles() {
    let offered = "b 1: Depends c\nc 1: Depends a\na 1: Pre-Depends b";
    for wanted in ["a", "b", "c"] {
        let order = chosen("", offered, wanted);
        assert!(order.find("b 1") < order.find("a 1"), "{order}");
    }
    assert_eq!(
        refusal("", "a 1: Pre-Depends b\nb 1: Pre-Depends a", "a"),
        "conflict: b 1 arm64 pre-depends on itself"
    );
}

#[test]
fn the_first_alternative_and_the_latest_version_are_preferred() {
    assert_eq!(chosen("", "a 1: Depends y | x\nx 1\ny 1\ny 3\ny 2", "a"), "y 3, a 1");
    assert_eq!(chosen("x 1", "a 1: Depends y | x\ny 1", "a"), "a 1");
    assert_eq!(chosen("", "a 1: Depends y | x\nx 1", "a"), "x 1, a 1");
    assert_eq!(chosen("", "a 2: Depends missing\na 1", "a"), "a 1");
}

#[test]
fn virtual_packages_are_provided_by_the_most_important() {
    let offered = "a 1: Depends mta\np 1: Provides mta\no 1: Provides mta; Priority optional\ns 1: Provides mta; Priority standard";
    assert_eq!(chosen("", offered, "a"), "s 1, a 1");
    assert_eq!(chosen("e 1: Provides mta", offered, "a"), "a 1");
    assert_eq!(chosen("", "a 1: Depends v (>= 2)\np 1: Provides v\nq 1: Provides v (= 2)", "a"), "q 1, a 1");
}

#[test]
fn what_excludes_each_other_is_not_chosen_together() {
    assert_eq!(chosen("", "a 1: Depends x | y, z\nx 1\ny 1\nz 1: Conflicts x", "a"), "y 1, z 1, a 1");
    assert_eq!(
        chosen("", "a 1: Depends x | y, z\nx 1: Provides v\ny 1\nz 1: Breaks v", "a"),
        "y 1, z 1, a 1"
    );
    assert_eq!(chosen("z 1: Breaks x (<< 2)", "a 1: Depends x | y\nx 1\ny 1", "a"), "y 1, a 1");
    assert_eq!(chosen("", "a 1: Provides mta; Conflicts mta", "a"), "a 1");
    assert!(refusal("", "a 1: Conflicts b\nb 1", "a, b").contains("a 1"));
}

#[test]
fn packages_of_other_architectures_are_not_chosen() {
    let entry = |architecture: &str, fields: &str| {
        let sum = Sha256::of(b"");
        format!("Architecture: {architecture}\nVersion: 1\nFilename: x\nSize: 0\nSHA256: {sum}\n{fields}\n")
    };
    let offered = format!(
        "Package: a\n{}Package: a\n{}Package: b\n{}Package: c\n{}",
        entry("armhf", "Multi-Arch: same\n"),
        entry("amd64", "Multi-Arch: foreign\n"),
        entry("all", "Depends: a\n"),
        entry("arm64", "Depends: d:armhf\n")
    );
    let status = "Package: dpkg\nStatus: install ok installed\nVersion: 1\nArchitecture: arm64\n";
    let database = Database::load(&Status(status.into())).unwrap();
    let candidates: Vec<Candidate> = read_packages(offered.as_bytes()).collect::<Result<_>>().unwrap();
    let resolver = Resolver::new(&database, &candidates, false).unwrap();
    let told = |wanted| resolver.resolve(&parse_relations(wanted).unwrap()).unwrap_err().to_string();
    let reason = "a: offered for amd64 and armhf, the base is arm64";
    assert_eq!(told("a"), format!("conflict: cannot install:\n {reason}"));
    assert_eq!(told("b"), format!("conflict: cannot install:\n b: Depends: {reason}"));
    assert_eq!(told("c"), "conflict: cannot install:\n c: Depends: d:armhf: not installable");
}

#[test]
fn recommendations_count_only_if_asked_for_and_to_be_had() {
    let offered = "a 1: Recommends r, missing\nr 1";
    assert_eq!(chosen("", offered, "a"), "a 1");
    assert_eq!(try_with("", offered, "a", true).unwrap().len(), 2);
}

#[test]
fn failures_name_the_reason_as_apt_would() {
    assert_eq!(refusal("", "", "nosuch"), "conflict: cannot install:\n nosuch: not installable");
    assert_eq!(
        refusal("", "a 1: Depends b\nb 1: Depends c (>= 2)\nc 1", "a"),
        "conflict: cannot install:\n a: Depends: b: Depends: c (>= 2): 1 is to be installed"
    );
    assert_eq!(
        refusal("libc6 2.36", "a 1: Depends libc6 (>= 2.38)\nlibc6 2.38", "a"),
        "conflict: cannot install:\n a: Depends: libc6: the base has version 2.36, which stays"
    );
    assert_eq!(
        refusal("x 1", "a 1: Conflicts x", "a"),
        "conflict: cannot install:\n a: it excludes x, and the base has x 1 arm64"
    );
    assert_eq!(
        refusal("x 1: Breaks a (<< 2)", "a 1", "a"),
        "conflict: cannot install:\n a: x of the base excludes a (<< 2)"
    );
}
