//! Packages no tool would make, built byte by byte in memory. What real tools make is read in `tests/archive.rs`.

use proptest::prelude::*;

use super::*;
use crate::digest::Sha256;

const CONTROL: &[u8] = b"Package: x\nVersion: 1\nArchitecture: all\n";

type Tar = tar::Builder<Vec<u8>>;

fn add(tar: &mut Tar, kind: tar::EntryType, name: &str, link: &str, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    header.set_cksum();
    tar.append(&header, content).unwrap();
}

fn file(tar: &mut Tar, name: &str, content: &[u8]) {
    add(tar, tar::EntryType::Regular, name, "", content);
}

fn tar(fill: impl FnOnce(&mut Tar)) -> Vec<u8> {
    let mut tar = Tar::new(Vec::new());
    fill(&mut tar);
    tar.into_inner().unwrap()
}

fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        bytes.extend(format!("{name:<16}{:<32}{:<10}`\n", "", content.len()).bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    }
    bytes
}

fn deb(data: &[u8]) -> Vec<u8> {
    let control = tar(|tar| file(tar, "./control", CONTROL));
    ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", data)])
}

fn read(bytes: &[u8]) -> Result<Package> {
    let limits = Limits { control: 1 << 20, data: 1 << 20, members: 100 };
    Package::read(bytes, &limits, |_, _| Ok(()))
}

/// Reads a package with this data archive, and gives the message of the refusal.
fn refusal(fill: impl FnOnce(&mut Tar)) -> String {
    read(&deb(&tar(fill)))
        .map(|package| format!("accepted {package:?}"))
        .unwrap_or_else(|error| error.to_string())
}

#[test]
fn contents_are_visited_in_order_and_offsets_add_up() {
    let data = tar(|tar| {
        add(tar, tar::EntryType::Directory, "./", "", b"");
        file(tar, "./a", b"12345");
        add(tar, tar::EntryType::Link, "./b", "./a", b"");
        file(tar, "./c", b"67");
    });
    let mut contents = Vec::new();
    let package = Package::read(deb(&data).as_slice(), &Limits::default(), |_, content| {
        content.read_to_end(&mut contents).map(drop)
    })
    .unwrap();
    assert_eq!(contents, b"1234567");
    let kinds: Vec<MemberKind> = package.members.into_iter().map(|member| member.kind).collect();
    assert_eq!(
        kinds,
        [
            MemberKind::Directory,
            MemberKind::File { size: 5, offset: 0 },
            MemberKind::HardLink { target: TreePath::from_absolute(b"/a").unwrap() },
            MemberKind::File { size: 2, offset: 5 },
        ]
    );
}

#[test]
fn members_that_would_leave_the_tree_are_refused() {
    assert_eq!(refusal(|tar| file(tar, "./../x", b"")), "malformed input: path \"./../x\": climbs with `..`");
    assert_eq!(refusal(|tar| file(tar, "/etc/x", b"")), "malformed input: path \"/etc/x\": is absolute");
    let through_link = refusal(|tar| {
        add(tar, tar::EntryType::Symlink, "./a", "/etc", b"");
        file(tar, "./a/passwd", b"");
    });
    assert_eq!(through_link, "malformed input: /a/passwd lies below /a, which is not a directory");
    let hard_link = refusal(|tar| add(tar, tar::EntryType::Link, "./a", "etc/shadow", b""));
    assert_eq!(
        hard_link,
        "malformed input: /a: hard link to /etc/shadow, which is no earlier file of the package"
    );
    assert!(refusal(|tar| file(tar, ".", b"")).starts_with("malformed"));
}

#[test]
fn members_no_package_needs_are_refused() {
    for kind in [
        tar::EntryType::Char,
        tar::EntryType::Block,
        tar::EntryType::Fifo,
        tar::EntryType::GNUSparse,
        tar::EntryType::Continuous,
        tar::EntryType::XGlobalHeader,
    ] {
        assert!(refusal(|tar| add(tar, kind, "./a", "", b"")).contains("is not allowed"), "{kind:?}");
    }
    let duplicate = refusal(|tar| {
        file(tar, "./a", b"");
        file(tar, "./b/../a", b"");
    });
    assert!(duplicate.contains("climbs"));
    let duplicate = refusal(|tar| {
        file(tar, "./a", b"");
        file(tar, "a", b"");
    });
    assert_eq!(duplicate, "malformed input: /a appears twice");
}

#[test]
fn extended_headers_may_name_and_attribute_but_not_resize() {
    let data = tar(|tar| {
        let capability: (&str, &[u8]) = ("SCHILY.xattr.security.capability", b"\x01\0\n=");
        tar.append_pax_extensions([("path", &b"./long/name"[..]), capability]).unwrap();
        file(tar, "./short", b"1");
        file(tar, "./plain", b"");
    });
    let members = read(&deb(&data)).unwrap().members;
    assert_eq!(members[0].path.to_string(), "/long/name");
    assert_eq!(members[0].xattrs, [("security.capability".to_owned(), b"\x01\0\n=".to_vec())]);
    assert!(members[1].xattrs.is_empty(), "an extended header speaks of one member only");
    for key in ["size", "GNU.sparse.realsize", "GNU.sparse.name", "SCHILY.xattr."] {
        let refused = refusal(|tar| tar.append_pax_extensions([(key, &b"9"[..])]).unwrap());
        assert!(refused.contains("is not allowed"), "{key}: {refused}");
    }
}

#[test]
fn absurd_sizes_are_refused_before_they_are_read() {
    let bomb = |size: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_path("a").unwrap();
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    assert!(read(&deb(&bomb(u64::MAX / 2))).unwrap_err().to_string().contains("larger than the limits"));
    let zeros = deb(&vec![0; 3 << 20]);
    assert!(read(&zeros).unwrap_err().to_string().contains("larger than the limits"));
    let many = refusal(|tar| (0..200).for_each(|index| file(tar, &format!("./{index}"), b"")));
    assert!(many.contains("larger than the limits"));
    let long_name = refusal(|tar| add(tar, tar::EntryType::GNULongName, "././@LongLink", "", &[b'a'; 5000]));
    assert!(long_name.contains("larger than the limits"));
}

#[test]
fn the_outer_archive_has_three_members_in_order() {
    let control = tar(|tar| file(tar, "./control", CONTROL));
    let data = tar(|_| ());
    let cases: [&[(&str, &[u8])]; 6] = [
        &[],
        &[("control.tar", &control), ("data.tar", &data)],
        &[("debian-binary", b"3.0\n"), ("control.tar", &control), ("data.tar", &data)],
        &[("debian-binary", b"2.0\n"), ("control.tar", &control)],
        &[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar.bz2", &data)],
        &[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", &data), ("more", b"")],
    ];
    for members in cases {
        let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
        assert!(matches!(read(&ar(members)), Err(Error::Malformed(_))), "{names:?}");
    }
}

#[test]
fn the_control_archive_is_flat() {
    for name in ["./dir/control", "./list", "./a b"] {
        let control = tar(|tar| {
            file(tar, "./control", CONTROL);
            file(tar, name, b"");
        });
        let bytes = ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", &tar(|_| ()))]);
        assert!(read(&bytes).is_err(), "{name}");
    }
}

#[test]
fn broken_control_files_are_refused() {
    for (control, reason) in [
        (&b"nonsense"[..], "control data, line 1: not of the form `Name: value`"),
        (b"", "expected one paragraph, found none"),
        (b"Package: x\nVersion: 1\n", "field Architecture is missing"),
        (b"Package: x\nVersion: one\nArchitecture: all\n", "version \"one\": upstream part"),
        (b"Package: ../x\nVersion: 1\nArchitecture: all\n", "Package \"../x\" is not acceptable"),
        (b"Package: x\nPackage: y\n", "field Package appears twice"),
        (b"Package: \xff\n", "line 1: not UTF-8"),
    ] {
        let control = tar(|tar| file(tar, "./control", control));
        let bytes = ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", &tar(|_| ()))]);
        let told = read(&bytes).unwrap_err().to_string();
        assert!(told.starts_with("malformed input: ") && told.contains(reason), "{told}");
    }
    let bytes = ar(&[("debian-binary", b"2.0\n"), ("control.tar", &tar(|_| ())), ("data.tar", &tar(|_| ()))]);
    assert_eq!(read(&bytes).unwrap_err().to_string(), "malformed input: no control file");
}

#[test]
fn every_truncation_is_an_error() {
    let whole = deb(&tar(|tar| file(tar, "./a", &[7; 700])));
    assert!(read(&whole).is_ok());
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
    }
}

#[test]
fn files_and_their_hard_links_have_sums() {
    let data = tar(|tar| {
        file(tar, "./a", b"abc");
        add(tar, tar::EntryType::Link, "./b", "./a", b"");
        add(tar, tar::EntryType::Symlink, "./c", "a", b"");
    });
    let sums: Vec<_> = read(&deb(&data)).unwrap().members.iter().map(|member| member.sha256).collect();
    assert_eq!(sums, [Some(Sha256::of(b"abc")), Some(Sha256::of(b"abc")), None]);
}

fn stored(package: &Package) -> serde_json::Value {
    serde_json::to_value(package).unwrap()
}

fn restored(value: serde_json::Value) -> std::result::Result<Package, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[test]
fn a_stored_package_is_held_to_the_rules_of_archives() {
    let whole = stored(
        &read(&deb(&tar(|tar| {
            file(tar, "./a", b"abc");
            file(tar, "./b", b"");
            add(tar, tar::EntryType::Link, "./c", "./a", b"");
        })))
        .unwrap(),
    );
    let changed = |pointer: &str, value: serde_json::Value| {
        let mut package = whole.clone();
        *package.pointer_mut(pointer).unwrap() = value;
        restored(package).unwrap_err()
    };
    let script = serde_json::json!([{"name": "../x", "mode": 493, "mtime": 0, "content": ""}]);
    let twice = serde_json::json!([{"name": "control", "mode": 420, "mtime": 0, "content": ""}]);
    for (pointer, value, reason) in [
        ("/members/0/path", "/a/../b".into(), "climbs with `..`"),
        ("/members/0/path", "a".into(), "is not absolute"),
        ("/members/0/path", r"/\xfg".into(), "broken escape"),
        ("/members/1/path", "/a".into(), "/a appears twice"),
        ("/members/1/path", "/a/b".into(), "lies below /a"),
        ("/members/1/kind/file/offset", 2.into(), "does not start where"),
        ("/members/2/kind/hard_link/target", "/c".into(), "no earlier file"),
        ("/members/0/sha256", "abc".into(), "a SHA-256 has 64 hexadecimal digits"),
        ("/members/0/md5", "abc".into(), "is not 32 digits"),
        ("/control", "Package: ../x\nVersion: 1\nArchitecture: all\n".into(), "is not acceptable"),
        ("/control_files", script, "\"../x\" appears twice among the control files, or is no name"),
        ("/control_files", twice, "\"control\" appears twice"),
    ] {
        let told = changed(pointer, value);
        assert!(told.contains(reason), "{pointer}: {told}");
    }
}

/// What the members of a made-up package are.
fn any_member() -> impl Strategy<Value = (tar::EntryType, Vec<u8>, Vec<u8>)> {
    use tar::EntryType::{Directory, Regular, Symlink};
    let name =
        prop::collection::vec(any::<u8>().prop_filter("separates", |byte| !b"\0\n/.".contains(byte)), 1..9);
    let content = prop::collection::vec(1_u8.., 1..20);
    (prop::sample::select(vec![Regular, Directory, Symlink]), name, content)
}

proptest! {
    #[test]
    fn a_stored_package_is_read_again_as_it_was(
        members in prop::collection::vec(any_member(), 0..5),
        script in prop::collection::vec(any::<u8>(), 0..30),
    ) {
        let data = tar(|tar| {
            for (index, (kind, name, content)) in members.iter().enumerate() {
                let path = [format!("./{index}").as_bytes(), name].concat();
                let attribute: (&str, &[u8]) = ("SCHILY.xattr.user.x", content);
                tar.append_pax_extensions([("path", path.as_slice()), ("linkpath", content), attribute]).unwrap();
                add(tar, *kind, "./name", "", if *kind == tar::EntryType::Regular { content } else { b"" });
            }
        });
        let control = tar(|tar| {
            file(tar, "./control", CONTROL);
            file(tar, "./postinst", &script);
        });
        let bytes = ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", &data)]);
        let package = read(&bytes).unwrap();
        prop_assert_eq!(package.members.len(), members.len());
        prop_assert_eq!(restored(stored(&package)), Ok(package));
    }
}
