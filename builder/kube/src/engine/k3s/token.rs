//! What k3s' nodes show each other. All of it follows from the cluster's secrets, so that nothing has to be kept besides.
//!
//! Forms: `pkg/clientaccess/token.go` (`K10<hash>::<user>:<password>`) and docs.k3s.io, cli/token.

use imgforge_spec::{Hasher, Sha256};

use crate::pki::{Secret, Secrets};

/// The passwords by which nodes join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Of servers; it also decrypts what servers leave for each other, authorities' keys among it. Who has the authority's
    /// key has it, and nobody else: an agent's card does not.
    pub server: Secret,
    /// Of agents.
    pub agent: Secret,
    ca_hash: Sha256,
}

impl Tokens {
    /// Those of the cluster with these `secrets`.
    pub fn of(secrets: &Secrets) -> Self {
        // A token with a dot would be read as one of kubeadm's.
        let agent = secrets.bootstrap_token.reveal().replace('.', "");
        Self {
            server: derived("server token", &[secrets.ca.key.reveal()]),
            agent: Secret::new(agent),
            ca_hash: ca_hash(&secrets.ca.certificate),
        }
    }

    /// The token with which an agent joins: it believes only a server with this authority.
    pub fn of_agent(&self) -> Secret {
        self.full("node", &self.agent)
    }

    /// The token with which one of several servers joins the others, in the form that k3s leaves in `server/token`: the password
    /// behind it is what they let each other in by (`EnsureUser` in `pkg/passwd`).
    pub fn of_server(&self) -> Secret {
        self.full("server", &self.server)
    }

    fn full(&self, user: &str, password: &Secret) -> Secret {
        Secret::new(format!("K10{}::{user}:{}", self.ca_hash, password.reveal()))
    }
}

/// What k3s knows an authority by that signed itself: SHA-256 over the bytes of `server-ca.crt` (`hashCA`).
pub fn ca_hash(certificate: &str) -> Sha256 {
    Sha256::of(certificate.as_bytes())
}

/// What the node `hostname` proves its name by (`/etc/rancher/node/password`). k3s makes one at random, and refuses a new
/// card of the same name; this one is the same on every card of the node.
pub fn node_password(secrets: &Secrets, hostname: &str) -> Secret {
    let parts = [secrets.ca.key.reveal(), hostname];
    let whole = derived("node password", &parts);
    // As long as k3s' own: 16 bytes in hexadecimal digits.
    Secret::new(whole.reveal().chars().take(32).collect::<String>())
}

/// Digits that nobody finds who does not have the secrets among `parts`. Each goes in with its length.
fn derived(purpose: &str, parts: &[&str]) -> Secret {
    let mut hasher = Hasher::default();
    for part in ["imgforge k3s", purpose].iter().chain(parts) {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    Secret::new(hasher.finish().to_string())
}
