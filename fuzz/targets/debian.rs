//! Everything the Debian room can do with bytes that nobody vouches for: no panic, no hang, bounded memory.
//!
//! Each function tells whether the bytes were acceptable: errors are the expected outcome.

use std::io::Read;

use imgforge_debian::{
    Assessment, ControlFile, Database, Identity, Keyring, Layout, Limits, Member, MemberKind, Node, Package,
    Paragraph, Release, Resolver, Result, Tree, TreePath, Trust, parse_deb822_sources, parse_dependencies,
    parse_relations, parse_source_list, plan_unpack, read_packages, read_tarball,
};

const LIMITS: Limits = Limits { control: 1 << 20, data: 4 << 20, members: 1000 };

/// The status file of a base with one package.
const STATUS: &[u8] = b"Package: dpkg\nStatus: install ok installed\nArchitecture: arm64\nVersion: 1\n";

/// A base with nothing but a status file in it.
struct Base<'a>(&'a [u8]);

impl Tree for Base<'_> {
    fn node(&self, path: &TreePath) -> Result<Option<Node>> {
        Ok(["/var", "/var/lib", "/var/lib/dpkg"]
            .contains(&path.to_string().as_str())
            .then_some(Node::Directory))
    }

    fn read(&self, path: &TreePath) -> Result<Option<Vec<u8>>> {
        Ok((path.as_bytes() == b"/var/lib/dpkg/status").then(|| self.0.to_vec()))
    }
}

/// A `.deb`: what is accepted is assessed and planned. Content never exceeds what its member says.
pub fn deb(bytes: &[u8]) -> bool {
    let mut seen = Vec::new();
    let visit = |_: &_, content: &mut dyn Read| content.read_to_end(&mut seen).map(drop);
    let Ok(package) = Package::read(bytes, &LIMITS, visit) else { return false };
    let size_of = |member: &Member| if let MemberKind::File { size, .. } = member.kind { size } else { 0 };
    let size: u64 = package.members.iter().map(size_of).sum();
    assert_eq!(seen.len() as u64, size, "sizes of members and of their contents");
    let base = Base(STATUS);
    let _ = Assessment::of(&package, &base);
    let _ = plan_unpack(&base, &[package]);
    true
}

/// A `preinst`, assessed over a base that has nothing.
pub fn shell(script: &[u8]) -> bool {
    let control = b"Package: x\nVersion: 1\nArchitecture: arm64\n";
    let control = Paragraph::parse(control).expect("a paragraph");
    let preinst = ControlFile { name: "preinst".into(), mode: 0o755, mtime: 0, content: script.to_vec() };
    let package = Package {
        identity: Identity::from_paragraph(&control).expect("an identity"),
        control,
        control_files: vec![preinst],
        members: Vec::new(),
    };
    Assessment::of(&package, &Base(STATUS)).refusals().is_empty()
}

/// A release tarball, compressed or not.
pub fn tarball(bytes: &[u8]) -> bool {
    read_tarball(bytes, &LIMITS, |_, _| Ok(())).is_ok()
}

/// Control data: what is read is written and read again alike; as a status file it is loaded.
pub fn control(bytes: &[u8]) -> bool {
    let loaded = Database::load(&Base(bytes)).is_ok();
    let Ok(paragraph) = Paragraph::parse(bytes) else { return loaded };
    let mut text = String::new();
    paragraph.write_to(&mut text);
    assert_eq!(Paragraph::parse(text.as_bytes()).ok(), Some(paragraph.clone()), "written as {text:?}");
    for field in paragraph.fields() {
        if let Ok(dependencies) = parse_dependencies(&field.value) {
            let written: Vec<String> = dependencies.iter().map(ToString::to_string).collect();
            assert_eq!(parse_dependencies(&written.join(", ")).ok(), Some(dependencies), "{:?}", field.value);
        }
    }
    true
}

/// A `Packages` index: all of what is accepted goes to the resolver.
pub fn packages(bytes: &[u8]) -> bool {
    let Ok(candidates) = read_packages(bytes).collect::<Result<Vec<_>>>() else { return false };
    let Ok(database) = Database::load(&Base(STATUS)) else { return false };
    let names: Vec<&str> =
        candidates.iter().take(5).map(|candidate| candidate.identity.name.as_str()).collect();
    let Ok(wanted) = parse_relations(&names.join(",")) else { return false };
    match Resolver::new(&database, &candidates, true).and_then(|resolver| resolver.resolve(&wanted)) {
        Ok(chosen) => assert!(chosen.iter().all(|&index| index < candidates.len())),
        Err(error) => drop(error.to_string()),
    }
    true
}

/// An armoured or binary keyring and a file signed in clear text. What verifies is given back, and read on.
pub fn in_release(keyring: &[u8], file: &[u8], now: u64) -> Option<Vec<u8>> {
    let keyring = Keyring::parse(keyring).ok()?;
    let pinned = keyring.fingerprints();
    let signed = Trust { keyring: &keyring, pinned: &pinned, now }.verify_clear_signed(file).ok()?;
    release(&signed.text, now);
    Some(signed.text)
}

/// What is signed: indexes that are listed have files.
pub fn release(text: &[u8], now: u64) {
    let Ok(release) = Release::parse(text) else { return };
    let layout = Layout::Suite { suite: "stable".into(), components: vec!["main".into()] };
    layout.indexes(&release, "arm64").iter().for_each(|index| assert!(!index.files.is_empty()));
    let _ = release.check_time(now);
}

/// A list of repositories in either form: no source leads elsewhere than below its address.
pub fn sources(bytes: &[u8]) -> bool {
    let (lines, stanzas) = (parse_source_list(bytes), parse_deb822_sources(bytes));
    for source in lines.iter().chain(&stanzas).flatten() {
        let directory = source.layout.release_directory();
        let parts: Vec<&str> = directory.split('/').collect();
        assert!(
            source.uri.ends_with('/') && !directory.starts_with('/') && !parts.contains(&".."),
            "{source:?}"
        );
    }
    lines.is_ok() || stanzas.is_ok()
}
