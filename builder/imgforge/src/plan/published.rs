//! An image that belongs to no cluster may be given to anybody, so nothing that a build puts into it may be secret.
//!
//! Packages and pinned files are public already; what is looked at comes from overlays and settings.

use super::{Error, Request};
use crate::image::change::{Action, Change, Origin};

/// A larger file is no key and no document.
const MOST_BYTES: u64 = 1 << 20;

/// Refuses a secret in an image for everybody. The hash of a password that a person gives is that person's choice, and so is a file
/// that is said to be secret: they mark the image instead.
pub fn check(request: &Request, changes: &[Change]) -> Result<(), Error> {
    if request.membership.is_some() {
        return Ok(());
    }
    for change in changes.iter().filter(|change| !change.secret && change.origins.iter().any(is_unpublished))
    {
        let Action::File { bytes, .. } = &change.action else { continue };
        let mut content = vec![0; bytes.content.len().min(MOST_BYTES) as usize];
        let failed = |source| Error::Content { path: change.path.clone(), source };
        bytes.content.read_at(0, &mut content).map_err(failed)?;
        if let Some(what) = secret_in(&content) {
            return Err(Error::Published { path: change.path.clone(), what });
        }
    }
    Ok(())
}

fn is_unpublished(origin: &Origin) -> bool {
    let is_public = matches!(
        origin,
        Origin::Package(_) | Origin::PackageDatabase | Origin::Artifact(_) | Origin::ContainerImage(_)
    );
    !is_public
}

fn secret_in(content: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(content);
    let is_token = |word: &str| !word.starts_with('.') && !word.ends_with('.') && is_bootstrap_token(word);
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        Some("a private key")
    } else if text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').any(is_token) {
        Some("a bootstrap token")
    } else {
        None
    }
}

/// 6 and 16 of a-z and 0-9. A random token without a digit is rarer than a word of that shape.
fn is_bootstrap_token(word: &str) -> bool {
    let is_part = |part: &str| part.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    word.split_once('.')
        .is_some_and(|(id, secret)| (id.len(), secret.len()) == (6, 16) && is_part(id) && is_part(secret))
        && word.bytes().any(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_tokens_are_recognised() {
        let key = "x\n-----BEGIN EC PRIVATE KEY-----\nAAAA\n";
        assert_eq!(secret_in(key.as_bytes()), Some("a private key"));
        assert_eq!(secret_in(b"token: \"abcdef.0123456789abcdef\"\n"), Some("a bootstrap token"));
    }

    #[test]
    fn what_looks_a_little_like_them_is_none() {
        for text in ["-----BEGIN CERTIFICATE-----", "system.unprivilegedxyzw", "abcdef.0123456789abcdef.com"]
        {
            assert_eq!(secret_in(text.as_bytes()), None, "{text}");
        }
    }
}
