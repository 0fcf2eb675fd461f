//! Signatures made by GnuPG with keys of the test's own.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod support;

use imgforge_debian::{Error, Fingerprint, Keyring, Result, Signed, Trust};
use support::gnupg::{Gnupg, MADE};

const TEXT: &str = "Suite: stable\n- a line that looks escaped\nTrailing blanks:  \nSHA256:\n";

impl Gnupg {
    fn sign(&self, how: &[&str], user: &str) -> Vec<u8> {
        self.sign_text(TEXT, how, user)
    }

    fn verify(&self, pinned: &[Fingerprint], now: u64, file: &[u8]) -> Result<Signed> {
        Trust { keyring: &self.keyring(), pinned, now }.verify_clear_signed(file)
    }
}

#[test]
fn the_text_of_a_pinned_signer_is_given_back() {
    let gnupg = Gnupg::new();
    for (user, algorithm) in [("ed", "ed25519"), ("rsa", "rsa2048"), ("nist", "nistp256")] {
        let key = gnupg.key(user, algorithm, "sign,cert", "never");
        let file = gnupg.sign(&["--clear-sign"], user);
        let signed = gnupg.verify(&[key], MADE, &file).unwrap();
        // Blanks at the ends of lines are not part of a clear-signed text.
        assert_eq!(String::from_utf8(signed.text).unwrap(), TEXT.replace(":  \n", ":\n").trim_end());
        assert_eq!(signed.signer, key);
        assert!(gnupg.keyring().fingerprints().contains(&key));

        for how in [&["--detach-sign"][..], &["--armor", "--detach-sign"]] {
            let signature = gnupg.sign(how, user);
            let keyring = gnupg.keyring();
            let trust = Trust { keyring: &keyring, pinned: &[key], now: MADE };
            assert_eq!(trust.verify_detached(TEXT.as_bytes(), &signature).unwrap(), key);
            assert!(matches!(trust.verify_detached(b"other", &signature), Err(Error::Untrusted(_))));
        }
    }
}

#[test]
fn any_change_and_anything_around_is_refused() {
    let gnupg = Gnupg::new();
    let key = gnupg.key("a", "ed25519", "sign,cert", "never");
    let file = String::from_utf8(gnupg.sign(&["--clear-sign"], "a")).unwrap();
    let verify = |file: String| gnupg.verify(&[key], MADE, file.as_bytes());
    assert!(verify(file.clone()).is_ok());
    assert!(matches!(verify(file.replace("stable", "sTable")), Err(Error::Untrusted(_))));
    for changed in
        [format!("Evil: yes\n{file}"), format!("{file}Evil: yes\n"), file[..file.len() / 2].to_owned()]
    {
        assert!(matches!(verify(changed.clone()), Err(Error::Malformed(_))), "{changed}");
    }
    assert!(verify(TEXT.to_owned()).is_err());
    assert!(verify(String::new()).is_err());
}

#[test]
fn a_key_must_be_pinned_and_only_one_signer_must_be() {
    let gnupg = Gnupg::new();
    let first = gnupg.key("first", "ed25519", "sign,cert", "never");
    let second = gnupg.key("second", "ed25519", "sign,cert", "never");
    let by_first = gnupg.sign(&["--clear-sign"], "first");
    assert!(matches!(gnupg.verify(&[second], MADE, &by_first), Err(Error::Untrusted(_))));
    assert!(matches!(gnupg.verify(&[], MADE, &by_first), Err(Error::Untrusted(_))));
    let by_both = gnupg.sign(&["--local-user", "first", "--clear-sign"], "second");
    for key in [first, second] {
        assert_eq!(gnupg.verify(&[key], MADE, &by_both).unwrap().signer, key);
    }
}

#[test]
fn expired_and_revoked_keys_do_not_count() {
    let gnupg = Gnupg::new();
    let key = gnupg.key("a", "ed25519", "sign,cert", "10d");
    let file = gnupg.sign(&["--clear-sign"], "a");
    let day = 86_400;
    assert!(gnupg.verify(&[key], MADE + 9 * day, &file).is_ok());
    let error = gnupg.verify(&[key], MADE + 11 * day, &file).unwrap_err();
    assert!(error.to_string().ends_with("key expired)"), "{error}");
    // The owner may give the key a longer life.
    gnupg.gpg(&["--quick-set-expire", &key.to_string(), "20d"]);
    assert!(gnupg.verify(&[key], MADE + 11 * day, &file).is_ok());

    let revocation = gnupg.path(&format!("openpgp-revocs.d/{key}.rev"));
    let text = std::fs::read_to_string(&revocation).unwrap().replace(":-----BEGIN", "-----BEGIN");
    std::fs::write(&revocation, text).unwrap();
    gnupg.gpg(&["--import", revocation.to_str().unwrap()]);
    let error = gnupg.verify(&[key], MADE, &file).unwrap_err();
    assert!(error.to_string().ends_with("key revoked)"), "{error}");
}

#[test]
fn a_file_is_read_as_a_stream_from_its_start() {
    let gnupg = Gnupg::new();
    let key = gnupg.key("a", "ed25519", "sign,cert", "never");
    let signature = gnupg.sign(&["--detach-sign"], "a");
    // A ring without keys, which gets them.
    let mut keyring = Keyring::default();
    let trust = |keyring: &Keyring, file: &mut std::fs::File| {
        Trust { keyring, pinned: &[key], now: MADE }.verify_detached_stream(file, &signature)
    };
    let mut file = std::fs::File::open(gnupg.path("text")).unwrap();
    assert!(matches!(trust(&keyring, &mut file), Err(Error::Untrusted(_))));
    keyring.extend(gnupg.keyring());
    for _ in 0..2 {
        // The second time, the file is at its end.
        assert_eq!(trust(&keyring, &mut file).unwrap(), key);
    }
    let mut unreadable = std::fs::File::open(gnupg.path("")).unwrap();
    assert!(matches!(trust(&keyring, &mut unreadable), Err(Error::Io(_))));
}

#[test]
fn subkeys_sign_for_their_primary_key() {
    let gnupg = Gnupg::new();
    let key = gnupg.key("a", "ed25519", "cert", "never");
    gnupg.gpg(&["--quick-add-key", &key.to_string(), "ed25519", "sign", "10d"]);
    let file = gnupg.sign(&["--clear-sign"], "a");
    assert_eq!(gnupg.verify(&[key], MADE, &file).unwrap().signer, key);
    let error = gnupg.verify(&[key], MADE + 11 * 86_400, &file).unwrap_err();
    assert!(error.to_string().ends_with("key expired)"), "{error}");
}

#[test]
fn weak_hashes_and_expired_signatures_do_not_count() {
    let gnupg = Gnupg::new();
    let key = gnupg.key("a", "rsa2048", "sign,cert", "never");
    let file = gnupg.sign(&["--digest-algo=SHA1", "--clear-sign"], "a");
    let error = gnupg.verify(&[key], MADE, &file).unwrap_err();
    assert!(error.to_string().ends_with("hash too weak)"), "{error}");
    let file = gnupg.sign(&["--default-sig-expire=1d", "--clear-sign"], "a");
    assert!(gnupg.verify(&[key], MADE, &file).is_ok());
    let error = gnupg.verify(&[key], MADE + 2 * 86_400, &file).unwrap_err();
    assert!(error.to_string().ends_with("signature expired)"), "{error}");
}

#[test]
fn fingerprints_read_with_and_without_blanks() {
    let spaced = "CF8A 1AF5 02A2 AA2D 763B  AE7E 82B1 2992 7FA3 303E";
    let fingerprint: Fingerprint = spaced.parse().unwrap();
    assert_eq!(fingerprint.to_string(), spaced.replace(' ', ""));
    for text in ["", "CF8A", &format!("{spaced}0"), &spaced.replace('A', "G")] {
        assert!(text.parse::<Fingerprint>().is_err());
    }
}
