//! Files encrypted with age: <https://age-encryption.org/v1>, <https://c2sp.org/age>. Of the kinds of keys there are only
//! X25519's, as `age-keygen` makes them: no passphrases, SSH keys and plugins.

mod armor;
mod header;
mod keys;
mod payload;

use hkdf::Hkdf;
use sha2_10::Sha256;
use zeroize::Zeroizing;

use self::header::Header;
pub use self::keys::{Identity, Recipient};
use super::Random;

/// How every encrypted file begins that is not in ASCII armour.
const INTRODUCTION: &[u8] = b"age-encryption.org/";

/// A key that is not in memory once it is dropped.
type Key<const LENGTH: usize> = Zeroizing<[u8; LENGTH]>;

/// What a file's text is encrypted by, and each stanza of its header holds encrypted for one recipient.
type FileKey = Key<16>;

/// Why a file cannot be encrypted or decrypted. No message repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A word is no recipient.
    #[error("`{word}` is no age recipient: {problem}")]
    Recipient {
        /// The word, or its beginning.
        word: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A secret key was given as a recipient.
    #[error("a secret key was given in place of a recipient")]
    SecretAsRecipient,
    /// Nobody could open the file.
    #[error("there is no recipient")]
    NoRecipient,
    /// A line is no identity.
    #[error("line {line}: {problem}")]
    Identity {
        /// Its number.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Nothing there opens a file.
    #[error("there is no key in it: no line begins with AGE-SECRET-KEY-1")]
    NoIdentity,
    /// The file is for others.
    #[error("it is encrypted, but for none of these keys")]
    NoMatch,
    /// The file is encrypted in a way that is not known here.
    #[error("it is encrypted {0}, where only age's X25519 keys (age1…) are understood")]
    Unsupported(&'static str),
    /// The file is not as it was written.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// No key or text has such a length.
    #[error("a length that nothing can be encrypted by")]
    Length,
}

/// Whether `file` is encrypted, by how it begins.
pub fn is_encrypted(file: &[u8]) -> bool {
    file.starts_with(INTRODUCTION) || armor::is_armored(file)
}

/// Encrypts `text` for each of `recipients`, in ASCII armour.
pub fn encrypt(text: &[u8], recipients: &[Recipient], random: &mut Random<'_>) -> Result<String, Error> {
    if recipients.is_empty() {
        return Err(Error::NoRecipient);
    }
    let mut file_key = FileKey::default();
    random(file_key.as_mut());
    let stanzas = recipients.iter().map(|recipient| recipient.seal(&file_key, random));
    let mut file = Header::new(stanzas.collect::<Result<_, _>>()?).seal(&file_key)?;
    let mut nonce = payload::Nonce::default();
    random(&mut nonce);
    file.extend(payload::seal(text, &file_key, &nonce)?);
    Ok(armor::encode(&file))
}

/// Decrypts `file`, in ASCII armour or not, with the first of `identities` that it is for. All of it, or nothing.
pub fn decrypt(file: &[u8], identities: &[Identity]) -> Result<Zeroizing<Vec<u8>>, Error> {
    if armor::is_armored(file) { open(&armor::decode(file)?, identities) } else { open(file, identities) }
}

fn open(file: &[u8], identities: &[Identity]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (header, mac, payload) = Header::parse(file)?;
    header.check_kinds()?;
    for (identity, stanza) in identities.iter().flat_map(|i| header.stanzas().map(move |s| (i, s))) {
        if let Some(file_key) = identity.open(stanza)? {
            header.verify(&file_key, &mac)?;
            return payload::open(payload, &file_key);
        }
    }
    Err(Error::NoMatch)
}

/// HKDF-SHA-256 (RFC 5869).
fn derive(secret: &[u8], salt: &[u8], purpose: &[u8]) -> Result<Key<32>, Error> {
    let mut key = Key::default();
    Hkdf::<Sha256>::new(Some(salt), secret).expand(purpose, key.as_mut()).map_err(|_| Error::Length)?;
    Ok(key)
}
