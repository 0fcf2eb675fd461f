//! What a node needs to become part of a Kubernetes cluster, as values: nothing here reads a file, a clock or the network.
//!
//! - [`cluster`]: the cluster file and its nodes; [`check`]: what is wrong with it.
//! - [`version`]: what belongs to a release of Kubernetes and where it runs; [`performance`]: what slow boards need.
//! - [`kubeadm`]: kubeadm's documents and the patches of its static pods.
//! - [`pki`]: certificate authorities, keys and tokens; [`kubeconfig`]: who may talk to the cluster.
//! - [`node_files`]: all of it as the files of one node.

pub mod add_ons;
pub mod board;
pub mod check;
pub mod cluster;
pub mod containerd;
pub mod kube_vip;
pub mod kubeadm;
pub mod kubeconfig;
mod kubelet;
pub mod member;
pub mod node_files;
pub mod patches;
pub mod performance;
pub mod pki;
mod text;
pub mod version;
