//! The base's own sshd lets in whom the node's settings name, and nobody else.

use imgforge_kube::check::Found;

use super::{Context, Rule};
use crate::image::survey::Ssh;

pub(crate) const RULES: &[Rule] = &[
    Rule::notice("ssh-refuses", "the base's sshd lets the node's users in", ssh_refuses),
    Rule::notice("known-key", "no keys of the base's let anybody in", known_key),
];

fn ssh_refuses(context: &Context<'_>) -> Vec<Found> {
    let users = context.request.node.users.iter().enumerate().filter(|(_, user)| !user.ssh_keys.is_empty());
    let refused =
        users.filter_map(|(index, user)| Some((index, &user.name, reason(&context.survey.ssh, &user.name)?)));
    refused
        .map(|(index, name, reason)| {
            Found::new(format!("users[{index}]"), format!("the base's sshd does not let `{name}` in: {reason}")).suggest(
                "change that in a file that comes before it, such as /etc/ssh/sshd_config.d/00-own.conf under `files`",
            )
        })
        .collect()
}

/// What keeps `name` out, though there is a key.
fn reason(ssh: &Ssh, name: &str) -> Option<String> {
    let is = |keyword: &'static str, bad: &[&str]| ssh.value(keyword).filter(|value| bad.contains(value));
    if is("pubkeyauthentication", &["no"]).is_some() {
        return Some("PubkeyAuthentication no".into());
    }
    if let Some(files) =
        ssh.value("authorizedkeysfile").filter(|files| !files.contains(".ssh/authorized_keys"))
    {
        return Some(format!("AuthorizedKeysFile {files}"));
    }
    if name == "root"
        && let Some(value) = is("permitrootlogin", &["no", "forced-commands-only"])
    {
        return Some(format!("PermitRootLogin {value}"));
    }
    // A new account has a group of its own name.
    for (keyword, said) in [("allowusers", "AllowUsers"), ("allowgroups", "AllowGroups")] {
        let lists: Vec<&str> = ssh.values(keyword).collect();
        if !lists.is_empty() && !lists.iter().any(|list| names(list, name)) {
            return Some(format!("{said} {}", lists.join(" ")));
        }
    }
    let denied = ssh.values("denyusers").find(|list| names(list, name));
    denied.map(|list| format!("DenyUsers {list}"))
}

/// Whether one of the patterns in `list` is of `name`; of where somebody comes from nothing is known.
fn names(list: &str, name: &str) -> bool {
    let is_of = |pattern: &str| {
        let user = pattern.split('@').next().unwrap_or_default();
        match user.split_once('*') {
            Some((start, end)) => name.starts_with(start) && (end.contains('*') || name.ends_with(end)),
            None => user == name,
        }
    };
    list.split_whitespace().any(is_of)
}

fn known_key(context: &Context<'_>) -> Vec<Found> {
    let is_ours = |path: &str| context.changes.iter().any(|entry| entry.path.to_string() == path);
    let keys = context.survey.ssh.keys.iter().filter(|path| context.survey.has_ssh() && !is_ours(path));
    keys.map(|path| {
        Found::new(path.as_str(), "the base brings keys with it, and whoever has them may log in")
            .suggest("have an overlay remove the file, or name the account among `users`")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::stand_in::{Node, file};

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D me";

    fn refused(name: &str, config: &str) -> Vec<String> {
        Node::of(&format!("users: [{{ name: {name}, ssh-keys: ['{KEY}'] }}]"))
            .with("/etc/ssh/sshd_config", &format!("Include /etc/ssh/sshd_config.d/*.conf\n{config}"))
            .with("/etc/ssh/sshd_config.d/10-own.conf", "LogLevel INFO\n")
            .findings("ssh-refuses")
    }

    #[test]
    fn a_server_that_lets_nobody_in_is_told() {
        for (name, config) in [
            ("root", "PermitRootLogin no"),
            ("ops", "AllowUsers pi admin@10.0.0.1"),
            ("ops", "allowgroups ssh"),
            ("ops", "DenyUsers o*"),
            ("ops", "PubkeyAuthentication no"),
            ("ops", "AuthorizedKeysFile /etc/ssh/keys/%u"),
        ] {
            let found = refused(name, config);
            assert!(
                found.len() == 1
                    && found[0].starts_with(&format!("users[0]: the base's sshd does not let `{name}` in")),
                "{config}: {found:?}"
            );
        }
        for (name, config) in [
            ("ops", "PermitRootLogin no"),
            ("root", "PermitRootLogin prohibit-password"),
            ("ops", "AllowUsers pi\nAllowUsers ops@192.168.*"),
            ("ops", "AllowUsers *"),
            ("ops", "PubkeyAuthentication yes\nPubkeyAuthentication no"),
            ("ops", "Match User git\nPubkeyAuthentication no"),
            ("ops", "#PubkeyAuthentication no"),
            ("ops", "AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2"),
        ] {
            assert!(refused(name, config).is_empty(), "{config}");
        }
    }

    #[test]
    fn what_comes_first_counts() {
        let node = Node::of(&format!("users: [{{ name: ops, ssh-keys: ['{KEY}'] }}]"))
            .with("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nPubkeyAuthentication no\n")
            .with("/etc/ssh/sshd_config.d/00-own.conf", "PubkeyAuthentication yes\n");
        assert!(node.findings("ssh-refuses").is_empty());
    }

    #[test]
    fn keys_of_the_base_are_told() {
        let node = Node::of("")
            .with("/etc/passwd", "root:x:0:0::/root:/bin/bash\npi:x:1000:1000::/home/pi:/bin/bash\n")
            .with("/root/.ssh/authorized_keys", "\n")
            .with("/home/pi/.ssh/authorized_keys", KEY);
        assert!(node.findings("known-key").is_empty(), "nobody listens");
        let node = node.enabling("ssh.service");
        assert!(
            node.findings("known-key")[0].starts_with("/home/pi/.ssh/authorized_keys: the base brings keys")
        );
        let named = node.changing([file("/home/pi/.ssh/authorized_keys")]);
        assert!(named.findings("known-key").is_empty());
    }
}
