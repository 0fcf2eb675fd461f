//! Certificates: of authorities, and of those who talk to the API server.

use p256::pkcs8::Document;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyIdMethod, KeyUsagePurpose, SanType, SerialNumber,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{Error, Random, Secret, key::PrivateKey};

/// From when to when certificates are good, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// The first second.
    pub not_before: i64,
    /// The last second.
    pub not_after: i64,
}

impl Lifetime {
    /// As long as the authority's: the last second that a certificate can name (RFC 5280, 4.1.2.5).
    pub(super) const UNLIMITED: Self = Self { not_before: 0, not_after: 253_402_300_799 };

    /// Thirty years from `now` on, and all time before: boards without a battery wake up in 1970. What kubeadm signs for
    /// kubeconfigs begins with the authority, too; certificates of servers begin five minutes before the master's own
    /// time in current releases.
    pub fn generous(now: i64) -> Self {
        const YEAR: i64 = 365 * 24 * 60 * 60;
        Self { not_before: 0, not_after: now.saturating_add(30 * YEAR) }
    }
}

/// A certificate and the private key it is about.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CertifiedKey {
    /// The certificate, in PEM.
    pub certificate: String,
    /// The private key, in PEM.
    pub key: Secret,
}

impl CertifiedKey {
    /// A new authority called `name`, which signs itself.
    pub(super) fn authority(name: &str, lifetime: Lifetime, random: &mut Random<'_>) -> Result<Self, Error> {
        let key = PrivateKey::generate(random)?;
        let mut params = params(name, None, lifetime, &key)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        // kubeadm puts the name there too, for TLS libraries that want one.
        let dns_name = name.try_into().map_err(|reason| encode(name, reason))?;
        params.subject_alt_names = vec![SanType::DnsName(dns_name)];
        let certificate = params.self_signed(&key).map_err(|reason| encode(name, reason))?.pem();
        Ok(Self { certificate, key: key.to_pem()? })
    }

    /// A client of the API server that has `key` and is of a `group`, signed by the authority that is called `issuer` and has
    /// `issuer_key`.
    pub(super) fn client(
        (name, group): (&str, &str),
        (issuer, issuer_key): (&str, PrivateKey),
        lifetime: Lifetime,
        key: PrivateKey,
    ) -> Result<Self, Error> {
        let issuer = Issuer::new(params(issuer, None, lifetime, &issuer_key)?, issuer_key);
        let mut params = params(name, Some(group), lifetime, &key)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &issuer).map_err(|reason| encode(name, reason))?.pem();
        Ok(Self { certificate, key: key.to_pem()? })
    }

    /// Whether the certificate names `group`: nothing else in it is written like one.
    pub(super) fn is_of(&self, group: &str) -> bool {
        let names = |der: &[u8]| der.windows(group.len()).any(|window| window == group.as_bytes());
        Document::from_pem(&self.certificate).is_ok_and(|(_, document)| names(document.as_bytes()))
    }

    /// Checks that the key is one and the certificate about its public half; `part` is where they stand in the
    /// secrets file.
    pub(super) fn check(&self, part: &'static str) -> Result<(), Error> {
        let damaged = |problem| Error::Damaged { part, problem };
        let info = PrivateKey::from_pem(part, &self.key)?.public_info();
        let document = Document::from_pem(&self.certificate);
        let (label, document) = document.map_err(|_| damaged("the certificate cannot be read"))?;
        let is_its_own = document.as_bytes().windows(info.len()).any(|window| window == info);
        match label {
            "CERTIFICATE" if is_its_own => Ok(()),
            _ => Err(damaged("certificate and key do not belong together")),
        }
    }
}

/// What all certificates have in common. Serial number and key identifiers are taken from the key, so that nothing
/// has to be remembered.
fn params(
    name: &str,
    group: Option<&str>,
    lifetime: Lifetime,
    key: &PrivateKey,
) -> Result<CertificateParams, Error> {
    let mut distinguished_name = DistinguishedName::new();
    if let Some(group) = group {
        distinguished_name.push(DnType::OrganizationName, group);
    }
    distinguished_name.push(DnType::CommonName, name);
    let digest: [u8; 32] = Sha256::digest(key.public_info()).into();
    let (identifier, serial) = (digest[..20].to_vec(), &digest[20..]);
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name;
    params.not_before = time(lifetime.not_before)?;
    params.not_after = time(lifetime.not_after)?;
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.key_identifier_method = KeyIdMethod::PreSpecified(identifier);
    Ok(params)
}

fn time(seconds: i64) -> Result<OffsetDateTime, Error> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| Error::Time { seconds })
}

fn encode(name: &str, reason: rcgen::Error) -> Error {
    Error::Encode { name: name.to_owned(), reason: reason.to_string() }
}
