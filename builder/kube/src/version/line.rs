//! What belongs to which release line of Kubernetes. The lines are data: `lines.yaml`.

use std::{ops::RangeInclusive, sync::LazyLock};

use serde::Deserialize;

use super::Version;

/// Where kubeadm takes its images from.
const REGISTRY: &str = "registry.k8s.io";

/// One minor release line and what kubeadm of that line deploys.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The 36 of 1.36.
    #[serde(rename = "line")]
    pub minor: u16,
    /// Tag of the pause image, the one container every pod has.
    pub pause: String,
    /// Tag of CoreDNS' image, where it has been looked up.
    #[serde(default)]
    pub coredns: Option<String>,
    /// Tag of etcd's image, where it has been looked up.
    #[serde(default)]
    pub etcd: Option<String>,
    /// The registry of the images, where it is another than today's.
    #[serde(default)]
    pub registry: Option<String>,
}

/// The file is part of the program; that it can be read, the tests see.
static LINES: LazyLock<Vec<Line>> =
    LazyLock::new(|| serde_yaml::from_str(include_str!("lines.yaml")).unwrap_or_default());

/// The minor releases that are known: the 20 of 1.20 to the newest.
pub fn known() -> RangeInclusive<u16> {
    let minor = |line: Option<&Line>| line.map_or(0, |line| line.minor);
    minor(LINES.first())..=minor(LINES.last())
}

impl Version {
    /// The first release of the newest line that is known.
    pub fn newest_known() -> Self {
        Self::new(*known().end(), 0)
    }

    /// The release line, if it is a known one.
    pub fn line(self) -> Option<&'static Line> {
        LINES.iter().find(|line| line.minor == self.minor)
    }

    /// The registry kubeadm takes its images from.
    pub fn registry(self) -> &'static str {
        self.line().and_then(|line| line.registry.as_deref()).unwrap_or(REGISTRY)
    }

    /// The pause image, as containerd's configuration must name it.
    pub fn pause_image(self) -> Option<String> {
        self.line().map(|line| format!("{}/pause:{}", self.registry(), line.pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_have_no_gap() {
        let lines: Vec<Line> = serde_yaml::from_str(include_str!("lines.yaml")).unwrap();
        assert!(lines.iter().map(|line| line.minor).eq(known()));
        assert_eq!(known(), 20..=37);
    }

    #[test]
    fn the_pause_image_is_the_one_kubeadm_expects() {
        assert_eq!(Version::new(20, 2).pause_image().as_deref(), Some("k8s.gcr.io/pause:3.2"));
        assert_eq!(Version::new(26, 13).pause_image().as_deref(), Some("registry.k8s.io/pause:3.9"));
        assert_eq!(Version::new(37, 1).pause_image().as_deref(), Some("registry.k8s.io/pause:3.10.2"));
        assert_eq!(Version::new(99, 0).pause_image(), None);
    }
}
