//! Who may log in.

use super::{Context, Found, Rule};
use crate::cluster::User;

pub const RULES: &[Rule] = &[
    Rule::notice("nobody-may-log-in", "somebody may log in to every node", nobody_may_log_in),
    Rule::error("placeholder", "nothing of the examples is left that must be one's own", placeholder),
];

/// Whether a line for `authorized_keys` is the examples', which lets nobody in.
pub fn is_key_of_examples(line: &str) -> bool {
    line.contains(KEY)
}

/// Whether a mount's source is a disk of the examples.
pub fn is_disk_of_examples(source: &str) -> bool {
    let source = source.to_ascii_lowercase();
    DISKS.iter().any(|disk| source.contains(disk))
}

/// The examples' key.
const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIHlvdXIga2V5IGhlcmUsIG5vdCB0aGlzIG9uZSEhISEh";

/// The examples' disks.
const DISKS: [&str; 2] = ["655a39e8-9a5d-45f3-ae14-73b4c5ed50c3", "0633df91-017c-4b98-9b2e-4a0d27989a5c"];

fn nobody_may_log_in(context: &Context<'_>) -> Vec<Found> {
    let cluster = context.cluster;
    let can = |user: &User| {
        !user.ssh_keys.is_empty() || !cluster.ssh_keys.is_empty() || user.password_hash.is_some()
    };
    if cluster.users.iter().any(can) {
        return Vec::new();
    }
    let locked: Vec<_> = context.nodes().filter(|at| !at.node.users.iter().any(can)).collect();
    let suggestion = "give `users: [{ name: ops, sudo: true, ssh-keys: [ssh-ed25519 …] }]`";
    if !locked.is_empty() && locked.len() == cluster.nodes.len() {
        return vec![Found::new("users", "nobody may log in to any node").suggest(suggestion)];
    }
    let found = |path| Found::new(path, "nobody may log in to this node").suggest(suggestion);
    locked.into_iter().map(|at| found(at.path("users"))).collect()
}

/// All lines for `authorized_keys`, with their settings.
fn keys<'a>(context: &Context<'a>) -> Vec<(String, &'a str)> {
    let mut keys: Vec<(String, &str)> = Vec::new();
    let of = |prefix: &str, lines: &'a [String]| {
        let named = |(i, key): (usize, &'a String)| (format!("{prefix}ssh-keys[{i}]"), key.as_str());
        lines.iter().enumerate().map(named).collect::<Vec<_>>()
    };
    keys.extend(of("", &context.cluster.ssh_keys));
    for (i, user) in context.cluster.users.iter().enumerate() {
        keys.extend(of(&format!("users[{i}]."), &user.ssh_keys));
    }
    for at in context.nodes() {
        for (i, user) in at.node.users.iter().enumerate() {
            keys.extend(of(&at.path(format!("users[{i}].")), &user.ssh_keys));
        }
    }
    keys
}

fn placeholder(context: &Context<'_>) -> Vec<Found> {
    let of_example = keys(context).into_iter().filter(|(_, key)| is_key_of_examples(key));
    let mut found: Vec<_> = of_example
        .map(|(path, _)| {
            Found::new(path, "this is the key of the examples, and nobody has its private half")
                .suggest("give your own: `cat ~/.ssh/id_ed25519.pub`")
        })
        .collect();
    for at in context.nodes() {
        for (index, mount) in at.node.mounts.iter().enumerate() {
            if is_disk_of_examples(&mount.source) {
                let message = format!("{} is the disk of the examples, which is not yours", mount.source);
                found.push(
                    Found::new(at.path(format!("mounts[{index}].source")), message)
                        .suggest("`blkid` shows those of your own disks"),
                );
            }
        }
    }
    found
}
