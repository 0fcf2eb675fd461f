//! What belongs to which release line of Kubernetes.
//!
//! Sources: `PauseVersion`, `CoreDNSVersion` and `DefaultEtcdVersion` in
//! <https://github.com/kubernetes/kubernetes/blob/master/cmd/kubeadm/app/constants/constants.go> of each release
//! branch.

use super::Version;

/// One minor release line and what kubeadm of that line deploys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The 36 of 1.36.
    pub minor: u16,
    /// Tag of the pause image, the one container every pod has.
    pub pause: &'static str,
    /// Tag of CoreDNS' image, where it has been looked up.
    pub coredns: Option<&'static str>,
    /// Tag of etcd's image, where it has been looked up.
    pub etcd: Option<&'static str>,
}

/// A line whose tags of CoreDNS and etcd have not been looked up.
const fn line(minor: u16, pause: &'static str) -> Line {
    Line { minor, pause, coredns: None, etcd: None }
}

const fn known(minor: u16, pause: &'static str, coredns: &'static str, etcd: &'static str) -> Line {
    Line { minor, pause, coredns: Some(coredns), etcd: Some(etcd) }
}

/// All lines that are known, oldest first, without a gap. Later patches of a line may have a later etcd: kubeadm is told
/// the tag that the cards carry, and takes each of its line.
const LINES: [Line; 18] = [
    known(20, "3.2", "1.7.0", "3.4.13-0"),
    line(21, "3.4.1"),
    line(22, "3.5"),
    known(23, "3.6", "v1.8.6", "3.5.6-0"),
    known(24, "3.7", "v1.8.6", "3.5.6-0"),
    known(25, "3.8", "v1.9.3", "3.5.9-0"),
    known(26, "3.9", "v1.9.3", "3.5.10-0"),
    known(27, "3.9", "v1.10.1", "3.5.12-0"),
    known(28, "3.9", "v1.10.1", "3.5.15-0"),
    known(29, "3.9", "v1.11.1", "3.5.15-0"),
    known(30, "3.9", "v1.11.3", "3.5.15-0"),
    known(31, "3.10", "v1.11.3", "3.5.15-0"),
    known(32, "3.10", "v1.11.3", "3.5.16-0"),
    line(33, "3.10"),
    known(34, "3.10.1", "v1.12.1", "3.6.8-0"),
    known(35, "3.10.1", "v1.12.4", "3.6.8-0"),
    known(36, "3.10.2", "v1.14.2", "3.6.8-0"),
    known(37, "3.10.2", "v1.14.6", "3.7.0-0"),
];

/// The first and the last minor release that is known.
pub const KNOWN: (u16, u16) = (LINES[0].minor, LINES[LINES.len() - 1].minor);

impl Version {
    /// The release line, if it is a known one.
    pub fn line(self) -> Option<&'static Line> {
        LINES.iter().find(|line| line.minor == self.minor)
    }

    /// The registry kubeadm takes its images from: it moved with 1.25.
    pub fn registry(self) -> &'static str {
        if self.minor < 25 { "k8s.gcr.io" } else { "registry.k8s.io" }
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
    fn the_table_has_no_gap() {
        for (index, line) in LINES.iter().enumerate() {
            assert_eq!(usize::from(line.minor), usize::from(KNOWN.0) + index);
        }
    }

    #[test]
    fn the_pause_image_is_the_one_kubeadm_expects() {
        assert_eq!(Version::new(20, 2).pause_image().as_deref(), Some("k8s.gcr.io/pause:3.2"));
        assert_eq!(Version::new(26, 13).pause_image().as_deref(), Some("registry.k8s.io/pause:3.9"));
        assert_eq!(Version::new(37, 1).pause_image().as_deref(), Some("registry.k8s.io/pause:3.10.2"));
        assert_eq!(Version::new(99, 0).pause_image(), None);
    }
}
