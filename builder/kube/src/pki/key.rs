//! Private keys on the curve P-256.

use p256::{
    SecretKey,
    ecdsa::{DerSignature, SigningKey, signature::Signer},
    elliptic_curve::sec1::ToEncodedPoint,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding},
};
use zeroize::Zeroizing;

use super::{Error, Random, Secret};

/// A private key on the curve P-256, and its public half.
pub struct PrivateKey {
    secret: SecretKey,
    /// The public key as an uncompressed point (SEC 1, 2.3.3).
    point: Vec<u8>,
}

impl PrivateKey {
    /// A key from `random`. 32 bytes are a key unless they are 0 or beyond the curve's order: 1 in 2^32.
    pub fn generate(random: &mut Random<'_>) -> Result<Self, Error> {
        const ATTEMPTS: usize = 8;
        let mut bytes = Zeroizing::new([0; 32]);
        for _ in 0..ATTEMPTS {
            random(bytes.as_mut());
            if let Ok(secret) = SecretKey::from_slice(bytes.as_ref()) {
                return Ok(Self::new(secret));
            }
        }
        Err(Error::Random)
    }

    fn new(secret: SecretKey) -> Self {
        let point = secret.public_key().to_encoded_point(false).as_bytes().to_vec();
        Self { secret, point }
    }

    /// Reads a key as [`PrivateKey::to_pem`] writes it; `part` is where it stands in the secrets file.
    pub fn from_pem(part: &'static str, pem: &Secret) -> Result<Self, Error> {
        let secret = SecretKey::from_pkcs8_pem(pem.reveal());
        secret.map(Self::new).map_err(|_| Error::Damaged { part, problem: "the key cannot be read" })
    }

    /// `PRIVATE KEY` (PKCS #8, RFC 5958). Kubernetes reads `EC PRIVATE KEY` too, but only where that names the curve,
    /// and this library leaves the name out.
    pub fn to_pem(&self) -> Result<Secret, Error> {
        let pem = self.secret.to_pkcs8_pem(LineEnding::LF).map_err(unwritable)?;
        Ok(Secret::new(pem.as_str()))
    }

    /// `PUBLIC KEY` (RFC 5280).
    pub fn public_pem(&self) -> Result<String, Error> {
        self.secret.public_key().to_public_key_pem(LineEnding::LF).map_err(unwritable)
    }

    /// The public key as it stands in certificates (RFC 5280, SubjectPublicKeyInfo).
    pub fn public_info(&self) -> Vec<u8> {
        rcgen::PublicKeyData::subject_public_key_info(self)
    }

    /// What `kubeadm join` knows an authority by: `sha256:` and the hash of its public key.
    pub fn pin(&self) -> String {
        format!("sha256:{}", imgforge_spec::Sha256::of(self.public_info()))
    }
}

fn unwritable(reason: impl ToString) -> Error {
    Error::Encode { name: "a key".into(), reason: reason.to_string() }
}

impl rcgen::PublicKeyData for PrivateKey {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for PrivateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: DerSignature = SigningKey::from(&self.secret).sign(message);
        Ok(signature.as_bytes().to_vec())
    }
}
