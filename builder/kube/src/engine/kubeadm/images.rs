//! The container images that kubeadm starts.

use crate::{
    images::{Images, coredns, names},
    member::Member,
};

/// The images of `member`, unsorted. kube-proxy and CoreDNS are the cluster's, whatever the node's release; CoreDNS is among
/// them on every node, as its pods may run anywhere.
pub(in crate::engine) fn images(member: &Member<'_>) -> Images {
    let (version, control_plane) = (member.version(), member.cluster.kubernetes);
    let mut images = Images { references: vec![member.pause_image.clone()], unknown: Vec::new() };
    images.add_components(control_plane, &["kube-proxy"]);
    images.add("images.coredns", member.cluster.coredns_tag().map(|tag| coredns(control_plane, tag)));
    if member.is_master() {
        images.add_components(version, &["kube-apiserver", "kube-controller-manager", "kube-scheduler"]);
        images.add(
            "images.etcd",
            member.cluster.etcd_tag().map(|tag| format!("{}/etcd:{tag}", version.registry())),
        );
        images.references.extend(member.endpoint.is_virtual.then(|| names().kube_vip.clone()));
    }
    images
}
