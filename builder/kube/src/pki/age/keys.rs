//! Recipients and identities: the public and the secret half of an X25519 key, in Bech32 (BIP 173).

use std::{array, fmt};

use base64ct::{Base64Unpadded, Encoding};
use bech32::{Bech32, primitives::decode::CheckedHrpstring};
use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, KeyInit, Nonce};
use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};

use super::{
    Error, FileKey, Key, derive,
    header::{self, Stanza},
};
use crate::pki::Random;

const RECIPIENT: &str = "age";
const IDENTITY: &str = "AGE-SECRET-KEY-";
/// Identities that open what is encrypted for other kinds of recipients.
const OTHER_IDENTITIES: [&str; 2] = ["AGE-SECRET-KEY-PQ-", "AGE-PLUGIN-"];
const KIND: &str = "X25519";
const TAG: usize = 16;

/// Whom a file can be encrypted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient(PublicKey);

/// What opens the files that are encrypted for its recipient.
pub struct Identity {
    secret: StaticSecret,
    recipient: PublicKey,
}

impl Recipient {
    /// Reads `age1…`.
    pub fn parse(word: &str) -> Result<Self, Error> {
        if word.to_ascii_uppercase().starts_with("AGE-") {
            return Err(Error::SecretAsRecipient);
        }
        let refused = |problem| Err(Error::Recipient { word: shortened(word), problem });
        match bech32::<32>(word, RECIPIENT) {
            Ok(key) => Ok(Self(PublicKey::from(*key))),
            Err(_) if word.starts_with("ssh-") => refused("SSH keys are none"),
            Err(_) if !word.starts_with("age1") => refused("one begins with age1"),
            Err(Misread::Prefix) => refused("it is for a plugin, or of another kind than X25519"),
            Err(Misread::Text) => refused("it is incomplete, or has a typing error"),
        }
    }

    /// Reads the recipients of a file, one a line, but for comments.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, Error> {
        let recipients = words(text).map(|(_, word)| Self::parse(word)).collect::<Result<Vec<_>, _>>()?;
        if recipients.is_empty() { Err(Error::NoRecipient) } else { Ok(recipients) }
    }

    /// Encrypts `file_key` for this recipient.
    pub(super) fn seal(&self, file_key: &FileKey, random: &mut Random<'_>) -> Result<Stanza, Error> {
        let mut secret = Key::<32>::default();
        random(secret.as_mut());
        let secret = StaticSecret::from(*secret);
        let share = PublicKey::from(&secret);
        let shared = secret.diffie_hellman(&self.0);
        if !shared.was_contributory() {
            let word = Base64Unpadded::encode_string(self.0.as_bytes());
            return Err(Error::Recipient { word, problem: "everybody could open what is encrypted for it" });
        }
        let mut body = file_key.to_vec();
        let tag = wrapping(&shared, &share, &self.0)?
            .encrypt_in_place_detached(&Nonce::default(), b"", &mut body)
            .map_err(|_| Error::Length)?;
        body.extend(tag);
        let arguments = vec![Base64Unpadded::encode_string(share.as_bytes())];
        Ok(Stanza { kind: KIND.into(), arguments, body })
    }
}

impl Identity {
    /// Reads the identities of a file as `age-keygen` writes it: one a line, but for comments. Those of other kinds are
    /// passed over.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, Error> {
        let is_other = |word: &str| OTHER_IDENTITIES.iter().any(|prefix| word.starts_with(prefix));
        let ours = words(text).filter(|(_, word)| !is_other(word));
        let parsed = ours.map(|(line, word)| Self::parse(word).ok_or(line)).collect::<Result<Vec<_>, _>>();
        match parsed {
            Ok(identities) if identities.is_empty() => Err(Error::NoIdentity),
            Ok(identities) => Ok(identities),
            Err(_) if super::is_encrypted(text.as_bytes()) => {
                Err(Error::Identity { line: 1, problem: "the key is encrypted itself" })
            }
            Err(line) => {
                Err(Error::Identity { line, problem: "this is no AGE-SECRET-KEY-1…, or incomplete" })
            }
        }
    }

    fn parse(word: &str) -> Option<Self> {
        let secret = StaticSecret::from(*bech32::<32>(word, IDENTITY).ok()?);
        Some(Self { recipient: PublicKey::from(&secret), secret })
    }

    /// The file's key, if `stanza` is for this identity.
    pub(super) fn open(&self, stanza: &Stanza) -> Result<Option<FileKey>, Error> {
        const MALFORMED: Error = Error::Damaged("its header has a malformed recipient");
        if stanza.kind != KIND {
            return Ok(None);
        }
        let [share] = stanza.arguments.as_slice() else { return Err(MALFORMED) };
        let share: [u8; 32] = header::decode(share)?.try_into().map_err(|_| MALFORMED)?;
        let share = PublicKey::from(share);
        // Its length is known before anything is decrypted: else a long body could tell which of many keys fits.
        let (sealed, tag) = stanza.body.split_last_chunk::<TAG>().ok_or(MALFORMED)?;
        let mut file_key = FileKey::new(sealed.try_into().map_err(|_| MALFORMED)?);
        let shared = self.secret.diffie_hellman(&share);
        if !shared.was_contributory() {
            return Err(MALFORMED);
        }
        let opened = wrapping(&shared, &share, &self.recipient)?.decrypt_in_place_detached(
            &Nonce::default(),
            b"",
            file_key.as_mut(),
            tag.into(),
        );
        Ok(opened.is_ok().then_some(file_key))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What encrypts the file's key. It does so once, so that its nonce can be 0.
fn wrapping(
    shared: &SharedSecret,
    share: &PublicKey,
    recipient: &PublicKey,
) -> Result<ChaCha20Poly1305, Error> {
    let salt = [*share.as_bytes(), *recipient.as_bytes()].concat();
    let key = derive(shared.as_bytes(), &salt, b"age-encryption.org/v1/X25519")?;
    Ok(ChaCha20Poly1305::new((&*key).into()))
}

/// The lines that say something, with their numbers.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

enum Misread {
    /// It is Bech32, but of something else.
    Prefix,
    /// It is none.
    Text,
}

/// The bytes of a word in Bech32 that begins with `prefix`, in this case.
fn bech32<const LENGTH: usize>(word: &str, prefix: &str) -> Result<Key<LENGTH>, Misread> {
    let checked = CheckedHrpstring::new::<Bech32>(word).map_err(|_| Misread::Text)?;
    if checked.hrp().as_str() != prefix {
        return Err(Misread::Prefix);
    }
    checked.validate_segwit_padding().map_err(|_| Misread::Text)?;
    let mut bytes = checked.byte_iter();
    if bytes.len() != LENGTH {
        return Err(Misread::Text);
    }
    Ok(Key::new(array::from_fn(|_| bytes.next().unwrap_or_default())))
}

/// Enough of a word to find it by.
fn shortened(word: &str) -> String {
    const SHOWN: usize = 70;
    let mut text: String = word.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if word.chars().nth(SHOWN).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two of the specification.
    const PUBLIC: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
    const SECRET: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

    fn problem(word: &str) -> &'static str {
        match Recipient::parse(word) {
            Err(Error::Recipient { problem, .. }) => problem,
            other => panic!("{word}: {other:?}"),
        }
    }

    #[test]
    fn the_two_halves_belong_together() {
        let text = format!("# created: today\n\n# public key: {PUBLIC}\n{SECRET}\r\n");
        let identities = Identity::parse_all(&text).unwrap();
        let [identity] = identities.as_slice() else { panic!("{identities:?}") };
        assert_eq!(Recipient::parse(PUBLIC).unwrap(), Recipient(identity.recipient));
    }

    #[test]
    fn what_is_no_recipient_is_told_why() {
        assert_eq!(problem("bob"), "one begins with age1");
        assert_eq!(problem("AGE1BOB"), "one begins with age1");
        assert_eq!(problem("ssh-ed25519 AAAA me"), "SSH keys are none");
        assert_eq!(problem(&PUBLIC[..60]), "it is incomplete, or has a typing error");
        assert_eq!(
            problem(&PUBLIC.replace('5', "7").replace("age1z", "age1q")),
            "it is incomplete, or has a typing error"
        );
        let of_plugin = "age1yubikey1qg8rr9ukgcj3quhdzqmgvql8exzh8enpj0mnskm7sqwjeq4h5gh0zvgp3a3";
        let told = problem(of_plugin);
        assert!(told.contains("plugin") || told.contains("typing"), "{told}");
        let long = format!("age1{}\n", "q".repeat(5000));
        assert!(Recipient::parse(&long).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn a_secret_key_in_place_of_a_recipient_is_not_repeated() {
        for word in [SECRET.to_owned(), SECRET.to_lowercase()] {
            let error = Recipient::parse(&word).unwrap_err();
            assert_eq!(error, Error::SecretAsRecipient);
            assert!(!format!("{error} {error:?}").to_uppercase().contains("GFPYY"));
        }
    }

    #[test]
    fn a_key_that_everybody_has_is_no_recipient() {
        let none = Recipient(PublicKey::from([0; 32]));
        assert!(none.seal(&FileKey::default(), &mut |bytes| bytes.fill(7)).is_err());
    }

    #[test]
    fn identities_are_whole_or_refused_by_line() {
        let refused = |text: &str| Identity::parse_all(text).unwrap_err();
        assert_eq!(refused(""), Error::NoIdentity);
        assert_eq!(refused("# nothing\n"), Error::NoIdentity);
        assert_eq!(refused("AGE-PLUGIN-YUBIKEY-1QQQ\n"), Error::NoIdentity);
        for bad in [&SECRET[..70], &SECRET.to_lowercase(), PUBLIC, "-----BEGIN OPENSSH PRIVATE KEY-----"] {
            let error = refused(&format!("{SECRET}\n# and\n{bad}\n"));
            assert!(matches!(error, Error::Identity { line: 3, .. }), "{error}");
            assert!(!error.to_string().contains("GFPYY"), "{error}");
        }
        let encrypted = refused("-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n").to_string();
        assert_eq!(encrypted, "line 1: the key is encrypted itself");
        assert_eq!(Identity::parse_all(&format!("AGE-PLUGIN-X-1QQQ\n{SECRET}\n{SECRET}")).unwrap().len(), 2);
    }
}
