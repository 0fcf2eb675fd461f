//! The proxy between a node and the world.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Invalid;

/// The proxy between the nodes and the world.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Proxy {
    /// For plain requests: `http://proxy.home.example:3128`.
    pub http: Option<String>,
    /// For those with TLS.
    pub https: Option<String>,
    /// Names, addresses and networks that are reached without it, besides the cluster's own and the nodes'.
    pub no_proxy: Vec<String>,
}

impl Proxy {
    /// What is wrong with it: the settings, and why the node could not do with them.
    pub fn flaws(&self) -> Vec<Invalid> {
        let Self { http, https, no_proxy } = self;
        let mut flaws = Vec::new();
        if http.is_none() && https.is_none() {
            flaws.push(Invalid::new("", "neither `http` nor `https` is given"));
        }
        for (setting, url) in [("http", http), ("https", https)] {
            if let Some(url) = url.as_ref().filter(|url| !is_url(url) || url.contains('@')) {
                let shown = if url.contains('@') { "an address with a password" } else { url };
                let message =
                    format!("{shown}: that is not http://HOST:PORT, and the file with it is not secret");
                flaws.push(Invalid::new(setting, message));
            }
            if let Some(host) = url.as_ref().and_then(|url| host_of(url)).filter(|host| is_own(host)) {
                let message = format!("{host} is every machine's own: each node would ask itself");
                flaws.push(Invalid::new(setting, message));
            }
        }
        let good = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b':' | b'/' | b'*');
        for (index, one) in no_proxy.iter().enumerate() {
            if one.is_empty() || !one.bytes().all(good) {
                let message = format!("`{}` is no name, address or network", one.escape_debug());
                flaws.push(Invalid::new(format!("no-proxy[{index}]"), message));
            }
        }
        flaws
    }

    /// The environment that programs read it from, by the names that are written large.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let no_proxy = (!self.no_proxy.is_empty()).then(|| self.no_proxy.join(","));
        let all =
            [("HTTP_PROXY", self.http.clone()), ("HTTPS_PROXY", self.https.clone()), ("NO_PROXY", no_proxy)];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// The host in the address of a server, `https://HOST:PORT/…`, without brackets.
pub fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit('@').next()?;
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    }
}

/// Whether it is a name or an address of the loop.
fn is_own(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `http://` or `https://`, a host, perhaps a port; nothing that would end a string where it is written.
pub fn is_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let good = |c: u8| c.is_ascii_graphic() && !matches!(c, b'"' | b'\\' | b'\'');
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', ':']) && rest.bytes().all(good))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_another_machine() {
        for (url, flaws) in [
            ("http://localhost:3128", 1),
            ("http://127.0.0.1", 1),
            ("http://[::1]:3128/", 1),
            ("http://proxy.home.example:3128", 0),
            ("http://192.168.1.2:3128", 0),
        ] {
            let proxy = Proxy { https: Some(url.into()), ..Proxy::default() };
            assert_eq!(proxy.flaws().len(), flaws, "{url}");
        }
    }
}
