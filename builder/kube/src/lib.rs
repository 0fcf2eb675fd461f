//! What a node needs to become part of a Kubernetes cluster: cluster file, kubeadm documents, PKI, add-ons.
//!
//! Nothing is here yet. Until it is, the first boot runs whatever kubeadm configuration it finds in the image
//! (`docs/first-boot.md`).
