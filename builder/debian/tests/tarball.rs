//! Release tarballs as `tar` makes them, read back member by member.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod support;

use imgforge_debian::{Error, Limits, MemberKind, Result, Sha256, read_tarball};
use support::shell;

const COMPRESSIONS: [(&str, &str); 4] =
    [("none", "cat"), ("gzip", "gzip"), ("xz", "xz"), ("zstd", "zstd --quiet")];

/// A tree such as projects release, packed by `tar` with these arguments.
fn pack(arguments: &str, compressor: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    shell(
        directory.path(),
        &format!(
            "mkdir -p tree/bin; head -c 200000 /dev/urandom > tree/bin/bridge; chmod 755 tree/bin/bridge
             ln tree/bin/bridge tree/bin/host-local; ln -s bin/bridge tree/link; echo text > tree/README
             tar --directory tree --sort=name --create {arguments} > out.tar; {compressor} < out.tar > out"
        ),
    );
    std::fs::read(directory.path().join("out")).unwrap()
}

fn read(tarball: &[u8]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let members = read_tarball(tarball, &Limits::default(), |member, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        if matches!(member.kind, MemberKind::File { .. }) {
            lines.push(format!("{} {:o} {}", member.path, member.mode, Sha256::of(&bytes)));
        }
        Ok(())
    })?;
    let sums = members.iter().filter(|member| matches!(member.kind, MemberKind::File { .. }));
    let sums: Vec<String> = sums.map(|member| member.sha256.unwrap().to_string()).collect();
    assert!(lines.iter().zip(&sums).all(|(line, sum)| line.ends_with(sum.as_str())), "{lines:?} {sums:?}");
    lines.extend(members.iter().map(|member| format!("{} {:?}", member.path, member.kind)));
    Ok(lines)
}

#[test]
fn every_compression_and_format_reads_alike() {
    for format in ["gnu", "posix", "ustar"] {
        for (name, compressor) in COMPRESSIONS {
            let lines = read(&pack(&format!("--format={format} ."), compressor)).unwrap();
            let starts = ["/README 644", "/bin/bridge 755", "/ Directory", "/README File", "/bin Directory"];
            assert!(
                lines.iter().zip(starts).all(|(line, start)| line.starts_with(start)),
                "{format} {name}: {lines:#?}"
            );
            assert_eq!(
                lines[6..],
                ["/bin/host-local HardLink { target: \"/bin/bridge\" }", &lines[7]],
                "{format} {name}"
            );
            assert!(lines[7].starts_with("/link Symlink"), "{format} {name}: {lines:#?}");
        }
    }
}

#[test]
fn the_refusals_are_those_of_packages() {
    for (arguments, reason) in [
        ("--absolute-names --transform 's,README,../README,' README", "climbs with `..`"),
        ("--absolute-names --transform 's,README,/etc/passwd,' README", "is absolute"),
        ("--transform 's,README,link/README,' link README", "/link/README lies below /link"),
        ("README ./README", "/README appears twice"),
        ("--directory /dev null", "archive member of type '3' is not allowed"),
        ("--files-from /dev/null", "an archive without members"),
    ] {
        let told = read(&pack(arguments, "gzip")).unwrap_err().to_string();
        assert!(told.starts_with("malformed input: ") && told.contains(reason), "{arguments}: {told}");
    }
}

#[test]
fn early_ends_are_noticed_in_every_compression() {
    for (name, compressor) in COMPRESSIONS {
        let whole = pack(".", compressor);
        for length in (0..whole.len() - 20_000).step_by(9973) {
            assert!(read(&whole[..length]).is_err(), "{name}: {length} of {} bytes", whole.len());
        }
    }
}

#[test]
fn bombs_are_refused_with_bounded_memory() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { data: 1 << 20, ..Limits::default() };
    for compressor in ["gzip", "xz", "zstd --quiet"] {
        // One file that is too large, and zeros after the end of the archive.
        shell(directory.path(), &format!("truncate -s 64M large; tar -c large | {compressor} > file"));
        shell(
            directory.path(),
            &format!("(tar -c -T /dev/null; head -c 64M /dev/zero) | {compressor} > tail"),
        );
        for name in ["file", "tail"] {
            let bomb = std::fs::File::open(directory.path().join(name)).unwrap();
            let error = read_tarball(bomb, &limits, |_, _| Ok(())).unwrap_err();
            assert!(matches!(error, Error::Malformed(_)), "{name}: {error}");
            assert!(error.to_string().contains("larger than the limits"), "{name}: {error}");
        }
    }
}
