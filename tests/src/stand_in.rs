//! Packages that stand in for Kubernetes' own, where those cannot be had: `tests/cluster/README.md`.

use std::fs;
use std::path::Path;

use crate::{Deb, SignedRepository, repository, sha256};

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

/// The release `k3s-1.36` for imgforge, of a stand-in that `server` serves: arm64 is pinned by its hash, 32-bit Arm by a checksum
/// file, as k3s' own release is.
pub fn k3s_release(server: &SignedRepository) -> String {
    let options = |kind: &str| {
        let list = of_folder("builder/kube/tests/k3s", &format!("{kind}-flags.txt"));
        format!("{kind}: {}\n", String::from_utf8_lossy(&list).replace('\n', " "))
    };
    let program = String::from_utf8_lossy(&of_folder("tests/cluster", "k3s")).into_owned();
    let program = format!("{program}\n__DATA__\n{}{}", options("server"), options("agent"));
    let module = String::from_utf8_lossy(&of_folder("tests/cluster", "StandIn.pm")).into_owned();
    let sums = |architecture: &str, program_name: &str| {
        let images = format!("k3s-airgap-images-{architecture}.tar.zst");
        let files = [
            (program_name.to_owned(), program.clone()),
            (format!("{architecture}.pm"), module.clone()),
            (images, format!("images for {architecture}")),
        ];
        let sum = |(name, text): &(String, String)| {
            server.put(name, text.as_bytes());
            format!("{}  {name}\n", sha256(&server.path(name)))
        };
        files.iter().map(sum).collect::<String>()
    };
    let (arm64, arm) = (sums("arm64", "k3s-arm64"), sums("arm", "k3s-armhf"));
    server.put("sha256sum-arm.txt", arm.as_bytes());
    let pinned = |name: &str| {
        let sum = arm64.lines().find_map(|line| line.strip_suffix(&format!("  {name}"))).expect("a sum");
        format!("url: '{}', sha256: {sum}", server.url(name))
    };
    let unpinned = |name: &str| {
        format!("url: '{}', checksum-file: '{}'", server.url(name), server.url("sha256sum-arm.txt"))
    };
    let bundle = |list: &str, program: &str, module: &str, images: &str, name: &str| {
        let folder = "/var/lib/imgforge/images";
        format!(
            "    {list}:\n      - {{ {program}, path: /usr/local/bin/k3s }}\n      - {{ {module}, path: /usr/share/imgforge-stand-in/StandIn.pm, mode: '0644' }}\n\
             \x20   image-archives: {{ {list}: [{{ {images}, path: {folder}/{name}, mode: '0644' }}] }}\n\
             \x20   packages: [libio-socket-ssl-perl, libyaml-libyaml-perl, openssl]\n"
        )
    };
    let (of_arm64, of_arm) = ("k3s-airgap-images-arm64.tar.zst", "k3s-airgap-images-arm.tar.zst");
    let arm64 = bundle("files", &pinned("k3s-arm64"), &pinned("arm64.pm"), &pinned(of_arm64), of_arm64);
    let armv7 = bundle("unpinned", &unpinned("k3s-armhf"), &unpinned("arm.pm"), &unpinned(of_arm), of_arm);
    format!(
        "release: k3s-1.36\nengine: k3s\nversion: {VERSION}\ndescription: a stand-in for k3s\nartifacts:\n  arm64:\n{arm64}  armv7:\n{armv7}"
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
