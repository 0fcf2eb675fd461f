//! The container images that the cards cannot carry, because nobody knows their tags.

use super::Finding;
use crate::cluster::{Cluster, Role};

pub fn check(cluster: &Cluster) -> Vec<Finding> {
    let runs = cluster.nodes.iter().any(|node| node.role != Role::Base);
    if !cluster.carry_images || !runs {
        return Vec::new();
    }
    let tags = [("etcd", cluster.etcd_tag()), ("coredns", cluster.coredns_tag())];
    let unknown = tags.into_iter().filter(|(_, tag)| tag.is_none());
    let finding = |(name, _): (&str, _)| {
        let message = format!(
            "the tag of its image for Kubernetes {} is not known: the first boot pulls it",
            cluster.kubernetes
        );
        Finding::notice(format!("images.{name}"), message)
            .suggest("`kubeadm config images list` of that release says it")
    };
    unknown.map(finding).collect()
}
