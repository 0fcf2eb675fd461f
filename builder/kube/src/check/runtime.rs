//! What runs the containers: what should be known of Docker. Whether there is one for a board, its release of Kubernetes says.

use super::{At, Context, Found, Rule};
use crate::cluster::{Role, Runtime};

pub const RULES: &[Rule] = &[
    Rule::notice("runtime-of-base", "a node that runs no containers has no runtime", runtime_of_base),
    Rule::notice("docker", "containerd runs the containers", docker),
    Rule::notice(
        "docker-on-card",
        "Docker's images and containers are where containerd's would be",
        docker_on_card,
    ),
];

fn runtime_of_base(context: &Context<'_>) -> Vec<Found> {
    let told = context.nodes().filter(|at| at.node.role == Role::Base && at.node.runtime.is_some());
    told.map(|at| {
        Found::new(at.path("runtime"), "a node with the role base runs no containers of the cluster")
            .suggest("`packages: [docker.io, docker-cli]` puts Docker there for its own sake")
    })
    .collect()
}

fn with_docker<'a>(context: &Context<'a>) -> impl Iterator<Item = At<'a>> {
    let cluster = context.cluster;
    context.members().filter(|at| cluster.runtime_of(at.node) == Runtime::Docker)
}

/// Said once of the cluster's setting.
fn docker(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for at in with_docker(context) {
        let path = if at.node.runtime.is_some() { at.path("runtime") } else { "runtime".to_owned() };
        let told = Found::new(
            path,
            "Debian's Docker runs the containers, and cri-dockerd translates for the kubelet: two more daemons than with containerd",
        );
        if !found.contains(&told) {
            found.push(told);
        }
    }
    found
}

fn docker_on_card(context: &Context<'_>) -> Vec<Found> {
    let elsewhere = with_docker(context)
        .filter(|at| at.node.has_disk_for("/var/lib/containerd") && !at.node.has_disk_for("/var/lib/docker"));
    elsewhere
        .map(|at| {
            let message = "Docker keeps images and containers in /var/lib/docker, which is on the card";
            Found::new(at.path("storage"), message).suggest("bind that in place of /var/lib/containerd")
        })
        .collect()
}
