//! Docker in place of containerd. The kubelet does not speak Docker's language: cri-dockerd translates.
//! <https://github.com/Mirantis/cri-dockerd>
//!
//! What does not depend on the node is in `overlays/runtimes/docker`.

/// cri-dockerd's socket, as a URL.
pub const SOCKET: &str = "unix:///run/cri-dockerd.sock";

/// Where the settings of cri-dockerd lie on the node.
pub const PATH: &str = "/etc/default/cri-docker";

/// The files of its overlay and of a node that people may not replace: without them the node does not come up.
pub const FILES: [&str; 2] = [PATH, "/etc/docker/daemon.json"];

/// The settings of cri-dockerd. `pause` is the image that kubeadm expects for pods' first container.
pub fn settings(pause: &str) -> String {
    format!("# Made by imgforge from the cluster file.\nPAUSE_IMAGE={pause}\n")
}
