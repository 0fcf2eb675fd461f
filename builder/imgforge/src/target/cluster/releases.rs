//! The releases of Kubernetes that a cluster file asks for, against those whose binaries or packages are known.

use imgforge_kube::{
    check::{Finding, Severity},
    cluster::{self, Cluster, Role},
    engine::Engine,
};

use crate::catalogue::{Catalogue, Error};

/// Releases that there are no files of, or others than the cluster file says. Each is told once.
pub(super) fn findings(cluster: &Cluster, catalogue: &Catalogue) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let members = cluster.nodes.iter().enumerate().filter(|(_, node)| node.role != Role::Base);
    for (index, node) in members {
        let path = match node.kubernetes {
            Some(_) => format!("nodes[{index}].kubernetes"),
            None => "kubernetes".to_owned(),
        };
        let of_release = finding(path, cluster, node, catalogue);
        let of_runtime = runtime(index, cluster, node, catalogue);
        for finding in of_release.into_iter().chain(of_runtime) {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    findings
}

/// A container runtime that the node's release does not have for its board. A release that is not there was told already.
fn runtime(index: usize, cluster: &Cluster, node: &cluster::Node, catalogue: &Catalogue) -> Option<Finding> {
    let architecture = catalogue.find(&node.board).ok()?.1.architecture;
    let release = catalogue.release(&cluster.engine.line(cluster.version_of(node))).ok()?;
    let error = release.runtime(cluster.runtime_of(node), architecture).err()?;
    Some(Finding {
        name: "runtime-of-release",
        severity: Severity::Error,
        path: format!("nodes[{index}].runtime"),
        message: error.to_string(),
        suggestion: Some("`runtime: containerd` at this node, whatever the others have".into()),
    })
}

fn finding(path: String, cluster: &Cluster, node: &cluster::Node, catalogue: &Catalogue) -> Option<Finding> {
    let (engine, version) = (cluster.engine, cluster.version_of(node));
    // A board that is not there is told elsewhere.
    let architecture = catalogue.find(&node.board).ok()?.1.architecture;
    // That there is no such release for the board, the rules of the file say.
    if engine == Engine::K3s && engine.runs_on(version, architecture).is_err() {
        return None;
    }
    let (severity, message, suggestion) = match catalogue.release(&engine.line(version)) {
        Err(Error::UnknownRelease { asked, mut known }) => {
            known.retain(|name| catalogue.release(name).is_ok_and(|release| release.engine == engine));
            let suggestion = Some(format!("known releases: {}", known.join(", ")));
            (Severity::Error, format!("nothing is known of Kubernetes {asked}"), suggestion)
        }
        Err(error) => (Severity::Error, error.to_string(), None),
        Ok(release) if release.engine != engine => {
            let message = format!("`{}` is a release of {}", release.release, release.engine.name());
            (Severity::Error, message, Some(format!("give its file `engine: {}`", engine.name())))
        }
        Ok(release) => {
            match (release.version, release.clone().content(architecture, release.way_for(architecture))) {
                (_, Err(error)) => (
                    Severity::Error,
                    error.to_string(),
                    Some("write its file in kubernetes/ beside the profiles".into()),
                ),
                (Some(own), Ok(_)) if own != version => (
                    Severity::Notice,
                    match engine {
                        Engine::Kubeadm => format!(
                            "the control plane's images are of {version}, the nodes get kubeadm and kubelet {own}"
                        ),
                        Engine::K3s => format!("the nodes get k3s of Kubernetes {own}"),
                    },
                    Some(format!("with `kubernetes: {own}` they are the same")),
                ),
                _ => return None,
            }
        }
    };
    Some(Finding { name: "release-file", severity, path, message, suggestion })
}
