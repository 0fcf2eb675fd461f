//! Packages that stand in for Kubernetes' own, where those cannot be had: `tests/cluster/README.md`.

use std::fs;
use std::path::Path;

use crate::{Deb, SignedRepository, repository};

/// The release they pretend to be.
const VERSION: &str = "1.36.4";

/// What `kubelet.service` and its drop-in are called in Kubernetes' own package, and where they lie here.
const UNITS: [&str; 2] =
    ["usr/lib/systemd/system/kubelet.service", "usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"];

/// What the stand-ins are written in, and what of Debian's Kubernetes' own packages depend on.
const DEPENDS: [(&str, &str); 3] = [
    ("kubelet", "libio-socket-ssl-perl, libyaml-libyaml-perl, iptables, conntrack, mount"),
    ("kubeadm", "kubelet, kubectl, openssl, ethtool, socat, iproute2"),
    ("kubectl", "libio-socket-ssl-perl, libyaml-libyaml-perl, kubelet"),
];

/// A repository with the packages kubeadm, kubelet and kubectl.
pub fn stand_ins() -> SignedRepository {
    let mut packages = SignedRepository::new();
    for (name, depends) in DEPENDS {
        let deb = Deb::new(name, &format!("{VERSION}-1.1")).field("Depends", depends);
        let deb = deb.program(&format!("usr/bin/{name}"), &of_folder("tests/cluster", name));
        packages.add(&if name == "kubelet" { with_units(deb) } else { deb });
    }
    packages
}

/// The release's description for imgforge: its packages from `packages`, its runtime from Debian.
pub fn release(packages: &SignedRepository) -> String {
    format!(
        "release: \"1.36\"\nversion: {VERSION}\ndescription: stand-ins for Kubernetes' own programs\n\
         packages: [containerd, runc, kubeadm, kubelet, kubectl]\nrepositories: [{}]\n",
        packages.declaration()
    )
}

fn with_units(deb: Deb) -> Deb {
    let module = of_folder("tests/cluster", "StandIn.pm");
    let deb = deb.file("usr/share/imgforge-stand-in/StandIn.pm", &module);
    UNITS
        .into_iter()
        .fold(deb, |deb, unit| deb.file(unit, &of_folder("overlays/kubernetes/artifacts/root", unit)))
}

fn of_folder(folder: &str, name: &str) -> Vec<u8> {
    fs::read(Path::new(repository()).join(folder).join(name)).expect("a file of the repository")
}
