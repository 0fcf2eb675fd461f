//! Tokens for those who ask without a name, as container registries want them.
//! <https://distribution.github.io/distribution/spec/auth/token/>

use std::{
    collections::BTreeMap,
    io::Read,
    sync::{Mutex, MutexGuard, PoisonError},
};

use reqwest::{
    StatusCode, Url,
    blocking::{Client, RequestBuilder, Response},
    header::WWW_AUTHENTICATE,
};
use serde::Deserialize;

use super::{
    Attempt,
    pace::{Floor, Paced},
};

/// A longer answer is no token.
const MOST_BYTES: u64 = 64 << 10;

/// The tokens that servers have given, by the repository they are for.
#[derive(Debug)]
pub(crate) struct Tokens {
    known: Mutex<BTreeMap<String, String>>,
    floor: Floor,
}

/// What a server wants before it answers (RFC 6750).
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

/// A token; OAuth calls it by another name, and some servers say both.
#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Tokens {
    /// None yet; servers that give one are held to `floor`.
    pub fn new(floor: Floor) -> Self {
        Self { known: Mutex::default(), floor }
    }

    /// Sends `request` for `url`; with a token if the server has given or now gives one.
    pub(crate) fn send(
        &self,
        client: &Client,
        url: &str,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Response, Attempt> {
        let repository = repository(url);
        let known = repository.and_then(|repository| self.lock().get(repository).cloned());
        let response = match known {
            Some(token) => request().bearer_auth(token).send()?,
            None => request().send()?,
        };
        let (StatusCode::UNAUTHORIZED, Some(repository)) = (response.status(), repository) else {
            return Ok(response);
        };
        let token = challenge(&response).ok_or(Attempt::Password)?.answered(client, url, self.floor)?;
        let response = request().bearer_auth(&token).send()?;
        self.lock().insert(repository.to_owned(), token);
        Ok(response)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What comes before the file's own name in a registry's URL: the same token opens all of it. `None` for other servers.
fn repository(url: &str) -> Option<&str> {
    let (repository, _) = url.rsplit_once("/manifests/").or_else(|| url.rsplit_once("/blobs/"))?;
    repository.contains("/v2/").then_some(repository)
}

/// The first challenge of a response that asks for a bearer's token.
fn challenge(response: &Response) -> Option<Challenge> {
    let values = response.headers().get_all(WWW_AUTHENTICATE);
    values.into_iter().find_map(|value| parse(value.to_str().ok()?))
}

/// Reads `Bearer realm="…",service="…",scope="…"`.
fn parse(value: &str) -> Option<Challenge> {
    let (scheme, mut rest) = value.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut parameters = BTreeMap::new();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        parameters.insert(name.trim().to_ascii_lowercase(), value.to_owned());
        rest = after.trim_start().trim_start_matches(',');
    }
    let realm = parameters.remove("realm")?;
    Some(Challenge { realm, service: parameters.remove("service"), scope: parameters.remove("scope") })
}

impl Challenge {
    /// Gets the token that `url` needs. A registry with TLS does not send us anywhere without.
    fn answered(self, client: &Client, url: &str, floor: Floor) -> Result<String, Attempt> {
        let Self { realm, service, scope } = self;
        let failed = |answer: String| Attempt::Token { realm: realm.clone(), answer };
        let mut place = Url::parse(&realm).map_err(|error| failed(error.to_string()))?;
        if place.scheme() != "https" && url.starts_with("https:") {
            return Err(failed("a place without TLS".into()));
        }
        for (name, value) in [("service", service), ("scope", scope)] {
            value.iter().for_each(|value| {
                place.query_pairs_mut().append_pair(name, value);
            });
        }
        let response = client.get(place).send()?;
        if !response.status().is_success() {
            return Err(failed(response.status().to_string()));
        }
        let mut text = Vec::new();
        let mut body = Paced::new(response, floor).take(MOST_BYTES);
        body.read_to_end(&mut text).map_err(Attempt::of_reading)?;
        let answer: Result<Answer, _> = serde_json::from_slice(&text);
        let Answer { token, access_token } = answer.map_err(|error| failed(error.to_string()))?;
        let is_plain =
            |token: &String| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        token.or(access_token).filter(is_plain).ok_or_else(|| failed("an answer without one".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_in_the_forms_that_servers_use() {
        let parsed =
            parse(r#"Bearer realm="https://a/token",service="a",scope="repository:x/y:pull""#).unwrap();
        assert_eq!(parsed.realm, "https://a/token");
        assert_eq!(
            (parsed.service.as_deref(), parsed.scope.as_deref()),
            (Some("a"), Some("repository:x/y:pull"))
        );
        let parsed = parse("bearer service=a, Realm=https://a/token").unwrap();
        assert_eq!((parsed.realm.as_str(), parsed.service.as_deref()), ("https://a/token", Some("a")));
        for strange in ["", "Bearer", "Basic realm=\"x\"", "Bearer service=\"a\"", "Bearer realm=\"open"] {
            assert_eq!(parse(strange), None, "{strange}");
        }
    }

    #[test]
    fn a_token_is_for_one_repository_of_one_server() {
        assert_eq!(repository("https://a/v2/x/y/manifests/1"), Some("https://a/v2/x/y"));
        assert_eq!(repository("https://a/v2/x/y/blobs/sha256:0"), Some("https://a/v2/x/y"));
        assert_eq!(repository("https://a/debian/pool/x.deb"), None);
    }
}
