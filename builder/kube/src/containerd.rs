//! containerd's configuration. <https://github.com/containerd/containerd/blob/main/docs/cri/config.md>

use std::fmt;

use crate::{registries, version::Version};

/// Release series of containerd: they read different configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    /// 1.x, configuration version 2; Debian's.
    One,
    /// 2.x, configuration version 3; Docker's packages.
    Two,
}

impl Series {
    /// The series of a release, by its first number: `2.3.4`, `1.7.24~ds1-6`.
    pub fn of(release: &str) -> Option<Self> {
        match release.split('.').next() {
            Some("1") => Some(Series::One),
            Some("2") => Some(Series::Two),
            _ => None,
        }
    }

    /// Whether the kubelet of `version` works with it. Kubelets before 1.23 speak only the old runtime API, which
    /// containerd 2 has dropped; 1.38 wants a call that containerd 1 does not have
    /// (<https://github.com/kubernetes/enhancements/issues/4033>).
    pub fn suits(self, version: Version) -> bool {
        match self {
            Series::One => version.minor < 38,
            Series::Two => version.minor >= 23,
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Series::One => "1",
            Series::Two => "2",
        })
    }
}

/// Where the configuration lies on the node.
pub const PATH: &str = "/etc/containerd/config.toml";

/// The socket, as a URL.
pub const SOCKET: &str = "unix:///run/containerd/containerd.sock";

/// The containerd of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runtime<'a> {
    /// Its series.
    pub series: Series,
    /// The folder with the network plugins: that of the packages they come from, and of what add-ons bring along.
    pub plugins: &'a str,
}

/// Where the packages of the Kubernetes project and add-ons such as Flannel put network plugins.
pub const KUBERNETES_PLUGINS: &str = "/opt/cni/bin";

/// Where Debian's package puts network plugins.
pub const DEBIAN_PLUGINS: &str = "/usr/lib/cni";

/// Where mirrors and authorities of registries are looked for.
fn registries(series: Series) -> String {
    let plugin = match series {
        Series::One => "io.containerd.grpc.v1.cri",
        Series::Two => "io.containerd.cri.v1.images",
    };
    let folder = registries::FOLDER;
    format!("\n[plugins.\"{plugin}\".registry]\nconfig_path = \"{folder}\"\n")
}

/// The configuration for kubelets with systemd's control groups. `pause` is the image that kubeadm expects for pods'
/// first container: another one would be pulled besides. `has_registries`: there are files in [`registries::FOLDER`].
pub fn config(runtime: Runtime<'_>, pause: &str, has_registries: bool) -> String {
    let plugins = runtime.plugins;
    let body = match runtime.series {
        Series::One => format!(
            r#"version = 2

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = true
"#
        ),
        Series::Two => format!(
            r#"version = 3

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{pause}"

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{plugins}"]
conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = true
"#
        ),
    };
    let registries = if has_registries { registries(runtime.series) } else { String::new() };
    format!("# Made by imgforge from the cluster file.\n{body}{registries}")
}
