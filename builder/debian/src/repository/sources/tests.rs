use super::*;

fn suite(suite: &str, components: &[&str]) -> Layout {
    let components = components.iter().map(|&component| component.to_owned()).collect();
    Layout::Suite { suite: suite.to_owned(), components }
}

fn flat(directory: &str) -> Layout {
    Layout::Flat { directory: directory.to_owned() }
}

fn source(uri: &str, layout: Layout) -> Source {
    Source { uri: uri.to_owned(), layout, signed_by: None, architectures: Vec::new() }
}

fn keyring(path: &str) -> Option<SignedBy> {
    let files = vec![TreePath::from_absolute(path.as_bytes()).unwrap()];
    Some(SignedBy::Keys { files, fingerprints: Vec::new() })
}

fn refusal(result: Result<Vec<Source>>) -> String {
    result.map_or_else(|error| error.to_string(), |sources| format!("accepted {sources:?}"))
}

#[test]
fn lines_name_a_repository_each() {
    let list = "# Vendor\n\n\
        deb http://archive.raspberrypi.com/debian/ trixie main untested # why\n\
        deb-src http://archive.raspberrypi.com/debian/ trixie main\n\
        deb [ arch=arm64,armhf signed-by=/usr/share/keyrings/k.gpg ] https://apt.armbian.com trixie main\n\
        deb [trusted=yes] file:/srv ./\n\
        deb [lang=none] https://pkgs.k8s.io/core:/stable:/v1.36/deb/ /\n\
        deb cdrom:[Debian 13 #1]/ trixie/updates main";
    let armbian = Source {
        signed_by: keyring("/usr/share/keyrings/k.gpg"),
        architectures: vec!["arm64".into(), "armhf".into()],
        ..source("https://apt.armbian.com/", suite("trixie", &["main"]))
    };
    assert_eq!(
        parse_source_list(list.as_bytes()).unwrap(),
        [
            source("http://archive.raspberrypi.com/debian/", suite("trixie", &["main", "untested"])),
            armbian,
            source("file:/srv/", flat("")),
            source("https://pkgs.k8s.io/core:/stable:/v1.36/deb/", flat("")),
            source("cdrom:[Debian 13 #1]/", suite("trixie/updates", &["main"])),
        ]
    );
}

#[test]
fn stanzas_name_a_repository_for_each_address_and_suite() {
    let text = "# Vendor\nTypes: deb deb-src\nURIs: http://a http://b/\nSuites: x x-updates\n\
        Components: main\n contrib\nArchitectures: arm64\nSigned-By:\n /k.gpg\n\n\
        Enabled: no\nTypes: deb\nURIs: http://c\nSuites: x\nComponents: main\n\n\
        Types: deb-src\nURIs: http://d\nSuites: x\nComponents: main\n\n\
        Enabled: yes\nTypes: deb\nURIs: http://e\nSuites: ./sub/dir/\n";
    let found = parse_deb822_sources(text.as_bytes()).unwrap();
    let places: Vec<(&str, &Layout)> =
        found.iter().map(|source| (source.uri.as_str(), &source.layout)).collect();
    let (x, updates) = (suite("x", &["main", "contrib"]), suite("x-updates", &["main", "contrib"]));
    assert_eq!(
        places,
        [
            ("http://a/", &x),
            ("http://a/", &updates),
            ("http://b/", &x),
            ("http://b/", &updates),
            ("http://e/", &flat("sub/dir")),
        ]
    );
    assert_eq!(
        (&found[3].signed_by, found[3].architectures.as_slice()),
        (&keyring("/k.gpg"), &["arm64".into()][..])
    );
}

#[test]
fn signers_are_files_fingerprints_or_keys_in_the_list() {
    let signer = |value: &str| {
        let text = format!("Types: deb\nURIs: http://a\nSuites: /\nSigned-By:{value}\n");
        parse_deb822_sources(text.as_bytes()).map(|mut sources| sources.remove(0).signed_by)
    };
    let digits = "DE3574C3E8A1B6D64C2B8B6C2F5D1A7B0E4C9F12";
    let keys = SignedBy::Keys {
        files: vec![TreePath::from_absolute(b"/a.gpg").unwrap()],
        fingerprints: vec![digits.parse().unwrap()],
    };
    assert_eq!(signer(&format!(" /a.gpg, {digits}")).unwrap(), Some(keys));
    assert_eq!(
        signer("\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc=\n -----END PGP PUBLIC KEY BLOCK-----")
            .unwrap(),
        Some(SignedBy::Embedded(
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc=\n-----END PGP PUBLIC KEY BLOCK-----\n".into()
        ))
    );
    assert_eq!(signer("").unwrap(), None);
    for value in [" 0123ABCD", " k.gpg", " /../k.gpg", &format!(" {digits}!")] {
        assert!(signer(value).is_err(), "{value}");
    }
}

#[test]
fn what_apt_would_not_take_is_refused_with_its_place() {
    for (line, reason) in [
        ("deb", "not of the form"),
        ("deb http://a", "not of the form"),
        ("deb [arch=arm64 http://a x main", "not of the form"),
        ("deb [arch] http://a x main", "not of the form"),
        ("rpm http://a x main", "Types \"rpm\" is not acceptable"),
        ("deb nowhere x main", "URIs \"nowhere\" is not acceptable"),
        ("deb http://a x", "the suite \"x\" needs at least one component"),
        ("deb http://a x/ main", "the suite \"x/\" names a directory, which has no components"),
        ("deb http://a ../x main", "Suites \"../x\" is not acceptable"),
        ("deb http://a x/../../", "Suites \"x/../../\" is not acceptable"),
        ("deb http://a x ../main", "Components \"../main\" is not acceptable"),
        ("deb http://a $(ARCH)/", "Suites \"$(ARCH)/\" is not acceptable"),
        ("deb [arch=../x] http://a x main", "Architectures \"../x\" is not acceptable"),
    ] {
        let told = refusal(parse_source_list(format!("\n{line}\n").as_bytes()));
        assert!(
            told.starts_with(&format!("malformed input: source list, line 2: {reason}")),
            "{line}: {told}"
        );
    }
    let told = refusal(parse_source_list(b"deb http://a x \xff"));
    assert_eq!(told, "malformed input: source list, line 1: not UTF-8");
    let told = refusal(parse_deb822_sources(b"Types: deb\nURIs: http://a\nComponents: main\n"));
    assert_eq!(told, "malformed input: source list, stanza 1: Suites is missing");
}

#[test]
fn what_changes_the_offer_is_not_followed() {
    let told = refusal(parse_source_list(b"deb [arch-=armhf] http://a x main"));
    assert_eq!(
        told,
        "not supported offline: source list, line 1: the field Architectures-Remove is not followed; remove it, or \
         disable the repository"
    );
    let told = refusal(parse_deb822_sources(b"Types: deb\nURIs: http://a\nSuites: /\nExclude: containerd\n"));
    assert!(told.contains("stanza 1: the field Exclude"), "{told}");
}

proptest::proptest! {
    #[test]
    fn foreign_text_never_panics(text in "[deb:/ #\\[\\]=,$(.\n-]{0,60}|deb [a-z:/]{0,5} .{0,20}") {
        let _ = parse_source_list(text.as_bytes());
        let _ = parse_deb822_sources(text.as_bytes());
    }
}
