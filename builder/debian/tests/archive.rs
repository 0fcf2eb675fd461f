//! Packages as `dpkg-deb` makes them, read back member by member.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod support;

use imgforge_debian::{Limits, MemberKind, Package};
use std::process::Command;
use support::{Recipe, run};

const SCRIPT: &str = r#"
    mkdir -p usr/bin usr/share/doc/x etc
    echo binary > usr/bin/tool; chmod 4755 usr/bin/tool; ln usr/bin/tool usr/bin/tool2
    ln -s ../share/doc usr/bin/link
    echo conf > etc/x.conf; echo /etc/x.conf > DEBIAN/conffiles
    printf '#!/bin/sh\nexit 0\n' > DEBIAN/postinst; chmod 755 DEBIAN/postinst
    long=$(printf 'n%.0s' $(seq 150)); echo long > usr/share/doc/$long; ln -s $long usr/share/doc/x/$long
    head -c 300000 /dev/urandom > usr/share/doc/x/random
"#;

fn mode_column(member: &imgforge_debian::Member) -> char {
    match member.kind {
        MemberKind::Directory => 'd',
        MemberKind::Symlink { .. } => 'l',
        MemberKind::HardLink { .. } => 'h',
        MemberKind::File { .. } => '-',
    }
}

/// One line per member in the words of `dpkg-deb --contents`: type, size, path, link.
fn listing(package: &Package) -> Vec<String> {
    let line = |member: &imgforge_debian::Member| {
        let (size, link) = match &member.kind {
            MemberKind::File { size, .. } => (*size, String::new()),
            MemberKind::Directory => (0, String::new()),
            MemberKind::Symlink { target } => (0, format!(" -> {}", String::from_utf8_lossy(target))),
            MemberKind::HardLink { target } => (0, format!(" link to .{target}")),
        };
        format!("{} {size} {}{link}", mode_column(member), member.path)
    };
    package.members.iter().map(line).collect()
}

fn dpkg_listing(deb: &std::path::Path) -> Vec<String> {
    let contents = run(Command::new("dpkg-deb").arg("--contents").arg(deb).env("LC_ALL", "C"));
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let path = words[5].strip_prefix('.').unwrap().trim_end_matches('/');
        let path = if path.is_empty() { "/" } else { path };
        let link = words[6..].iter().map(|word| format!(" {word}")).collect::<String>();
        format!("{} {} {path}{link}", &words[0][..1], words[2])
    };
    contents.lines().map(line).collect()
}

#[test]
fn every_compression_reads_as_dpkg_deb_lists_it() {
    let directory = tempfile::tempdir().unwrap();
    for compression in ["xz", "zstd", "gzip", "none"] {
        let recipe =
            Recipe { name: "x", architecture: "arm64", fields: "Multi-Arch: same\n", script: SCRIPT };
        let deb = recipe.build(&directory.path().join(compression), compression);
        let mut contents = Vec::new();
        let package = Package::read(std::fs::File::open(&deb).unwrap(), &Limits::default(), |_, content| {
            content.read_to_end(&mut contents).map(drop)
        })
        .unwrap();

        assert_eq!(listing(&package), dpkg_listing(&deb), "{compression}");
        assert_eq!(package.identity.to_string(), "x 1.0-1 arm64");
        assert_eq!(package.control_file("conffiles"), Some(&b"/etc/x.conf\n"[..]));
        assert_eq!(package.control_files.iter().find(|file| file.name == "postinst").unwrap().mode, 0o755);

        let tool = package.members.iter().find(|member| member.path.name() == b"tool").unwrap();
        assert_eq!((tool.mode, tool.user.name.as_str(), tool.mtime), (0o4755, "root", 1_700_000_000));
        let random = package.members.iter().find(|member| member.path.name() == b"random").unwrap();
        let MemberKind::File { size, offset } = random.kind else { panic!("{random:?}") };
        let written = std::fs::read(deb.with_file_name("x.tree/usr/share/doc/x/random")).unwrap();
        assert_eq!(contents[offset as usize..(offset + size) as usize], written);
    }
}

#[test]
fn damage_anywhere_in_the_compressed_data_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let recipe = Recipe { name: "x", architecture: "all", fields: "", script: SCRIPT };
    let whole = std::fs::read(recipe.build(directory.path(), "xz")).unwrap();
    for position in (200..whole.len()).step_by(whole.len() / 40) {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x55;
        assert!(
            Package::read(damaged.as_slice(), &Limits::default(), |_, _| Ok(())).is_err(),
            "a changed byte at {position} of {}",
            whole.len()
        );
    }
}

#[test]
fn bombs_are_refused_in_every_compression() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { data: 1 << 20, ..Limits::default() };
    for compression in ["xz", "zstd", "gzip"] {
        let recipe = Recipe { name: "x", architecture: "all", fields: "", script: "truncate -s 64M zeros" };
        let deb = recipe.build(&directory.path().join(compression), compression);
        assert!(std::fs::metadata(&deb).unwrap().len() < 100_000, "{compression}");
        let error = Package::read(std::fs::File::open(&deb).unwrap(), &limits, |_, _| Ok(())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "malformed input: larger than the limits for packages",
            "{compression}"
        );
    }
}
