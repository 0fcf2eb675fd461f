//! Boards, releases of Kubernetes, and which of them go together.

use super::{At, Context, Found, Rule};
use crate::{
    add_ons,
    board::{Architecture, BoardFacts},
    cluster::{Cluster, Node, Role},
    engine::Engine,
    version::{Limits, Overruled, Refusal, Version, skew},
};

pub const RULES: &[Rule] = &[
    Rule::error("unknown-release", "the release of Kubernetes is one that imgforge knows", unknown_release),
    Rule::notice("frozen-release", "the release of Kubernetes still gets fixes", frozen_release),
    Rule::error("node-release", "a node's own release may belong to the cluster's", node_release),
    Rule::notice("lagging-release", "kubeadm is of the cluster's release", lagging_release),
    Rule::error("swap-release", "swap stays on only where the kubelet keeps pods out of it", swap_release),
    Rule::error("unknown-board", "every board has a profile", unknown_board),
    Rule::error("no-wired-network", "every board can reach the others", no_wired_network),
    Rule::error("wireless-address", "a static address is on a board with a wired network", wireless_address),
    Rule::error("board-limits", "the board can be what it is to be", board_limits),
    Rule::error("less-memory", "a board has no less memory than its smallest kind", less_memory),
    Rule::notice("unused-setting", "a node without Kubernetes has no settings of it", unused_setting),
    Rule::notice("board-overruled", "kubeadm has nothing against the board", board_overruled),
    Rule::error("add-on-images", "the add-ons have images for every board", add_on_images),
    Rule::error("unknown-add-on", "every add-on has a pinned manifest", unknown_add_on),
];

/// A node of the role `base` joins nothing.
fn unused_setting(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for at in context.nodes().filter(|at| !at.node.role.runs_kubernetes()) {
        let Node { labels, taints, kubelet, kubernetes, runtime, performance, .. } = at.node;
        let settings = [
            ("labels", !labels.is_empty()),
            ("taints", taints.is_some()),
            ("kubelet", !kubelet.is_empty()),
            ("kubernetes", kubernetes.is_some()),
            ("runtime", runtime.is_some()),
            ("performance", performance.is_some()),
        ];
        for (setting, _) in settings.into_iter().filter(|(_, is_there)| *is_there) {
            let message = "a node of the role base has no Kubernetes, so nothing reads this";
            found.push(Found::new(at.path(setting), message).suggest("take it out, or give another role"));
        }
    }
    found
}

fn unknown_release(context: &Context<'_>) -> Vec<Found> {
    let (version, engine) = (context.cluster.kubernetes, context.cluster.engine);
    // What no board of any kind runs is not the boards' fault.
    let found = |refusal| match refusal {
        Refusal::OldK3s { .. } => Found::new("kubernetes", refusal)
            .suggest(format!("write `kubernetes: {}`", Cluster::default().kubernetes)),
        _ => Found::new("kubernetes", refusal),
    };
    refused_by_all(engine, version).map(found).into_iter().collect()
}

/// Why `engine` has no release `version` at all, whatever the board is.
fn refused_by_all(engine: Engine, version: Version) -> Option<Refusal> {
    if version.line().is_none() {
        return Some(Refusal::UnknownVersion { version });
    }
    engine
        .runs_on(version, Architecture::Arm64)
        .err()
        .filter(|refusal| matches!(refusal, Refusal::OldK3s { .. }))
}

/// Said once for the whole cluster.
fn frozen_release(context: &Context<'_>) -> Vec<Found> {
    let version = context.cluster.kubernetes;
    let found = || {
        let message = format!("Kubernetes {version} gets no fixes any more; it is the line of 32-bit Arm");
        Found::new("kubernetes", message).suggest(
            "with 64-bit boards only, take a current release; `engine: k3s` has one for 32-bit boards, too",
        )
    };
    (version.minor <= 26 && context.cluster.engine == Engine::Kubeadm).then(found).into_iter().collect()
}

fn node_release(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let found = |at: At<'_>| {
        let own = at.node.kubernetes.filter(|own| *own != cluster.kubernetes)?;
        let path = at.path("kubernetes");
        if at.node.role == Role::Master {
            let found = Found::new(path, "masters run the cluster's release");
            return Some(found.suggest("remove it here, or set it for all"));
        }
        skew(cluster.kubernetes, own).err().map(|refusal| Found::new(path, refusal))
    };
    context.nodes().filter_map(found).collect()
}

fn lagging_release(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let found = |at: At<'_>| {
        let own = at.node.kubernetes.filter(|own| own.minor != cluster.kubernetes.minor)?;
        if cluster.engine != Engine::Kubeadm {
            return None;
        }
        let is_allowed = at.node.role != Role::Master && skew(cluster.kubernetes, own).is_ok();
        let message = format!(
            "kubeadm {own} joins a cluster of {}: the kubelet may lag, but kubeadm is only tested with its own release",
            cluster.kubernetes
        );
        is_allowed.then(|| Found::new(at.path("kubernetes"), message))
    };
    context.nodes().filter_map(found).collect()
}

fn swap_release(context: &Context<'_>) -> Vec<Found> {
    let version = |at: &At<'_>| context.cluster.version_of(at.node);
    let swapping = context.members().filter(|at| at.node.swap && !version(at).tolerates_swap());
    swapping
        .map(|at| {
            let version = version(&at);
            let message =
                format!("the kubelet of {version} does not keep pods out of swap; 1.30 and newer do");
            Found::new(at.path("swap"), message)
        })
        .collect()
}

fn unknown_board(context: &Context<'_>) -> Vec<Found> {
    let unknown = context.nodes().filter(|at| (context.boards)(&at.node.board).is_none());
    unknown
        .map(|at| {
            Found::new(at.path("board"), format!("no board is called `{}`", at.node.board))
                .suggest("`imgforge boards` lists those that are known")
        })
        .collect()
}

/// A board that has Wi-Fi only and is told of no network waits for the others for ever.
fn no_wired_network(context: &Context<'_>) -> Vec<Found> {
    let is_deaf =
        |at: &At<'_>| !joins(context, at.node) && board(context, at.node).is_some_and(|board| !board.wired);
    let found = |at: At<'_>| {
        let message = format!("{} has Wi-Fi only, and is told of no wireless network", at.node.board);
        Found::new(at.path("board"), message)
            .suggest("give `wifi: { ssid: …, passphrase: …, country: … }`, or put a wired adapter on it and say `allow: [no-wired-network]` at the node")
    };
    context.nodes().filter(is_deaf).map(found).collect()
}

/// Whether the node is told of a wireless network.
fn joins(context: &Context<'_>, node: &Node) -> bool {
    node.wifi.is_some() || context.cluster.wifi.is_some()
}

/// Over Wi-Fi a board asks by DHCP. Who has put an adapter on it has said so by `allow`.
const BY_ROUTER: &str = "remove it, and have the router always give the board the same address";

fn wireless_address(context: &Context<'_>) -> Vec<Found> {
    let has_adapter = |node: &Node| {
        let names = || node.allow.iter().chain(&context.cluster.allow);
        node.interface.is_some() || names().any(|name| name == "no-wired-network")
    };
    let is_idle = |at: &At<'_>| {
        let wired = board(context, at.node).is_none_or(|board| board.wired);
        at.node.address.is_some() && joins(context, at.node) && !wired && !has_adapter(at.node)
    };
    let found = |at: At<'_>| {
        let message = format!("{} has no wired network that would have the address", at.node.board);
        Found::new(at.path("address"), message).suggest(BY_ROUTER)
    };
    // What the kernel and systemd call wireless cards: wlan0, wlp2s0, wlx….
    let of_air = context.nodes().filter(|at| {
        let name = at.node.interface.as_ref().map(ToString::to_string).unwrap_or_default();
        at.node.address.is_some() && name.starts_with("wl")
    });
    let of_air = of_air.map(|at| {
        Found::new(at.path("interface"), "a wireless card asks by DHCP; a static address is a wired one's")
            .suggest(BY_ROUTER)
    });
    context.nodes().filter(is_idle).map(found).chain(of_air).collect()
}

/// The facts of a node's board, with its own amount of memory.
fn board(context: &Context<'_>, node: &Node) -> Option<BoardFacts> {
    let board = (context.boards)(&node.board)?;
    Some(BoardFacts { memory: node.memory.unwrap_or(board.memory), ..board })
}

/// Most likely it was meant in another unit, and everything that follows from memory would be for that.
fn less_memory(context: &Context<'_>) -> Vec<Found> {
    let less = context.nodes().filter_map(|at| {
        let smallest = (context.boards)(&at.node.board)?.memory;
        Some((at, at.node.memory.filter(|memory| *memory < smallest)?, smallest))
    });
    less.map(|(at, memory, smallest)| {
        let message = format!("no {} has {memory} MiB: the smallest has {smallest}", at.node.board);
        Found::new(at.path("memory"), message).suggest("give it in MiB, as 8192, or remove it")
    })
    .collect()
}

fn limits(context: &Context<'_>, node: &Node) -> Option<Limits> {
    let board = board(context, node)?;
    let cluster = context.cluster;
    let mut limits = cluster.engine.limits(&board, node.role, cluster.version_of(node));
    if limits.refused.is_empty() && node.role != Role::Base {
        limits.refused.extend(cluster.engine.pods_run_on(cluster.kubernetes, board.architecture).err());
    }
    Some(limits)
}

fn board_limits(context: &Context<'_>) -> Vec<Found> {
    let mut all = Vec::new();
    for at in context.nodes() {
        let refused = limits(context, at.node).map(|limits| limits.refused).unwrap_or_default();
        // Said of the cluster's release already.
        let own = context.cluster.version_of(at.node);
        let of_release = refused_by_all(context.cluster.engine, context.cluster.kubernetes);
        let is_said =
            |refusal: &Refusal| own == context.cluster.kubernetes && Some(refusal) == of_release.as_ref();
        for refusal in refused.into_iter().filter(|refusal| !is_said(refusal)) {
            let found = Found::new(at.path("board"), &refusal);
            all.push(match refusal {
                Refusal::ArmDropped { .. } | Refusal::ProxyDropped { .. } => {
                    found.suggest("set `kubernetes: 1.26.15` for the whole cluster, or leave the board out; `engine: k3s` has current releases for it")
                }
                _ => found,
            });
        }
    }
    all
}

fn board_overruled(context: &Context<'_>) -> Vec<Found> {
    let limits = context.nodes().filter_map(|at| Some((at, limits(context, at.node)?)));
    let overruled = limits.flat_map(|(at, limits)| limits.overruled.into_iter().map(move |o| (at, o)));
    let found = |(at, overruled): (At<'_>, Overruled)| {
        let found = Found::new(at.path("board"), overruled.reason);
        let is_of_memory = overruled.check == "memory" || overruled.check == "Mem";
        match is_of_memory && at.node.memory.is_none() {
            true => found.suggest("if yours has more, say so: `memory: 4096` at the node"),
            false => found,
        }
    };
    overruled.map(found).collect()
}

fn add_on_images(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for at in context.members() {
        let Some(board) = board(context, at.node).filter(|board| board.architecture.is_32_bit()) else {
            continue;
        };
        let add_ons =
            add_ons::needed(context.cluster).into_iter().filter_map(|name| context.manifests.get(name));
        for add_on in add_ons.filter(|add_on| !add_on.runs_on_32_bit) {
            let (architecture, hostname) = (board.architecture, &at.node.hostname);
            let message = format!("{} has no images for {architecture} ({hostname})", add_on.name);
            found.push(Found::new("add-ons", message).suggest("flannel and metallb have"));
        }
    }
    found
}

fn unknown_add_on(context: &Context<'_>) -> Vec<Found> {
    let needed = add_ons::needed(context.cluster).into_iter();
    let unknown = needed.filter(|name| !context.manifests.contains_key(*name));
    unknown.map(|name| Found::new("add-ons", add_ons::Error::Unknown { name })).collect()
}
