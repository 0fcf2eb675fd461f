//! What protects an answer on its way: TLS, or that it never leaves the machine.

use std::net::IpAddr;

use reqwest::{
    Url,
    redirect::{Action, Attempt, Policy},
};

/// A server with TLS that sends its clients to one without.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{from} leads to {to}, where nothing protects what is sent")]
pub struct Downgrade {
    /// With TLS.
    from: String,
    /// Without.
    to: String,
}

/// Follows redirects as usual, but never from `https` to anything else.
pub(crate) fn redirects() -> Policy {
    Policy::custom(follow)
}

fn follow(attempt: Attempt<'_>) -> Action {
    match downgrade(attempt.previous(), attempt.url()) {
        Some(downgrade) => attempt.error(downgrade),
        None => Policy::default().redirect(attempt),
    }
}

/// The step from the last of `previous` to `next`, if it leaves TLS.
fn downgrade(previous: &[Url], next: &Url) -> Option<Downgrade> {
    let from = previous.last().filter(|from| from.scheme() == "https" && next.scheme() != "https")?;
    Some(Downgrade { from: from.to_string(), to: next.to_string() })
}

/// The step out of TLS that a request failed for, if it did.
pub(crate) fn downgrade_of(error: &reqwest::Error) -> Option<Downgrade> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(downgrade) = error.downcast_ref::<Downgrade>() {
            return Some(downgrade.clone());
        }
        cause = error.source();
    }
    None
}

/// Whether nobody between here and the server of `url` can change what it says.
pub(crate) fn protects(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let name = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = || name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    url.scheme() == "https" || is_here()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn no_redirect_leaves_tls() {
        let (with, without) = (url("https://a/x"), url("http://b/y"));
        assert!(downgrade(std::slice::from_ref(&with), &without).is_some());
        assert!(downgrade(&[without.clone(), with.clone()], &without).is_some());
        for (from, to) in [(&with, &with), (&without, &with), (&without, &without)] {
            assert_eq!(downgrade(std::slice::from_ref(from), to), None);
        }
    }

    #[test]
    fn tls_and_this_machine_protect() {
        for protected in ["https://a/x", "http://127.0.0.1:80/x", "http://[::1]/x", "http://localhost/x"] {
            assert!(protects(protected), "{protected}");
        }
        for open in ["http://a/x", "http://10.0.0.1/x", "http://localhost.a/x", "http://127.0.0.1.a/x", "x"] {
            assert!(!protects(open), "{open}");
        }
    }
}
