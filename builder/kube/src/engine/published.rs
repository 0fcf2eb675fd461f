//! How the engines' projects publish their releases: what one is called, and at which address its files are.

use std::{fmt, str::FromStr};

use super::Engine;
use crate::{board::Architecture, version::Version};

/// A patch release as it is published: `1.36.5` of Kubernetes; `k3s-1.36.5`, which is v1.36.5+k3s1, of k3s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patch {
    /// Whose release it is.
    pub engine: Engine,
    /// The Kubernetes in it.
    pub version: Version,
    /// The 1 of `+k3s1`: k3s counts what it makes of one Kubernetes.
    build: u16,
}

/// The address of a file that belongs to a patch release, around what that is called there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published<'a> {
    before: &'a str,
    /// The Kubernetes in the release.
    pub version: Version,
    after: &'a str,
}

impl Engine {
    /// What files of a release line are called, without their ending: `1.36`, `k3s-1.36`. Its patches share one.
    pub fn line(self, version: Version) -> String {
        match self {
            Self::Kubeadm => format!("1.{}", version.minor),
            Self::K3s => format!("k3s-1.{}", version.minor),
        }
    }

    /// What `url` is the address of, if it is a file of a release: `…/v1.36.4/bin/linux/arm64/kubelet` of Kubernetes
    /// (<https://kubernetes.io/releases/download/>), `…/v1.36.4%2Bk3s1/k3s-arm64` of k3s.
    pub fn published(self, url: &str) -> Option<Published<'_>> {
        url.match_indices("/v").find_map(|(at, _)| {
            let (before, rest) = url.split_at_checked(at + 1)?;
            let (tag, after) = rest.split_once('/')?;
            let version = match self {
                Self::Kubeadm if after.starts_with("bin/") => tag,
                Self::Kubeadm => return None,
                Self::K3s => tag.split_once("%2Bk3s").or_else(|| tag.split_once("+k3s"))?.0,
            };
            Some(Published { before, version: version.parse().ok()?, after })
        })
    }

    /// Where the SHA-256 of the file at `url`, which is for `architecture`, is published: with Kubernetes beside each file, with k3s
    /// in one list for all of an architecture.
    pub fn checksums(self, url: &str, architecture: Architecture) -> String {
        match self {
            Self::Kubeadm => format!("{url}.sha256"),
            Self::K3s => {
                let folder = url.rsplit_once('/').map_or(url, |(folder, _)| folder);
                let name = if architecture.is_32_bit() { "arm" } else { "arm64" };
                format!("{folder}/sha256sum-{name}.txt")
            }
        }
    }

    /// Where the project says which patch of the line of `file` is the newest: `…/stable-1.36.txt` of Kubernetes. k3s has no such file,
    /// but redirects.
    pub fn newest_patch(self, file: &Published<'_>) -> Option<String> {
        let Published { before, version, .. } = file;
        (self == Self::Kubeadm).then(|| format!("{before}stable-1.{}.txt", version.minor))
    }
}

impl Patch {
    /// The same file in this patch.
    pub fn url(&self, file: &Published<'_>) -> String {
        let Published { before, after, .. } = file;
        format!("{before}v{}/{after}", self.number().replace('+', "%2B"))
    }

    /// Its number: `1.36.5`, of k3s `1.36.5+k3s1`.
    pub fn number(&self) -> String {
        match self.engine {
            Engine::Kubeadm => self.version.to_string(),
            Engine::K3s => format!("{}+k3s{}", self.version, self.build),
        }
    }

    /// Its full name: `Kubernetes 1.36.5`, `k3s 1.36.5+k3s1`.
    pub fn title(&self) -> String {
        match self.engine {
            Engine::Kubeadm => format!("Kubernetes {}", self.number()),
            Engine::K3s => format!("k3s {}", self.number()),
        }
    }
}

/// A text that names no patch release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no patch release; write all three numbers, such as 1.36.5 or k3s-1.36.5")]
pub struct InvalidPatch(String);

impl FromStr for Patch {
    type Err = InvalidPatch;

    /// Reads `1.36.5`, `k3s-1.36.5` or `k3s-1.36.5+k3s2`.
    fn from_str(text: &str) -> Result<Self, InvalidPatch> {
        let (engine, rest) = match text.strip_prefix("k3s-") {
            Some(rest) => (Engine::K3s, rest),
            None => (Engine::Kubeadm, text),
        };
        let (version, build) = match rest.split_once("+k3s") {
            Some((version, build)) if engine == Engine::K3s => (version, number(build)),
            _ => (rest, Some(1)),
        };
        let patch = version.parse().ok().zip(build).map(|(version, build)| Self { engine, version, build });
        patch.ok_or_else(|| InvalidPatch(text.to_owned()))
    }
}

/// A number from 1 on, as it is printed: `str::parse` alone would take `+1` and `01`.
fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|number: &u16| *number > 0 && number.to_string() == text)
}

impl fmt::Display for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.engine, self.build) {
            (Engine::Kubeadm, _) => write!(f, "{}", self.version),
            (Engine::K3s, 1) => write!(f, "k3s-{}", self.version),
            (Engine::K3s, build) => write!(f, "k3s-{}+k3s{build}", self.version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBELET: &str = "https://dl.k8s.io/release/v1.36.4/bin/linux/arm64/kubelet";
    const K3S: &str = "https://github.com/k3s-io/k3s/releases/download/v1.36.4%2Bk3s1/k3s-armhf";

    fn patch(text: &str) -> Patch {
        text.parse().unwrap()
    }

    #[test]
    fn a_file_is_found_in_another_patch() {
        let file = Engine::Kubeadm.published(KUBELET).unwrap();
        assert_eq!(file.version, Version::new(36, 4));
        assert_eq!(patch("1.36.12").url(&file), "https://dl.k8s.io/release/v1.36.12/bin/linux/arm64/kubelet");
        let file = Engine::K3s.published(K3S).unwrap();
        assert_eq!(file.version, Version::new(36, 4));
        let folder = "https://github.com/k3s-io/k3s/releases/download";
        assert_eq!(patch("k3s-1.36.5").url(&file), format!("{folder}/v1.36.5%2Bk3s1/k3s-armhf"));
        assert_eq!(patch("k3s-1.36.5+k3s2").url(&file), format!("{folder}/v1.36.5%2Bk3s2/k3s-armhf"));
    }

    #[test]
    fn files_of_others_are_in_no_patch() {
        for (engine, url) in [
            // A first patch has the number of the tools for its line.
            (
                Engine::Kubeadm,
                "https://github.com/kubernetes-sigs/cri-tools/releases/download/v1.36.0/crictl.tar.gz",
            ),
            (Engine::Kubeadm, K3S),
            (Engine::K3s, KUBELET),
            (Engine::K3s, "https://update.k3s.io/v1-release/channels/v1.36"),
            (Engine::Kubeadm, "https://a/v1.36/bin/x"),
            (Engine::Kubeadm, "/v"),
            (Engine::Kubeadm, ""),
        ] {
            assert_eq!(engine.published(url), None, "{url}");
        }
    }

    #[test]
    fn projects_say_hashes_and_newest_patches_beside_their_files() {
        let (kubeadm, k3s) = (Engine::Kubeadm, Engine::K3s);
        assert_eq!(kubeadm.checksums(KUBELET, Architecture::Arm64), format!("{KUBELET}.sha256"));
        let list = k3s.checksums(K3S, Architecture::Armv7);
        assert_eq!(list, "https://github.com/k3s-io/k3s/releases/download/v1.36.4%2Bk3s1/sha256sum-arm.txt");
        let newest = kubeadm.newest_patch(&kubeadm.published(KUBELET).unwrap());
        assert_eq!(newest.as_deref(), Some("https://dl.k8s.io/release/stable-1.36.txt"));
        assert_eq!(k3s.newest_patch(&k3s.published(K3S).unwrap()), None);
    }

    #[test]
    fn patches_are_named_as_their_files_are() {
        for text in ["1.36.5", "k3s-1.36.5", "k3s-1.36.5+k3s2"] {
            assert_eq!(patch(text).to_string(), text);
        }
        assert_eq!(patch("v1.36.5").title(), "Kubernetes 1.36.5");
        assert_eq!(patch("k3s-1.36.5").title(), "k3s 1.36.5+k3s1");
        for bad in [
            "1.36",
            "k3s",
            "k3s-",
            "k3s-1.36",
            "1.36.5+k3s1",
            "k3s-1.36.5+k3s",
            "k3s-1.36.5+k3s0",
            "k3s-1.36.5+k3s+1",
        ] {
            let refused = bad.parse::<Patch>().unwrap_err().to_string();
            assert!(refused.starts_with(&format!("`{bad}` is no patch release")), "{refused}");
        }
    }
}
