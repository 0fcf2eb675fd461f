//! What the whole-program tests share: local bases, foreign tools as judges, QEMU guests, a vendor's web server that
//! misbehaves on demand, a package repository, and the `imgforge` command in a home of its own.
//!
//! Everything here panics with an explanation instead of returning errors: its only callers are tests.

mod base;
mod build;
mod card;
mod cluster_lab;
mod deb;
mod etcd;
mod gnupg;
mod guest;
mod kubernetes;
mod nmcli;
mod oracle;
mod program;
mod registry;
mod running;
mod signed_repository;
mod stand_in;
mod vendor_server;

pub use base::Base;
pub use build::{Workbench, approved, fails, file_in, read_at, same, same_boot_loader, succeeds};
pub use card::{LoopDevice, card_image, has_no_table, is_root, map_of, used_card};
pub use cluster_lab::{ClusterLab, finishes, node};
pub use deb::{Deb, regular};
pub use etcd::{authority, etcd_snapshot, of_cluster};
pub use gnupg::Gnupg;
pub use guest::{Guest, Lan, free_port};
pub use kubernetes::{
    KUBERNETES_REGISTRY, kubernetes_images, kubernetes_packages, kubernetes_program, native_kubernetes,
};
pub use nmcli::nmcli;
pub use oracle::{Partition, Tool, partitions, sha256};
pub use program::{Home, repository};
pub use registry::{ContainerImage, Containerd, Dialect, Registry, digest, index};
pub use running::RunningCluster;
pub use signed_repository::SignedRepository;
pub use stand_in::{k3s_release, release, stand_ins};
pub use vendor_server::{Fault, VendorServer};
