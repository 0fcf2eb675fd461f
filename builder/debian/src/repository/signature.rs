//! OpenPGP signatures of repositories, held to pinned keys.
//!
//! <https://www.rfc-editor.org/rfc/rfc9580.html>. The arithmetic is rPGP's; which keys count, and when, is decided here:
//! the primary key must be pinned by fingerprint, neither it nor a signing subkey may be expired or revoked, and the
//! signature's hash must be of the SHA-2 family.

use std::fmt;
use std::io::{Cursor, Read, Seek};
use std::str::FromStr;

use pgp::composed::{
    CleartextSignedMessage, Deserializable, DetachedSignature, SignedPublicKey, SignedPublicSubKey,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, VerifyingKey};

use crate::error::{Detail, Error, Result};

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("{0:?} is no fingerprint of 40 hexadecimal digits")]
    Fingerprint(String),
    #[error("keyring: {0}")]
    Keyring(String),
    #[error("signed text: {0}")]
    Message(String),
    #[error("no valid signature of a pinned key ({0})")]
    NoSigner(String),
}

/// Names a key (version 4): the SHA-1 of its public part, which nobody can forge a second key for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint([u8; 20]);

impl FromStr for Fingerprint {
    type Err = Error;

    /// Reads 40 hexadecimal digits; blanks between them do not matter.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything else.
    fn from_str(text: &str) -> Result<Self> {
        let digits: String = text.split_whitespace().collect();
        let name = imgforge_spec::Hex::decode(&digits).map(Fingerprint);
        name.ok_or_else(|| Error::Malformed(Detail::new(Kind::Fingerprint(text.to_owned()))))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Public keys. Having a key here does not make it trusted: [`Trust`] names those that are.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    keys: Vec<SignedPublicKey>,
}

impl Keyring {
    /// Reads the keys of a file, armoured or binary.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it holds no key or something else.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let keys = SignedPublicKey::from_reader_many(bytes)
            .and_then(|(keys, _)| keys.collect::<pgp::errors::Result<Vec<_>>>());
        match keys {
            Ok(keys) if !keys.is_empty() => Ok(Keyring { keys }),
            Ok(_) => Err(Error::Malformed(Detail::new(Kind::Keyring("no key".into())))),
            Err(error) => Err(Error::Malformed(Detail::new(Kind::Keyring(error.to_string())))),
        }
    }

    /// Adds the keys of another. Of a key that is in both, either copy may vouch for a signature.
    pub fn extend(&mut self, other: Keyring) {
        self.keys.extend(other.keys);
    }

    /// The fingerprints of the primary keys.
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        self.keys.iter().filter_map(fingerprint).collect()
    }
}

/// Whose signatures count, and at what time.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// Where to find the keys.
    pub keyring: &'a Keyring,
    /// The primary keys that count.
    pub pinned: &'a [Fingerprint],
    /// The time at which keys and signatures must be valid (seconds since 1970).
    pub now: u64,
}

/// Text with a signature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What was signed, and nothing else.
    pub text: Vec<u8>,
    /// The pinned primary key.
    pub signer: Fingerprint,
}

impl Trust<'_> {
    /// Verifies a clear-signed file such as `InRelease`.
    ///
    /// # Errors
    /// [`Error::Untrusted`] unless a pinned key signed it; [`Error::Malformed`] if it is not a clear-signed text, or has
    /// anything before or after it.
    pub fn verify_clear_signed(&self, file: &[u8]) -> Result<Signed> {
        let (message, _) = CleartextSignedMessage::from_armor(file)
            .map_err(|error| Error::Malformed(Detail::new(Kind::Message(error.to_string()))))?;
        let signed = message.signed_text();
        let signer = self.signer(message.signatures(), &mut Cursor::new(&signed))?;
        Ok(Signed { text: signed.replace("\r\n", "\n").into_bytes(), signer })
    }

    /// Verifies a file against signatures beside it, such as `Release` and `Release.gpg`. The signatures may be armoured
    /// or binary.
    ///
    /// # Errors
    /// [`Error::Untrusted`] unless a pinned key signed it; [`Error::Malformed`] if the signatures cannot be read.
    pub fn verify_detached(&self, file: &[u8], signatures: &[u8]) -> Result<Fingerprint> {
        self.verify_detached_stream(&mut Cursor::new(file), signatures)
    }

    /// The same for a file too large for memory: it is read from its start, once for each signature of a pinned key.
    ///
    /// # Errors
    /// As [`verify_detached`](Self::verify_detached); [`Error::Io`] if the file cannot be read.
    pub fn verify_detached_stream(
        &self,
        file: &mut (impl Read + Seek),
        signatures: &[u8],
    ) -> Result<Fingerprint> {
        let signatures = DetachedSignature::from_reader_many(signatures)
            .and_then(|(list, _)| {
                list.map(|entry| Ok(entry?.signature)).collect::<pgp::errors::Result<Vec<_>>>()
            })
            .map_err(|error| Error::Malformed(Detail::new(Kind::Message(error.to_string()))))?;
        self.signer(&signatures, file)
    }

    /// The first pinned key with a valid signature.
    fn signer(&self, signatures: &[Signature], text: &mut (impl Read + Seek)) -> Result<Fingerprint> {
        let mut reasons = Vec::new();
        for key in &self.keyring.keys {
            let Some(name) = fingerprint(key).filter(|name| self.pinned.contains(name)) else { continue };
            for signature in signatures {
                match self.check(key, signature, text) {
                    Ok(()) => return Ok(name),
                    Err(Refusal::OtherKey) => {}
                    Err(Refusal::Unreadable(error)) => return Err(Error::Io(error)),
                    Err(reason) => reasons.push(format!("{name}: {reason}")),
                }
            }
        }
        if reasons.is_empty() {
            let ids = signatures.iter().flat_map(Signature::issuer_key_id).map(|id| format!("{id}"));
            reasons.push(format!("signed by {}", ids.collect::<Vec<_>>().join(", ")));
        }
        Err(Error::Untrusted(Detail::new(Kind::NoSigner(reasons.join("; ")))))
    }

    fn check(
        &self,
        key: &SignedPublicKey,
        signature: &Signature,
        text: &mut (impl Read + Seek),
    ) -> Result<(), Refusal> {
        let subkey = key.public_subkeys.iter().find(|subkey| is_issued_by(signature, &subkey.key));
        if subkey.is_none() && !is_issued_by(signature, key) {
            return Err(Refusal::OtherKey);
        }
        if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
            return Err(Refusal::WrongType);
        }
        use HashAlgorithm::{Sha224, Sha256, Sha384, Sha512};
        if !matches!(signature.hash_alg(), Some(Sha224 | Sha256 | Sha384 | Sha512)) {
            return Err(Refusal::WeakHash);
        }
        let created = signature.created().ok_or(Refusal::NoTime)?;
        if self.is_over(created.as_secs(), signature.signature_expiration_time()) {
            return Err(Refusal::SignatureExpired);
        }
        self.check_primary(key)?;
        text.rewind().map_err(Refusal::Unreadable)?;
        match subkey {
            Some(subkey) => {
                self.check_subkey(key, subkey)?;
                signature.verify(&subkey.key, text)
            }
            None => signature.verify(key, text),
        }
        .map_err(|error| match error {
            pgp::errors::Error::IO { source, .. } => Refusal::Unreadable(source),
            _ => Refusal::Invalid,
        })
    }

    /// The primary key must be bound to a user, not revoked, and within the life that its newest binding gives it.
    fn check_primary(&self, key: &SignedPublicKey) -> Result<(), Refusal> {
        let details = &key.details;
        if details
            .revocation_signatures
            .iter()
            .any(|signature| signature.verify_key(&key.primary_key).is_ok())
        {
            return Err(Refusal::KeyRevoked);
        }
        let certifications = details.users.iter().flat_map(|user| {
            user.signatures.iter().filter(|signature| {
                signature.is_certification()
                    && signature
                        .verify_certification(&key.primary_key, pgp::types::Tag::UserId, &user.id)
                        .is_ok()
            })
        });
        let direct = details
            .direct_signatures
            .iter()
            .filter(|signature| signature.verify_key(&key.primary_key).is_ok());
        let newest = certifications.chain(direct).max_by_key(|signature| created(signature));
        let binding = newest.ok_or(Refusal::Unbound)?;
        let ends = self.is_over(key.created_at().as_secs(), binding.key_expiration_time());
        if ends { Err(Refusal::KeyExpired) } else { Ok(()) }
    }

    /// The subkey must be bound for signing by the primary key and the other way round.
    fn check_subkey(&self, key: &SignedPublicKey, subkey: &SignedPublicSubKey) -> Result<(), Refusal> {
        let valid =
            |signature: &&Signature| signature.verify_subkey_binding(&key.primary_key, &subkey.key).is_ok();
        let of_type = |kind| subkey.signatures.iter().filter(move |signature| signature.typ() == Some(kind));
        if of_type(SignatureType::SubkeyRevocation).any(|signature| valid(&signature)) {
            return Err(Refusal::KeyRevoked);
        }
        let newest =
            of_type(SignatureType::SubkeyBinding).filter(valid).max_by_key(|signature| created(signature));
        let binding = newest.ok_or(Refusal::Unbound)?;
        let back = binding.embedded_signature().filter(|_| binding.key_flags().sign());
        let bound = |back: &Signature| back.verify_primary_key_binding(&subkey.key, &key.primary_key);
        back.and_then(|back| bound(back).ok()).ok_or(Refusal::NotForSigning)?;
        let ends = self.is_over(subkey.key.created_at().as_secs(), binding.key_expiration_time());
        if ends { Err(Refusal::KeyExpired) } else { Ok(()) }
    }

    /// Whether a life that began at `start` is over; a duration of zero or none means it never is.
    fn is_over(&self, start: u32, life: Option<pgp::types::Duration>) -> bool {
        life.map(|life| life.as_secs())
            .filter(|&life| life > 0)
            .is_some_and(|life| u64::from(start) + u64::from(life) < self.now)
    }
}

/// Why a signature does not count.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("another key's signature")]
    OtherKey,
    #[error("not a signature of a document")]
    WrongType,
    #[error("hash too weak")]
    WeakHash,
    #[error("signature without time")]
    NoTime,
    #[error("signature expired")]
    SignatureExpired,
    #[error("key revoked")]
    KeyRevoked,
    #[error("key expired")]
    KeyExpired,
    #[error("key without valid binding")]
    Unbound,
    #[error("subkey not for signing")]
    NotForSigning,
    #[error("signature invalid")]
    Invalid,
    #[error("what is signed cannot be read")]
    Unreadable(#[source] std::io::Error),
}

fn created(signature: &Signature) -> u32 {
    signature.created().map_or(0, |time| time.as_secs())
}

fn is_issued_by(signature: &Signature, key: &impl VerifyingKey) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if fingerprints.is_empty() {
        signature.issuer_key_id().contains(&&key.legacy_key_id())
    } else {
        fingerprints.contains(&&key.fingerprint())
    }
}

fn fingerprint(key: &SignedPublicKey) -> Option<Fingerprint> {
    match key.fingerprint() {
        pgp::types::Fingerprint::V4(bytes) => Some(Fingerprint(bytes)),
        _ => None,
    }
}
