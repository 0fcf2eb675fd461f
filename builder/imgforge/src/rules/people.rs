//! Who may log in to a node that is in no cluster file. Of those in one the cluster's rules say the same before
//! (`nobody-may-log-in`, `placeholder`).

use imgforge_kube::check::{Found, is_disk_of_examples, is_key_of_examples};

use super::{Context, Rule};

pub(crate) const RULES: &[Rule] = &[
    Rule::error("example-left", "nothing of the examples is left that must be one's own", example_left),
    Rule::notice("keys-without-ssh", "keys are of use: something listens for ssh", keys_without_ssh),
    Rule::notice("nobody-logs-in", "somebody may log in to a node without a cluster", nobody_logs_in),
];

fn example_left(context: &Context<'_>) -> Vec<Found> {
    if context.request.membership.is_some() {
        return Vec::new();
    }
    let node = &context.request.node;
    let mut found = Vec::new();
    for (user, settings) in node.users.iter().enumerate() {
        let of_examples = settings.ssh_keys.iter().enumerate().filter(|(_, key)| is_key_of_examples(key));
        found.extend(of_examples.map(|(key, _)| {
            Found::new(
                format!("users[{user}].ssh-keys[{key}]"),
                "this is the key of the examples, and nobody has its private half",
            )
            .suggest("give your own: `cat ~/.ssh/id_ed25519.pub`")
        }));
    }
    let disks = node.mounts.iter().enumerate().filter(|(_, mount)| is_disk_of_examples(&mount.source));
    found.extend(disks.map(|(index, mount)| {
        let message = format!("{} is the disk of the examples, which is not yours", mount.source);
        Found::new(format!("mounts[{index}].source"), message)
            .suggest("`blkid` shows those of your own disks")
    }));
    found
}

/// Packages that bring a server of ssh, which is enabled when they are configured.
const SERVERS: [&str; 4] = ["openssh-server", "ssh", "dropbear", "tinysshd"];

fn keys_without_ssh(context: &Context<'_>) -> Vec<Found> {
    let has_keys = context.request.node.users.iter().any(|user| !user.ssh_keys.is_empty());
    let comes_along = context.added.iter().any(|package| SERVERS.contains(package));
    if !has_keys || comes_along || context.survey.has_ssh() {
        return Vec::new();
    }
    let found = Found::new("users", "keys let nobody in: nothing in the image listens for ssh");
    vec![found.suggest("give `packages: [openssh-server]`, or have an overlay enable its unit")]
}

/// An image of a release is made to be personalised: whom it lets in is said then.
fn nobody_logs_in(context: &Context<'_>) -> Vec<Found> {
    let node = &context.request.node;
    let is_let_in = node.users.iter().any(|user| !user.ssh_keys.is_empty() || user.password_hash.is_some());
    let is_open = !context.survey.accounts.is_empty();
    if context.request.membership.is_some() || context.request.is_release() || is_let_in || is_open {
        return Vec::new();
    }
    let message = "nobody may log in to this node: no user has a key or a password, and the base's own accounts are locked";
    let found = Found::new("users", message);
    vec![found.suggest("give `users: [{ name: ops, sudo: true, ssh-keys: [ssh-ed25519 …] }]` in --node FILE")]
}

#[cfg(test)]
mod tests {
    use crate::rules::stand_in::Node;

    #[test]
    fn keys_without_a_server_let_nobody_in() {
        let node = Node::of(&format!("users: [{{ name: ops, ssh-keys: ['{KEY}'] }}]"));
        assert_eq!(node.findings("keys-without-ssh").len(), 1);
        assert!(node.clone().enabling("ssh.service").findings("keys-without-ssh").is_empty());
        assert!(node.adding(&["openssh-server"]).findings("keys-without-ssh").is_empty());
        assert!(Node::of("").findings("keys-without-ssh").is_empty());
    }

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D me";

    #[test]
    fn the_examples_key_and_disk_are_no_ones() {
        let example = include_str!("../../../../examples/node.yaml");
        let found = Node::of(example).findings("example-left");
        assert!(
            found.iter().any(|finding| finding.starts_with("users[0].ssh-keys[0]: this is the key")),
            "{found:?}"
        );
        let own = format!("users: [{{ name: ops, ssh-keys: ['{KEY}'] }}]");
        assert!(Node::of(&own).findings("example-left").is_empty());
    }

    #[test]
    fn a_node_that_lets_nobody_in_is_told() {
        for nobody in ["hostname: n1", "users: [{ name: ops, sudo: true }]"] {
            assert_eq!(Node::of(nobody).findings("nobody-logs-in").len(), 1, "{nobody}");
        }
        for somebody in [
            format!("users: [{{ name: ops, ssh-keys: ['{KEY}'] }}]"),
            "users: [{ name: ops, password-hash: $6$salt$hash }]".into(),
        ] {
            assert!(Node::of(&somebody).findings("nobody-logs-in").is_empty(), "{somebody}");
        }
        assert!(Node::of("").findings("nobody-logs-in").is_empty(), "a release is not for a node yet");
    }
}
