//! Packages that a pinned key vouches for, and that are broken, hostile, or not for this board all the same.

use crate::supplied::{Supplied, tool};
use imgforge_tests::{Deb, regular, succeeds};
use tar::EntryType;

/// What the user is told of packages that need their own code to run.
const LEAVE_OUT: &str = "hint: leave these packages out and let apt install them on the running node, or take a base that has them";

/// What the user is told where no set of packages will do.
const OTHERS: &str = "hint: nothing of the base is upgraded or removed: ask for other packages or versions, or take a newer base";

/// What the user is told of a broken package.
const BROKEN: &str = "hint: it was published like this: take another version, and tell who publishes it";

/// A tar archive of these members, without content.
fn archive(members: &[(&str, EntryType)]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, kind) in members {
        let mut header = regular(name, 0);
        header.set_entry_type(*kind);
        header.set_cksum();
        archive.extend(header.as_bytes());
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// `imgforge lock` refuses the package `tool` with these bytes, for this reason.
fn refuses_deb(deb: &[u8], reason: &str) {
    let mut supplied = Supplied::new();
    supplied.repository.add_as(&tool("1.0"), deb);
    let reason = format!("  caused by: malformed input: {reason}");
    supplied.lock_refuses(1, &["error: cannot unpack tool 1.0 arm64", &reason, BROKEN]);
}

/// The same of a package with these members.
fn refuses_members(members: &[(&str, EntryType)], reason: &str) {
    refuses_deb(&tool("1.0").with_data(&archive(members)), reason);
}

#[test]
fn no_member_leads_out_of_the_image() {
    for name in ["../etc/passwd", "./usr/../../etc/passwd"] {
        refuses_members(&[(name, EntryType::Regular)], &format!("path {name:?}: "));
    }
    refuses_members(&[("/etc/passwd", EntryType::Regular)], "path \"/etc/passwd\": ");
    let below = [
        ("./usr/", EntryType::Directory),
        ("./usr/tool", EntryType::Regular),
        ("./usr/tool/x", EntryType::Regular),
    ];
    refuses_members(&below, "/usr/tool/x lies below /usr/tool, which is not a directory");
}

#[test]
fn no_link_of_a_package_leads_its_files_elsewhere() {
    let mut link = regular("./escape", 0);
    link.set_entry_type(EntryType::Symlink);
    link.set_link_name("../../..").expect("a target");
    link.set_cksum();
    let below = archive(&[("./escape/etc/passwd", EntryType::Regular)]);
    let deb = tool("1.0").with_data(&[link.as_bytes(), &below[..]].concat());
    refuses_deb(&deb, "/escape/etc/passwd lies below /escape, which is not a directory");
}

#[test]
fn only_files_folders_and_links_are_unpacked() {
    for (kind, code) in [(EntryType::Char, '3'), (EntryType::Block, '4'), (EntryType::Fifo, '6')] {
        let reason = format!("/tool: archive member of type {code:?} is not allowed");
        refuses_members(&[("./tool", kind)], &reason);
    }
}

#[test]
fn no_member_comes_twice() {
    refuses_members(&[("./tool", EntryType::Regular), ("tool", EntryType::Regular)], "/tool appears twice");
}

#[test]
fn what_would_unpack_without_end_is_refused() {
    // A file of 9 GiB, by its header; and a control archive of 64 MiB in a package of some kilobytes.
    refuses_deb(
        &tool("1.0").with_data(regular("./tool", 9 << 30).as_bytes()),
        "larger than the limits for packages",
    );
    let large = tool("1.0").script("templates", &" ".repeat(64 << 20)).built();
    assert!(large.len() < 1 << 20, "{}", large.len());
    refuses_deb(&large, "larger than the limits for packages");
}

#[test]
fn what_is_no_package_is_refused() {
    let right = tool("1.0").built();
    refuses_deb(b"something else", "not a .deb: no ar archive");
    refuses_deb(&right[..right.len() / 2], "");
    refuses_deb(&[&right[..], b"more"].concat(), "broken ar member header");
}

#[test]
fn a_broken_control_file_is_refused() {
    let mut supplied = Supplied::new();
    let nameless = Deb::new("tool", "1.0").field("Version", "one").with_data(&archive(&[]));
    supplied.repository.add_as(&tool("1.0"), &nameless);
    supplied.lock_refuses(
        1,
        &["error: cannot unpack tool 1.0 arm64", "  caused by: malformed input: version \"one\": ", BROKEN],
    );
}

#[test]
fn a_package_is_what_the_index_calls_it() {
    let mut supplied = Supplied::new();
    supplied.repository.add_as(&tool("1.0"), &Deb::new("other", "2.0").built());
    supplied.lock_refuses(1, &["error: tool 1.0 arm64 is other 2.0 arm64 by its own words", BROKEN]);
}

/// The board wants this package, and the answer has this reason in it.
fn unsolvable(deb: &Deb, reason: &str) {
    let mut supplied = Supplied::new();
    supplied.wants_new(deb);
    let first = "error: the packages of the role master cannot be had";
    supplied
        .lock_refuses(1, &[first, "  caused by: conflict: cannot install:", &format!(" {reason}"), OTHERS]);
}

#[test]
fn why_a_package_cannot_be_had_is_explained() {
    let deb = || Deb::new("node", "2.0");
    unsolvable(&deb().field("Depends", "gone (>= 3)"), "node: Depends: gone (>= 3): not installable");
    unsolvable(&deb().field("Depends", "tool (>= 3)"), "node: Depends: tool (>= 3): 1.0 is to be installed");
    unsolvable(
        &deb().field("Depends", "libpresent (>= 2)"),
        "node: Depends: libpresent (>= 2): the base has 1.0, which stays",
    );
    unsolvable(
        &deb().field("Conflicts", "libpresent"),
        "node: it excludes libpresent, and the base has libpresent 1.0 arm64",
    );
    unsolvable(
        &deb().field("Breaks", "libpresent (<< 2)"),
        "node: it excludes libpresent (<< 2), and the base has libpresent 1.0 arm64",
    );
    unsolvable(&deb().field("Architecture", "amd64"), "node: offered for amd64, the base is arm64");
}

#[test]
fn an_installed_package_is_not_upgraded() {
    let mut supplied = Supplied::new();
    supplied.repository.add(&Deb::new("libpresent", "2.0"));
    supplied.wants("libpresent (>= 2)");
    supplied.lock_refuses(
        1,
        &[
            "error: the packages of the role master cannot be had",
            "  caused by: conflict: cannot install:",
            " libpresent: the base has version 1.0, which stays",
            OTHERS,
        ],
    );
}

#[test]
fn packages_may_depend_on_each_other() {
    let mut supplied = Supplied::new();
    supplied.repository.add(&Deb::new("b", "1").field("Depends", "a"));
    supplied.wants_new(&Deb::new("a", "1").field("Depends", "b"));
    let lock = supplied.locked(&[]);
    assert!(lock.contains("name: a\n") && lock.contains("name: b\n"), "{lock}");
    succeeds(&mut supplied.build(&["--frozen"]));
}

#[test]
fn packages_that_must_each_be_there_before_the_other_are_refused() {
    let mut supplied = Supplied::new();
    supplied.repository.add(&Deb::new("b", "1").field("Pre-Depends", "a"));
    supplied.wants_new(&Deb::new("a", "1").field("Pre-Depends", "b"));
    supplied.lock_refuses(
        1,
        &[
            "error: the packages of the role master cannot be had",
            "  caused by: conflict: b 1 arm64 pre-depends on itself",
            OTHERS,
        ],
    );
}

#[test]
fn what_would_have_to_run_here_is_refused_with_the_command() {
    let mut supplied = Supplied::new();
    supplied
        .wants_new(&Deb::new("node", "2.0").script("preinst", "#!/bin/sh\nset -e\nuseradd --system node\n"));
    supplied.lock_refuses(
        1,
        &[
            "error: packages cannot be added offline:",
            "  node: its preinst must run before it is unpacked: `useradd --system node`",
            LEAVE_OUT,
        ],
    );
}

#[test]
fn kernels_are_refused() {
    let mut supplied = Supplied::new();
    supplied.wants_new(&Deb::new("linux-image", "6.12").file("boot/vmlinuz-6.12", b"kernel"));
    supplied.lock_refuses(
        1,
        &[
            "error: packages cannot be added offline:",
            "  linux-image: it brings /boot/vmlinuz-6.12, which belongs to a kernel",
            LEAVE_OUT,
        ],
    );
}

#[test]
fn programs_of_another_instruction_set_are_refused_by_the_plan() {
    let mut supplied = Supplied::new();
    // The machine field of an ELF header of 64 bits: 62 is x86-64.
    let mut program = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    program.resize(64, 0);
    supplied.wants_new(&Deb::new("node", "2.0").file("usr/bin/node", &program));
    supplied.locked(&[]);
    supplied.refuses(
        supplied.imgforge(&["plan"]),
        1,
        &[
            "error: A board of the tests (arm64) cannot run:",
            "  /usr/bin/node (package node 2.0 arm64): ",
            "hint: take packages and binaries for this board, or a board that runs them",
        ],
    );
}

#[test]
fn two_packages_with_one_file_are_refused() {
    let mut supplied = Supplied::new();
    supplied.wants_new(&Deb::new("node", "2.0").field("Depends", "tool").file("usr/bin/tool", b"mine"));
    supplied.lock_refuses(
        1,
        &[
            "error: the packages of the role master cannot be unpacked",
            "  caused by: conflict: node: tries to overwrite /usr/bin/tool, which is also in tool",
            "hint: leave out one of them, or ask for other packages",
        ],
    );
}
