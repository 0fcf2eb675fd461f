//! Words of the command line that stand for values of the program.

use std::net::IpAddr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use imgforge_kube::engine::Engine;
use imgforge_spec::Role;

use crate::build::output::Format;

/// The roles.
pub(super) fn roles() -> impl TypedValueParser<Value = Role> {
    let value = |(role, help): (Role, &'static str)| PossibleValue::new(role.name()).help(help);
    let roles = [
        (Role::Base, "A plain node: hostname, mounts, users, overlays; nothing of Kubernetes"),
        (Role::Master, "Runs the control plane"),
        (Role::Worker, "Joins a control plane"),
    ];
    PossibleValuesParser::new(roles.map(value)).try_map(|name| name.parse::<Role>())
}

/// The formats of an image.
pub(super) fn formats() -> impl TypedValueParser<Value = Format> {
    let value = |(format, help): (Format, &'static str)| PossibleValue::new(format.name()).help(help);
    let formats = [
        (Format::Img, "As it is on the card; holes are not stored"),
        (Format::Xz, "Compressed with xz: small, slow to make where much differs from the base"),
        (Format::Zst, "Compressed with Zstandard: fast"),
        (Format::Gz, "Compressed with gzip: read by everything"),
    ];
    PossibleValuesParser::new(formats.map(value)).try_map(|name| name.parse::<Format>())
}

/// What makes a cluster.
pub(super) fn engines() -> impl TypedValueParser<Value = Engine> {
    let value = |engine: Engine| {
        PossibleValue::new(engine.name()).help(match engine {
            Engine::Kubeadm => "Kubernetes as its own project sets it up",
            Engine::K3s => "One small program, on current releases for 32-bit boards, too",
        })
    };
    let engine =
        |name: String| Engine::ALL.into_iter().find(|engine| engine.name() == name).ok_or("no engine");
    PossibleValuesParser::new(Engine::ALL.map(value)).try_map(engine)
}

/// Boards of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Boards {
    /// The board, by its name or an alias.
    pub(crate) board: String,
    /// How many of it.
    pub(crate) count: u32,
}

/// `rpi4`, or `rpi4=2` for two of it.
pub(super) fn boards(text: &str) -> Result<Boards, String> {
    const MOST: u32 = 250;
    let (board, count) = text.split_once('=').unwrap_or((text, "1"));
    let is_count = |count: &u32| (1..=MOST).contains(count);
    let count = count.parse().ok().filter(is_count);
    let count = count.ok_or_else(|| format!("write BOARD=COUNT, with a count from 1 to {MOST}"))?;
    Ok(Boards { board: board.to_owned(), count })
}

/// Where a node is: `k8s-master-1=127.0.0.2`.
pub(super) fn place(text: &str) -> Result<(String, IpAddr), String> {
    let (node, address) = text.split_once('=').ok_or("write NODE=ADDRESS")?;
    let address = address.parse().map_err(|_| format!("`{address}` is no IP address"))?;
    Ok((node.to_owned(), address))
}
