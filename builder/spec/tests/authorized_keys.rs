//! Lines of `authorized_keys`, judged by ssh-keygen, which reads keys with sshd's code; its options it only passes over.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, process::Command};

use base64ct::{Base64, Encoding};
use imgforge_spec::{InvalidKey, check_authorized_key};
use tempfile::TempDir;

const ED25519: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D";

/// The type and data of a new key.
fn generated(folder: &Path, kind: &str, bits: &str) -> (String, Vec<u8>) {
    let file = folder.join(format!("{kind}-{bits}"));
    let mut program = Command::new("ssh-keygen");
    program.args(["-q", "-N", "", "-t", kind, "-b", bits, "-f"]).arg(&file);
    assert!(program.status().expect("ssh-keygen (openssh-client) is needed").success());
    let line = fs::read_to_string(file.with_extension("pub")).unwrap();
    let mut words = line.split(' ');
    (words.next().unwrap().to_owned(), Base64::decode_vec(words.next().unwrap()).unwrap())
}

/// The same key on a security token, where no such device is at hand to make one.
fn on_token(kind: &str, (plain, data): &(String, Vec<u8>)) -> (String, Vec<u8>) {
    let mut token = string(kind.as_bytes());
    token.extend(&data[4 + plain.len()..]);
    token.extend(string(b"ssh:"));
    (kind.to_owned(), token)
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn keys(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let generated = |kind, bits| generated(folder, kind, bits);
    let (ed25519, p256) = (generated("ed25519", "256"), generated("ecdsa", "256"));
    let tokens = [
        on_token("sk-ssh-ed25519@openssh.com", &ed25519),
        on_token("sk-ecdsa-sha2-nistp256@openssh.com", &p256),
    ];
    let others = [("rsa", "1024"), ("rsa", "2048"), ("ecdsa", "384"), ("ecdsa", "521")];
    let others = others.map(|(kind, bits)| generated(kind, bits));
    [ed25519, p256].into_iter().chain(others).chain(tokens).collect()
}

/// Data that is a little other than it should be.
fn mutations(kind: &str, data: &[u8]) -> Vec<Vec<u8>> {
    let cut = (0..data.len()).map(|end| data[..end].to_vec());
    let longer = [b"\0".as_slice(), b"\0\0\0\0", b"more"].map(|more| [data, more].concat());
    let inner = ["ssh-rsa", "ssh-ed25519", "ssh-dss", "ecdsa-sha2-nistp384", ""]
        .map(|other| [&string(other.as_bytes()), &data[4 + kind.len()..]].concat());
    // Up to where the coordinates of the shortest point begin: of those we do not ask whether they are on the curve.
    let flipped = (0..40).flat_map(|at| {
        [0x01, 0x80].map(|bit| {
            let mut data = data.to_vec();
            data[at] ^= bit;
            data
        })
    });
    cut.chain(longer).chain(inner).chain(flipped).collect()
}

fn lines(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for (kind, data) in keys(folder) {
        let text = Base64::encode_string(&data);
        let (half, rest) = text.split_at(text.len() / 2);
        let unpadded = text.trim_end_matches('=');
        lines.extend([
            format!("{kind} {text}"),
            format!(" \t{kind}\t  {text}\t"),
            format!("{kind} {half} {rest}"),
            format!("{kind} {unpadded}="),
            format!("{kind} {unpadded}"),
            format!("{kind}{text}"),
            text.clone(),
            kind.clone(),
            format!("no-pty,command=\"echo \\\"a b\\\" ssh-rsa x\" {kind} {text}"),
            format!("command=\"echo {kind} {text}"),
            format!("no-pty no-pty {kind} {text}"),
        ]);
        let changed = mutations(&kind, &data);
        lines.extend(changed.iter().map(|data| format!("{kind} {}", Base64::encode_string(data))));
    }
    let modulus = |bytes: usize| {
        let number = [&[0_u8][..], &vec![0xc1; bytes]].concat();
        let data = [string(b"ssh-rsa"), string(&[1, 0, 1]), string(&number)].concat();
        format!("ssh-rsa {}", Base64::encode_string(&data))
    };
    lines.extend([127, 128, 2048, 2049].map(modulus));
    lines
}

#[test]
fn what_we_take_ssh_keygen_takes_and_the_other_way_round() {
    let folder = TempDir::new().unwrap();
    let lines = lines(folder.path());
    // Each line is told apart in what ssh-keygen prints by its comment.
    let numbered: String = lines.iter().enumerate().map(|(i, line)| format!("{line} line-{i}\n")).collect();
    let file = folder.path().join("authorized_keys");
    fs::write(&file, numbered).unwrap();
    let output = Command::new("ssh-keygen").arg("-lf").arg(&file).output().unwrap();
    let taken = String::from_utf8(output.stdout).unwrap();
    let mut both = [0, 0];
    for (index, line) in lines.iter().enumerate() {
        let theirs = taken.split_whitespace().any(|word| word == format!("line-{index}"));
        let ours = check_authorized_key(&format!("{line} line-{index}"));
        assert_eq!(ours.is_ok(), theirs, "{line}: {ours:?}");
        both[usize::from(theirs)] += 1;
    }
    assert!(both[0] > 1000 && both[1] > 40, "{both:?}");
}

#[test]
fn options_are_those_that_sshd_knows() {
    for good in [
        "from=\"10.0.0.0/8\",command=\"/usr/bin/ssh-add -l\"",
        "command=\"echo ssh-only\"",
        "restrict,pty,NO-X11-Forwarding",
        "environment=\"A=1\",environment=\"B=\\\"2\\\"\",permitopen=\"host:80\",expiry-time=\"20300101\"",
        "no-pty,",
        "cert-authority,principals=\"ops\"",
    ] {
        assert_eq!(check_authorized_key(&format!("{good} ssh-ed25519 {ED25519} x")), Ok(()), "{good}");
    }
    for (bad, option) in [
        ("no-tty", "no-tty"),
        ("no-restrict", "no-restrict"),
        ("from=10.0.0.1", "from"),
        ("command", "command"),
        ("pty=\"yes\"", "pty"),
        ("command=\"a\",no-pty,command=\"b\"", "command"),
        ("command=\"a\"no-pty", "command"),
        (",no-pty", ""),
    ] {
        let error = check_authorized_key(&format!("{bad} ssh-ed25519 {ED25519}")).unwrap_err();
        assert!(
            matches!(&error, InvalidKey::Option { option: named, .. } if named == option),
            "{bad}: {error}"
        );
    }
}

#[test]
fn every_mistake_is_called_by_its_name() {
    let second = format!("ssh-ed25519 {ED25519} me ssh-ed25519 {ED25519} you");
    let (half, rest) = ED25519.split_at(40);
    let certificate = format!("ssh-ed25519-cert-v01@openssh.com {ED25519}");
    for (line, error) in [
        (second, InvalidKey::SecondKey),
        (format!("ssh-ed25519 {half} {rest} me"), InvalidKey::Cut),
        (format!("ssh-ed25519 {half}"), InvalidKey::Data("ssh-ed25519")),
        (format!("ssh-ed25519 {half} me@home"), InvalidKey::Data("ssh-ed25519")),
        (format!("ssh-rsa {ED25519}"), InvalidKey::OtherType { said: "ssh-rsa", is: "ssh-ed25519".into() }),
        ("ssh-dss AAAAB3NzaC1kc3MAAAA me".into(), InvalidKey::Outdated("ssh-dss")),
        (certificate, InvalidKey::Certificate("ssh-ed25519-cert-v01@openssh.com".into())),
        (ED25519.to_owned() + " me", InvalidKey::NoType),
        ("me@home".into(), InvalidKey::NoKey),
        ("ssh-ed448 AAAA me".into(), InvalidKey::NoKey),
        ("# the laptop".into(), InvalidKey::Empty),
        (String::new(), InvalidKey::Empty),
        (format!("ssh-ed25519 {ED25519}\nssh-ed25519 {ED25519}"), InvalidKey::Lines),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz".into(), InvalidKey::Private),
        ("PuTTY-User-Key-File-3: ssh-ed25519".into(), InvalidKey::Private),
        ("---- BEGIN SSH2 PUBLIC KEY ----".into(), InvalidKey::OtherForm),
        (format!("command=\"x ssh-ed25519 {ED25519}"), InvalidKey::Quote),
    ] {
        assert_eq!(check_authorized_key(&line), Err(error), "{line}");
    }
}
