//! What a node needs to become part of a Kubernetes cluster, as values: nothing here reads a file, a clock or the
//! network.
//!
//! - [`cluster`]: the cluster file and its nodes; [`check`]: what is wrong with it.
//! - [`version`]: what belongs to a release of Kubernetes and where it runs; [`performance`]: what slow boards need.
//! - [`member`]: a node with its cluster and board, from which everything of the node is made.
//! - [`engine`]: what makes a cluster of nodes, one folder each: [`kubeadm`] with its [`patches`], and [`engine::k3s`].
//! - [`containerd`], [`docker`], [`kube_vip`], [`add_ons`]: further documents.
//! - [`images`]: the container images a card has to carry; [`registries`], [`proxy`]: where images come from.
//! - [`board`]: what the rules ask of a board.
//! - [`pki`]: authorities, keys and tokens; [`kubeconfig`]: who may talk to the cluster.
//! - [`objects`]: a manifest taken apart; [`yaml`]: how documents are written that Kubernetes reads.
//! - [`snapshot`]: what etcd had at some time, and whose it is.
//! - [`node_files`]: all of it as the files of one node; the first boot's part is in `docs/first-boot.md`.
//!
//! ```
//! use imgforge_kube::{board::*, check::check, cluster::Cluster, containerd::*, member::Member, node_files::*, pki::*};
//!
//! let cluster: Cluster = serde_yaml::from_str("
//!     name: home
//!     add-ons: { network: none }
//!     nodes:
//!       - { hostname: k8s-master-1, board: rpi4, role: master, taints: [] }
//!       - { hostname: k8s-worker-1, board: rpi4 }")?;
//! let boards = |_: &str| Some(BoardFacts { architecture: Architecture::Arm64, cores: 4, memory: 4096, wired: true });
//! let manifests = Default::default();
//! let findings = check(&cluster, &boards, &manifests);
//! let notice = findings.iter().find(|finding| finding.name == "named-master").unwrap();
//! assert!(notice.to_string().starts_with("endpoint: the nodes will look for the master by its name, k8s-master-1"));
//!
//! # let mut counter = 0u8;
//! # let mut random = |bytes: &mut [u8]| bytes.fill_with(|| { counter = counter.wrapping_mul(77).wrapping_add(1); counter });
//! let secrets = Secrets::generate(&cluster, Lifetime::generous(1_767_225_600), &mut random)?;
//! let member = Member::new(&cluster, "k8s-worker-1", &boards)?;
//! let containerd = Runtime { series: Series::One, plugins: KUBERNETES_PLUGINS };
//! let sources = Sources { secrets: Some(&secrets), containerd, manifests: &manifests, manifest: &|_| None };
//! let files = node_files(&member, &sources)?;
//! assert!(files.iter().any(|file| file.path == "/etc/imgforge/kubeadm/join.yaml" && file.secret));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod add_ons;
pub mod board;
pub mod check;
pub mod cluster;
pub mod containerd;
pub mod docker;
pub mod engine;
pub mod images;
pub mod kube_vip;
pub mod kubeconfig;
pub mod member;
pub mod node_files;
pub mod objects;
pub mod performance;
pub mod pki;
pub mod proxy;
pub mod registries;
pub mod snapshot;
mod text;
pub mod version;
pub mod yaml;

pub use engine::{kubeadm, kubeadm::patches};
