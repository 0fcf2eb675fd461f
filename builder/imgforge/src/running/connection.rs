//! Talking with servers that have certificates of one authority, as somebody whom they let in by a certificate. Answers are
//! waited for and read within bounds.

use std::{
    fmt,
    io::Read,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use imgforge_kube::pki::{self, CertifiedKey};
use reqwest::{
    Certificate, Identity, Method, Url,
    blocking::{Client, Response},
    header::CONTENT_TYPE,
    redirect::Policy,
    tls::TlsInfo,
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Error, places::Places};

/// The nodes stand in the next room.
const CONNECT: Duration = Duration::from_secs(5);
/// A busy board takes its time for an answer.
const SILENCE: Duration = Duration::from_secs(30);
/// As much of a refusal is read.
const MOST_REFUSAL: u64 = 64 << 10;

/// A server: the name or address that its certificate has to be about, and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    host: String,
    port: u16,
}

impl Server {
    /// The server at `port` of `host`.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// The server at an address such as `https://192.168.1.10:2379`.
    pub fn of_url(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok().filter(|url| url.scheme() == "https")?;
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        Some(Self { host, port: url.port_or_known_default()? })
    }

    /// Its name or address.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// What is asked of a server.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// HTTP's method.
    pub method: Method,
    /// Path, with a query where there is one.
    pub path: &'a str,
    /// A body, and of which kind it is.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// A longer answer is none.
    pub most: u64,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
}

impl<'a> Request<'a> {
    /// Asks for what is at `path`, of at most `most` bytes.
    pub fn get(path: &'a str, most: u64) -> Self {
        Self { method: Method::GET, path, body: None, most, headers: Vec::new() }
    }
}

impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// What it says.
    pub bytes: Vec<u8>,
    /// When the certificate ends of who says it, in seconds since 1970.
    pub certificate_end: Option<i64>,
}

/// Somebody whom servers of one authority let in.
#[derive(Debug, Clone)]
pub struct Connection {
    client: Client,
}

impl Connection {
    /// As `identity`, with servers that `authority` (PEM) vouches for, which are found at `places`.
    pub fn new(authority: &str, identity: &CertifiedKey, places: &Places) -> Result<Self, Error> {
        // An error here only says that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let setup = |source| Error::Setup { source };
        let pem = Zeroizing::new(format!("{}{}", identity.certificate, identity.key.reveal()));
        let mut builder = Client::builder()
            .tls_certs_only([Certificate::from_pem(authority.as_bytes()).map_err(setup)?])
            .identity(Identity::from_pem(pem.as_bytes()).map_err(setup)?)
            .tls_info(true)
            .https_only(true)
            // Nodes are neighbours: a proxy of the environment is for elsewhere.
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            // The blocking client takes this for each single read.
            .timeout(SILENCE)
            .user_agent(concat!("imgforge/", env!("CARGO_PKG_VERSION")));
        // The certificate is about the node's name, and that may be known by other means than a name server.
        for (name, addresses) in places.iter().filter(|(_, addresses)| !addresses.is_empty()) {
            let sockets: Vec<SocketAddr> = addresses.iter().map(|ip: &IpAddr| (*ip, 0).into()).collect();
            builder = builder.resolve_to_addrs(name, &sockets);
        }
        builder.build().map(|client| Self { client }).map_err(setup)
    }

    /// The whole answer of `server`.
    pub fn ask(&self, server: &Server, request: &Request<'_>) -> Result<Answer, Error> {
        let response = self.open(server, request)?;
        let certificate_end = certificate_end(&response);
        let bytes = read(response, request.most).map_err(|problem| Error::Answer {
            server: server.to_string(),
            request: request.to_string(),
            problem,
        })?;
        Ok(Answer { bytes, certificate_end })
    }

    /// The answer of `server`, of which only the head has been read.
    pub fn open(&self, server: &Server, request: &Request<'_>) -> Result<Response, Error> {
        let url = format!("https://{server}{}", request.path);
        let mut builder = self.client.request(request.method.clone(), url);
        if let Some((kind, body)) = &request.body {
            builder = builder.header(CONTENT_TYPE, *kind).body(body.clone());
        }
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let unreachable = |source: reqwest::Error| Error::Unreachable {
            server: server.to_string(),
            source: source.without_url(),
        };
        let response = builder.send().map_err(unreachable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = read(response, MOST_REFUSAL).unwrap_or_default();
        Err(Error::Refused {
            server: server.to_string(),
            request: request.to_string(),
            status: status.as_u16(),
            message: message(&text),
        })
    }
}

/// When the certificate ends of who answers, in seconds since 1970.
pub(super) fn certificate_end(response: &Response) -> Option<i64> {
    pki::end_of(response.extensions().get::<TlsInfo>()?.peer_certificate()?)
}

/// All bytes, if they are no more than `most`.
fn read(response: Response, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    response.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > most {
        return Err(format!("it has more than {most} bytes"));
    }
    Ok(bytes)
}

/// What the API calls its reason.
#[derive(Deserialize)]
struct Reason {
    message: Option<String>,
}

/// A server's reason, from the API's document, else the text as it is.
fn message(body: &[u8]) -> String {
    let reason = serde_json::from_slice(body).ok().and_then(|reason: Reason| reason.message);
    let text = reason.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_what_the_server_says() {
        assert_eq!(
            message(br#"{"kind":"Status","message":"nodes \"x\" not found"}"#),
            "nodes \"x\" not found"
        );
        assert_eq!(message(b"<html>\n"), "<html>");
        assert_eq!(message(b"\xff"), "\u{fffd}");
    }

    #[test]
    fn addresses_of_ipv6_stand_in_brackets() {
        assert_eq!(Server::new("fd00::1", 6443).to_string(), "[fd00::1]:6443");
        assert_eq!(Server::new("k8s-master-1", 2379).to_string(), "k8s-master-1:2379");
    }
}
