//! The fuzz targets on mutations of what real tools make, for a bounded time, from fixed seeds.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

#[path = "../../../fuzz/targets/debian_seal.rs"]
#[allow(dead_code, reason = "the rest finds its way in packages that nobody here has made")]
mod seal;
mod support;
#[path = "../../../fuzz/targets/debian.rs"]
mod targets;

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use support::gnupg::Gnupg;
use support::{Recipe, shell};

/// How long one input may keep a target busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long each target runs unless `FUZZ_SECONDS` says otherwise.
const USUAL_SECONDS: u64 = 3;

/// As many inputs are looked at however slow the machine is, so that some are accepted.
const FEWEST: u64 = 100;

const BLOCK: usize = 512;

/// SplitMix64: small, seeded, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Does up to four things: changes bits and bytes, writes tokens that mean something, and moves pieces of the input about.
fn mutate(bytes: &mut Vec<u8>, tokens: &[&str], random: &mut Random) {
    for _ in 0..random.below(5) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => drop(bytes.drain(at..(at + 1 + random.below(40)).min(bytes.len()))),
            3 => {
                let piece = bytes[at..(at + random.below(200)).min(bytes.len())].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            4 => drop(bytes.splice(at..at, random.pick(tokens).bytes())),
            _ => {
                let token = random.pick(tokens);
                bytes.splice(at..(at + token.len()).min(bytes.len()), token.bytes());
            }
        }
        if bytes.is_empty() {
            return;
        }
    }
}

/// Gives one input after the other to a target until the time is up. `FUZZ_SECONDS` asks for more time, `FUZZ_SEED` for
/// another first seed. Tells how many inputs were accepted, of how many.
fn fuzz(input: impl Fn(&mut Random) -> Vec<u8> + Send + 'static, target: fn(&[u8]) -> bool) -> (u64, u64) {
    let asked = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let (seconds, first) = (asked("FUZZ_SECONDS").unwrap_or(USUAL_SECONDS), asked("FUZZ_SEED").unwrap_or(0));
    let (report, reports) = mpsc::channel();
    let worker = thread::spawn(move || {
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut accepted = 0;
        for seed in first.. {
            if Instant::now() > end && seed - first >= FEWEST {
                return (accepted, seed - first);
            }
            report.send(seed).unwrap();
            accepted += u64::from(target(&input(&mut Random(seed))));
        }
        unreachable!("seeds end after the time")
    });
    let mut last = None;
    loop {
        match reports.recv_timeout(PATIENCE) {
            Ok(seed) => last = Some(seed),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                panic!("seed {last:?} keeps the target busy for {PATIENCE:?}")
            }
        }
    }
    let (accepted, inputs) = worker.join().unwrap_or_else(|panic| {
        eprintln!("seed {last:?}");
        std::panic::resume_unwind(panic)
    });
    println!("{accepted} of {inputs} inputs accepted");
    (accepted, inputs)
}

/// Both are worth looking at: inputs that are taken, and those that are not.
fn assert_both((accepted, inputs): (u64, u64)) {
    assert!(0 < accepted && accepted < inputs, "{accepted} of {inputs} inputs accepted");
}

/// The members of a package with all that packages have: control archive and data archive, both plain.
fn package() -> (Vec<u8>, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let recipe = Recipe {
        name: "x",
        architecture: "arm64",
        fields: "Multi-Arch: same\nDepends: b (>= 1) | c, d:any\n",
        script: "mkdir -p usr/bin etc; echo a > usr/bin/a; ln usr/bin/a usr/bin/b; ln -s a usr/bin/link
                 long=$(printf 'n%.0s' $(seq 150)); echo long > etc/$long; ln -s $long etc/x
                 echo /etc/$long > DEBIAN/conffiles; printf 'interest /etc\\nactivate-noawait a\\n' > DEBIAN/triggers
                 cat > DEBIAN/preinst <<'E'
#!/bin/sh
set -e
case \"$1\" in install) if ! getent passwd _x >/dev/null; then mkdir -p /var/x; fi;; esac
dpkg-divert --package x --add --divert /a.real /a
E
                 chmod 755 DEBIAN/preinst",
    };
    recipe.build(directory.path(), "none");
    shell(directory.path(), "dpkg-deb --ctrl-tarfile x.deb > control; dpkg-deb --fsys-tarfile x.deb > data");
    let member = |name| std::fs::read(directory.path().join(name)).unwrap();
    (member("control"), member("data"))
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

/// Damages blocks of a tar archive, and makes the checksums of the damaged headers hold: they protect nothing.
fn mutate_tar(tar: &mut [u8], random: &mut Random) {
    for _ in 0..1 + random.below(3) {
        let start = random.below(tar.len() / BLOCK) * BLOCK;
        let Some((block, others)) = tar.split_at_mut(start).1.split_at_mut_checked(BLOCK) else { continue };
        let field = random.pick(&[0, 100, 124, 125, 135, 156, 157, 257, 345, 2, 20]);
        match random.below(4) {
            0 => block[random.below(BLOCK)] ^= 1 << random.below(8),
            1 => block[156] = random.pick(b"01235567xgLKSVM\0"),
            2 => {
                let value = random.pick(&[
                    "../x\0",
                    "/x\0",
                    "7777777",
                    "\u{ff}\u{7f}",
                    "\0\0\0\0",
                    "./usr\0",
                    "99 path=x\n",
                ]);
                block[field..field + value.len()].copy_from_slice(value.as_bytes());
            }
            _ if others.len() >= BLOCK => block.copy_from_slice(&others[..BLOCK]),
            _ => {}
        }
        seal::seal_header(block);
    }
}

#[test]
fn fuzzed_packages() {
    let (control, data) = package();
    let input = move |random: &mut Random| {
        let (mut control, mut data) = (control.clone(), data.clone());
        match random.below(4) {
            0 => mutate(&mut control, &["a\n", "\nDepends: ", "/etc/", "$(", "case", "interest /"], random),
            1 => mutate_tar(&mut control, random),
            _ => mutate_tar(&mut data, random),
        }
        let mut deb = ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", &data)]);
        if random.below(8) == 0 {
            mutate(&mut deb, &["data.tar.xz", "99999999", "`\n"], random);
        }
        deb
    };
    assert_both(fuzz(input, targets::deb));
}

#[test]
fn fuzzed_scripts() {
    let script = "#!/bin/sh -e\ncase \"$1\" in\ninstall) x=${1:-\"*\"}; for y in a b; do [ -z \"$y\" ] || continue; done;;\nesac\n\
        f() { local n=\"$1\"; shift; test $# -gt 0 && f \"$@\"; return $((n + 1)); }\nf 1 2 || :\n\
        if ! getent passwd _x >/dev/null; then : \"${y%%.*}\"; fi\ncat <<E >/dev/null\n$x\nE\n";
    let input = move |random: &mut Random| {
        let mut bytes = script.as_bytes().to_vec();
        let tokens = [
            "$(", "`", "\"", "'", "\\\n", ";;", "esac", " || ", "! ", "${x#", "<<E\n", "{ ", "rm -rf /",
            "\n#",
        ];
        mutate(&mut bytes, &tokens, random);
        bytes
    };
    assert_both(fuzz(input, targets::shell));
}

#[test]
fn fuzzed_tarballs() {
    let (_, data) = package();
    let input = move |random: &mut Random| {
        let mut tar = data.clone();
        mutate_tar(&mut tar, random);
        tar
    };
    assert_both(fuzz(input, targets::tarball));
}

#[test]
fn fuzzed_control_data() {
    let stanza = "Package: a\nStatus: install ok installed\nArchitecture: arm64\nVersion: 1:2-3\n\
        Depends: b (>= 1), c | d (<< 2~), e:any\nProvides: f (= 1)\nConffiles:\n /etc/a 00\nDescription: short\n long\n .\n";
    let input = move |random: &mut Random| {
        let mut bytes = [stanza, "\n", stanza][..1 + 2 * random.below(2)].concat().into_bytes();
        mutate(
            &mut bytes,
            &["\n", "\n\n", ": ", " |", ",", "(= ", ")", "\t", "#", "\nA:", " installed", "\u{e9}"],
            random,
        );
        bytes
    };
    assert_both(fuzz(input, targets::control));
}

#[test]
fn fuzzed_package_indexes() {
    let entry = |name: &str, version: u32, relations: &str| {
        let sum = "0".repeat(64);
        format!(
            "Package: {name}\nVersion: {version}\nArchitecture: arm64\n{relations}Filename: p/{name}.deb\nSize: 1\nSHA256: {sum}\n\n"
        )
    };
    let index = entry("a", 1, "Depends: b (>= 1), c | v\nConflicts: d\n")
        + &entry("b", 2, "Provides: v (= 1)\nPre-Depends: c\nMulti-Arch: foreign\n")
        + &entry("c", 1, "Breaks: b (<< 1)\nRecommends: d\n")
        + &entry("a", 2, "Depends: a (= 1)\nReplaces: b\n")
        + &entry("d", 1, "Depends: a, v\n");
    let tokens = [
        "\n\n",
        "a",
        "b",
        "v",
        " (= 1)",
        " (<< 1)",
        ", ",
        " | ",
        "\nDepends: ",
        "\nConflicts: ",
        "\nProvides: ",
    ];
    let input = move |random: &mut Random| {
        let mut bytes = index.clone().into_bytes();
        mutate(&mut bytes, &tokens, random);
        bytes
    };
    assert_both(fuzz(input, targets::packages));
}

#[test]
fn fuzzed_source_lists() {
    let line =
        "deb [arch=arm64,armhf signed-by=/k.gpg] http://a/ trixie main contrib # x\ndeb file:/srv ./a/b/\n";
    let stanza = "Types: deb deb-src\nURIs: http://a http://b/\nSuites: x y/z\nComponents: main\nArchitectures: arm64\n\
        Enabled: yes\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n a=\n";
    let input = move |random: &mut Random| {
        let mut bytes = random.pick(&[line, stanza]).as_bytes().to_vec();
        mutate(
            &mut bytes,
            &["/", "..", "/../", "[", "]", "#", " ", "\n", ":", "$(ARCH)", "\n\n", ",", "deb "],
            random,
        );
        bytes
    };
    assert_both(fuzz(input, targets::sources));
}

/// No change of a signed file or of the keyring makes another text pass for the signed one.
#[test]
fn fuzzed_signed_releases() {
    let gnupg = Gnupg::new();
    gnupg.key("one", "ed25519", "sign,cert", "never");
    let sum = "0".repeat(64);
    let text = format!(
        "Suite: stable\nDate: Sat, 17 May 2025 08:14:25 UTC\nSHA256:\n {sum} 7 main/binary-arm64/Packages.xz\n"
    );
    let file = gnupg.sign_text(&text, &["--clear-sign"], "one");
    gnupg.keyring();
    let keyring = std::fs::read(gnupg.path("keys")).unwrap();
    let seeds =
        format!("{}\0{}\0{text}", String::from_utf8(keyring).unwrap(), String::from_utf8(file).unwrap());

    let target = |bytes: &[u8]| {
        let parts: Vec<&[u8]> = bytes.splitn(3, |&byte| byte == 0).collect();
        let [keyring, file, text] = parts[..] else { return false };
        let found = targets::in_release(keyring, file, support::gnupg::MADE + 1000);
        assert!(
            found.as_deref().is_none_or(|found| found == text.trim_ascii_end()),
            "{}",
            String::from_utf8_lossy(&found.unwrap())
        );
        found.is_some()
    };
    let tokens = [
        "\n",
        "- ",
        "-----",
        "=",
        "Hash: SHA512\n",
        "\n\n",
        "A",
        "-----BEGIN PGP SIGNED MESSAGE-----\n",
        "\r",
    ];
    let input = move |random: &mut Random| {
        let parts: Vec<&str> = seeds.split('\0').collect();
        let mut parts: Vec<Vec<u8>> = parts.into_iter().map(|part| part.as_bytes().to_vec()).collect();
        let which = random.below(2);
        mutate(&mut parts[which], &tokens, random);
        parts[..2].iter_mut().for_each(|part| part.retain(|&byte| byte != 0));
        parts.join(&0)
    };
    assert_both(fuzz(input, target));
}
