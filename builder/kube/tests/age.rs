//! Encryption, judged by the program `age`: it opens what is written here, and what it writes is opened here.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use common::random;
use imgforge_kube::pki::age::{Error, Identity, Recipient, decrypt, encrypt, is_encrypted};
use proptest::prelude::*;
use tempfile::TempDir;

/// An SSH key that nobody has the other half of.
const SSH: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN alice@host";

/// A folder with keys that `age-keygen` made.
struct Keys(TempDir);

impl Keys {
    fn new(names: &[&str]) -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        for name in names {
            let output = Command::new("age-keygen").arg("-o").arg(keys.path(name)).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        keys
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// As `age-keygen -y` prints it.
    fn recipient(&self, name: &str) -> String {
        let output = Command::new("age-keygen").arg("-y").arg(self.path(name)).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn identities(&self, name: &str) -> Vec<Identity> {
        Identity::parse_all(&fs::read_to_string(self.path(name)).unwrap()).unwrap()
    }

    fn encrypt(&self, text: &[u8], names: &[&str]) -> String {
        let recipients: Vec<_> =
            names.iter().map(|name| Recipient::parse(&self.recipient(name)).unwrap()).collect();
        encrypt(text, &recipients, &mut random(1)).unwrap()
    }

    /// Lets `age` encrypt `text`.
    fn age_encrypts(&self, text: &[u8], options: &[&str]) -> Vec<u8> {
        let (from, to) = (self.path("text"), self.path("text.age"));
        fs::write(&from, text).unwrap();
        let output = Command::new("age").args(options).arg("-o").arg(&to).arg(&from).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(to).unwrap()
    }
}

fn age_decrypts(file: &Path, key: &Path) -> Output {
    Command::new("age").arg("-d").arg("-i").arg(key).arg(file).output().unwrap()
}

fn text(length: usize) -> Vec<u8> {
    (0..251).cycle().take(length).collect()
}

const LENGTHS: [usize; 8] = [0, 1, 6000, 65535, 65536, 65537, 131072, 200000];

#[test]
fn age_opens_what_is_written_here() {
    let keys = Keys::new(&["one", "two", "other"]);
    for length in LENGTHS {
        let text = text(length);
        let file = keys.path("file");
        fs::write(&file, keys.encrypt(&text, &["one", "two"])).unwrap();
        for name in ["one", "two"] {
            let output = age_decrypts(&file, &keys.path(name));
            assert!(output.status.success(), "{length}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(output.stdout == text, "{length}");
        }
        assert!(!age_decrypts(&file, &keys.path("other")).status.success());
    }
}

#[test]
fn what_age_writes_is_opened_here() {
    let keys = Keys::new(&["one", "two", "other"]);
    let (one, two) = (keys.recipient("one"), keys.recipient("two"));
    for length in LENGTHS {
        let text = text(length);
        for armor in [[].as_slice(), &["-a"]] {
            let file = keys.age_encrypts(&text, &[armor, &["-r", &one, "-r", SSH, "-r", &two]].concat());
            assert!(is_encrypted(&file));
            for name in ["one", "two"] {
                assert!(*decrypt(&file, &keys.identities(name)).unwrap() == text, "{length}");
            }
            assert_eq!(decrypt(&file, &keys.identities("other")).unwrap_err(), Error::NoMatch);
            let mut any = keys.identities("other");
            any.extend(keys.identities("two"));
            assert!(*decrypt(&file, &any).unwrap() == text);
        }
    }
    let for_ssh = keys.age_encrypts(b"text", &["-r", SSH]);
    assert!(matches!(decrypt(&for_ssh, &keys.identities("one")), Err(Error::Unsupported(_))));
}

#[test]
fn no_two_files_are_the_same_and_none_shows_its_text() {
    let keys = Keys::new(&["one"]);
    let recipient = [Recipient::parse(&keys.recipient("one")).unwrap()];
    let files = [1, 2].map(|seed| encrypt(b"name: home", &recipient, &mut random(seed)).unwrap());
    let (one, two) = (files[0].lines(), files[1].lines());
    let same = one.zip(two).skip(2).filter(|(one, two)| one == two);
    assert_eq!(same.map(|(line, _)| line).collect::<Vec<_>>(), ["-----END AGE ENCRYPTED FILE-----"]);
    assert!(!is_encrypted(b"name: home"));
    assert_eq!(encrypt(b"name: home", &[], &mut random(1)), Err(Error::NoRecipient));
}

#[test]
fn a_file_that_was_changed_or_cut_off_anywhere_is_refused() {
    let keys = Keys::new(&["one"]);
    let identities = keys.identities("one");
    let whole = keys.age_encrypts(b"the text", &["-r", &keys.recipient("one")]);
    decrypt(&whole, &identities).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(decrypt(&changed, &identities).is_err(), "byte {at}");
        assert!(decrypt(&whole[..at], &identities).is_err(), "cut off at {at}");
    }
    let armored = keys.encrypt(b"the text", &["one"]);
    // The end of the last line may be missing.
    (0..armored.len() - 1)
        .for_each(|at| assert!(decrypt(&armored.as_bytes()[..at], &identities).is_err(), "{at}"));
}

proptest! {
    #[test]
    fn fuzz_age(noise in prop::collection::vec(any::<u8>(), 0..300), at in 0..400usize) {
        let identity = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
        let identities = Identity::parse_all(identity).unwrap();
        let recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
        let good = encrypt(b"text", &[Recipient::parse(recipient).unwrap()], &mut random(1)).unwrap();
        let good = good.into_bytes();
        let spliced = [&good[..at.min(good.len() - 2)], &noise].concat();
        for file in [noise.clone(), spliced, [b"age-encryption.org/v1\n".as_slice(), &noise].concat()] {
            prop_assert!(decrypt(&file, &identities).is_err());
        }
        let noise = String::from_utf8_lossy(&noise);
        drop(Recipient::parse_all(&noise));
        drop(Identity::parse_all(&noise));
        drop(Recipient::parse(&format!("age1{noise}")));
    }
}
