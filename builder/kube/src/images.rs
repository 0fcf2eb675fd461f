//! Container images that are started on a node: what an image for a card has to carry so that the first boot pulls
//! nothing. Those of add-ons are named in their manifests.

mod names;

use serde::Deserialize;
use serde_yaml::{Deserializer, Value};

use crate::{add_ons::monitoring, member::Member, version::Version};

pub(crate) use names::names;

/// The members of a pod's specification that list containers.
/// <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodSpec>
const CONTAINERS: [&str; 2] = ["containers", "initContainers"];

/// The images of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Images {
    /// References as the node's container runtime knows them, sorted: `registry.k8s.io/pause:3.9`.
    pub references: Vec<String>,
    /// Settings of the cluster file that would name the rest: the tags are not known for every release.
    pub unknown: Vec<&'static str>,
}

/// The images of `member`: those that its engine starts, and those of imgforge's own manifests.
pub fn images(member: &Member<'_>) -> Images {
    let mut images = member.cluster.engine.images(member);
    let monitoring = monitoring::images(member.cluster, &member.node.hostname);
    images.references.extend(monitoring.into_iter().map(str::to_owned));
    images.references.sort();
    images
}

impl Images {
    pub(crate) fn add(&mut self, setting: &'static str, reference: Option<String>) {
        match reference {
            Some(reference) => self.references.push(reference),
            None => self.unknown.push(setting),
        }
    }

    /// Components of Kubernetes itself: their tag is the release.
    pub(crate) fn add_components(&mut self, version: Version, names: &[&str]) {
        self.references.extend(names.iter().map(|name| format!("{}/{name}:v{version}", version.registry())));
    }
}

/// A manifest whose images cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    /// It is no YAML.
    #[error("the manifest is no YAML")]
    Yaml(#[from] serde_yaml::Error),
    /// It starts no container.
    #[error("the manifest names no container images")]
    None,
}

/// The images that the objects of the manifest `text` start, sorted, each once.
pub fn of_manifest(text: &str) -> Result<Vec<String>, InvalidManifest> {
    let mut images = Vec::new();
    for document in Deserializer::from_str(text) {
        collect(&Value::deserialize(document)?, &mut images);
    }
    images.sort();
    images.dedup();
    if images.is_empty() { Err(InvalidManifest::None) } else { Ok(images) }
}

/// Looks for lists of containers below `value`. The parser bounds the depth.
fn collect(value: &Value, images: &mut Vec<String>) {
    match value {
        Value::Mapping(mapping) => {
            for (key, value) in mapping {
                if let (Some(key), Value::Sequence(containers)) = (key.as_str(), value)
                    && CONTAINERS.contains(&key)
                {
                    let named = containers.iter().filter_map(|container| container.get("image")?.as_str());
                    images.extend(named.map(str::to_owned));
                }
                collect(value, images);
            }
        }
        Value::Sequence(values) => values.iter().for_each(|value| collect(value, images)),
        _ => {}
    }
}

/// CoreDNS' image; it has had a folder of its own in the registry since 1.21.
pub fn coredns(version: Version, tag: &str) -> String {
    let folder = if version.minor < 21 { "" } else { "coredns/" };
    format!("{}/{folder}coredns:{tag}", version.registry())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        board::{Architecture, BoardFacts},
        cluster::Cluster,
    };

    fn images_of(text: &str) -> Images {
        let nodes = "nodes: [{hostname: m, board: b, role: master}, {hostname: w, board: b}]";
        let cluster: Cluster = serde_yaml::from_str(&format!("{text}\n{nodes}")).unwrap();
        let board = BoardFacts { architecture: Architecture::Arm64, cores: 4, memory: 4096, wired: true };
        images(&Member::new(&cluster, "m", &|_| Some(board)).unwrap())
    }

    #[test]
    fn the_list_is_kubeadms() {
        // `kubeadm config images list` of 1.20.2.
        let images = images_of("kubernetes: 1.20.2");
        assert_eq!(images.unknown, [""; 0]);
        assert_eq!(
            images.references,
            [
                "k8s.gcr.io/coredns:1.7.0",
                "k8s.gcr.io/etcd:3.4.13-0",
                "k8s.gcr.io/kube-apiserver:v1.20.2",
                "k8s.gcr.io/kube-controller-manager:v1.20.2",
                "k8s.gcr.io/kube-proxy:v1.20.2",
                "k8s.gcr.io/kube-scheduler:v1.20.2",
                "k8s.gcr.io/pause:3.2",
            ]
        );
    }

    #[test]
    fn what_is_not_known_is_asked_for() {
        assert_eq!(images_of("kubernetes: 1.33.1").unknown, ["images.coredns", "images.etcd"]);
        let given = images_of("kubernetes: 1.33.1\nimages: { etcd: 3.5.21-0, coredns: v1.12.0 }");
        assert_eq!(given.unknown, [""; 0]);
        assert!(given.references.contains(&"registry.k8s.io/coredns/coredns:v1.12.0".to_owned()));
    }

    #[test]
    fn the_last_line_of_32_bit_boards_is_carried_whole() {
        // `kubeadm config images list` of 1.26.15.
        let images = images_of("kubernetes: 1.26.15");
        assert_eq!(images.unknown, [""; 0]);
        for reference in ["registry.k8s.io/coredns/coredns:v1.9.3", "registry.k8s.io/etcd:3.5.10-0"] {
            assert!(images.references.contains(&reference.to_owned()), "{reference}");
        }
    }

    #[test]
    fn an_add_ons_images_are_read_from_its_manifest() {
        let text = "\
kind: Namespace
---
kind: DaemonSet
spec:
  template:
    spec:
      initContainers: [{ name: cni, image: ghcr.io/x/cni:1 }]
      containers: [{ name: a, image: ghcr.io/x/a:2 }, { name: b, image: ghcr.io/x/cni:1 }]
---
kind: CustomResourceDefinition
spec: { properties: { containers: { items: { image: { type: string } } }, image: { type: string } } }
";
        assert_eq!(of_manifest(text).unwrap(), ["ghcr.io/x/a:2", "ghcr.io/x/cni:1"]);
        assert!(matches!(of_manifest("kind: Namespace"), Err(InvalidManifest::None)));
        assert!(matches!(of_manifest("a: [b"), Err(InvalidManifest::Yaml(_))));
    }

    #[test]
    fn kube_vip_comes_with_a_virtual_endpoint() {
        let images = images_of("endpoint: { host: 192.168.1.9, virtual: true }");
        assert!(images.references.contains(&names().kube_vip));
    }
}
