//! Accounts of the base into which a password lets, while everybody can ask for it over ssh.

use imgforge_kube::check::Found;

use super::{Context, Rule};
use crate::image::survey::Account;

pub(crate) const RULES: &[Rule] = &[Rule::error(
    "known-password",
    "no account keeps a password of the base's where ssh is enabled",
    known_password,
)];

fn known_password(context: &Context<'_>) -> Vec<Found> {
    if !context.survey.has_ssh() {
        return Vec::new();
    }
    let users = &context.request.node.users;
    let is_given = |name: &str| users.iter().any(|user| user.name == name && user.password_hash.is_some());
    let found = |account: &Account| {
        let Account { name, is_open } = account;
        let keeps = if *is_open { "needs no password" } else { "keeps the base's password" };
        let message = format!("the base's account `{name}` {keeps}, and ssh is enabled");
        Found::new("/etc/shadow", message).suggest(format!(
            "name `{name}` among `users`, which locks its password or sets another, or lock it in an overlay (`lock-passwords`)"
        ))
    };
    context.survey.accounts.iter().filter(|account| !is_given(&account.name)).map(found).collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::stand_in::Node;

    const RULE: &str = "known-password";

    /// A node whose base has an account with this field in shadow(5).
    fn with_password(node: &str, password: &str) -> Node {
        Node::of(node)
            .with("/etc/passwd", "root:x:0:0::/root:/bin/bash\npi:x:1000:1000::/home/pi:/bin/bash\ngames:x:5:5::/:/usr/sbin/nologin\n")
            .with("/etc/shadow", &format!("root:*:1::::::\npi:{password}:1::::::\ngames:$6$x:1::::::\n"))
            .enabling("ssh.service")
    }

    #[test]
    fn a_password_of_the_bases_is_told_by_its_account() {
        let found = with_password("", "$6$salt$hash").findings(RULE);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("/etc/shadow: the base's account `pi` keeps the base's password"),
            "{found:?}"
        );
        assert!(with_password("", "").findings(RULE)[0].contains("`pi` needs no password"));
        assert_eq!(with_password("", "Ep6mckrOLChF.").findings(RULE).len(), 1);
    }

    #[test]
    fn a_locked_password_lets_nobody_in() {
        for locked in ["*", "!", "!$6$salt$hash", "!!", "x"] {
            assert!(with_password("", locked).findings(RULE).is_empty(), "{locked}");
        }
    }

    #[test]
    fn a_password_that_the_node_gives_is_its_own() {
        let node = "users: [{name: pi, password-hash: $6$new$hash}]";
        assert!(with_password(node, "$6$new$hash").findings(RULE).is_empty());
    }

    #[test]
    fn without_ssh_a_password_is_for_the_console() {
        let node =
            with_password("", "$6$salt$hash").with_link("/etc/systemd/system/ssh.service", "/dev/null");
        assert!(node.findings(RULE).is_empty());
    }
}
