//! The base's own first boot, where the vendor's overlay has not switched it off: it sets over what the build has set.

use imgforge_kube::check::Found;

use super::{Context, Rule};
use crate::image::survey::Hook;

pub(crate) const RULES: &[Rule] = &[
    Rule::error(
        "provisioning",
        "nothing in the base overrules the node's settings at the first boot",
        provisioning,
    ),
    Rule::notice("idle-provisioning", "nothing in the base waits to set the node up", idle_provisioning),
];

fn provisioning(context: &Context<'_>) -> Vec<Found> {
    context.survey.hooks.iter().filter(|hook| hook.acts).map(found).collect()
}

fn idle_provisioning(context: &Context<'_>) -> Vec<Found> {
    context.survey.hooks.iter().filter(|hook| !hook.acts).map(found).collect()
}

fn found(hook: &Hook) -> Found {
    let Hook { name, sign, does, undo, .. } = hook;
    Found::new(sign.as_str(), format!("the base's {name} {does}")).suggest(*undo)
}

#[cfg(test)]
mod tests {
    use crate::rules::stand_in::Node;

    fn errors(node: &Node) -> Vec<String> {
        node.findings("provisioning")
    }

    #[test]
    fn a_card_that_was_customised_is_no_base() {
        let node =
            Node::of("").with_boot("/cmdline.txt", "rootwait systemd.run=/boot/firmware/firstrun.sh quiet\n");
        let found = errors(&node);
        assert!(
            found[0].starts_with("boot:/cmdline.txt: systemd.run=/boot/firmware/firstrun.sh: the base's"),
            "{found:?}"
        );
        assert!(errors(&Node::of("").with_boot("/cmdline.txt", "rootwait quiet\n")).is_empty());
    }

    #[test]
    fn settings_of_bookworm_are_told() {
        let found = errors(&Node::of("").with_boot("/custom.toml", "config_version = 1\n"));
        assert!(
            found[0].starts_with("boot:/custom.toml: the base's custom.toml sets host name"),
            "{found:?}"
        );
    }

    #[test]
    fn cloud_init_with_a_seed_acts_and_without_one_waits() {
        let node = Node::of("").with("/etc/cloud/cloud.cfg", "users: [default]\n");
        assert!(errors(&node).is_empty());
        assert_eq!(node.findings("idle-provisioning").len(), 1);
        let seeded = node.with_boot("/user-data", "#cloud-config\n");
        assert!(errors(&seeded)[0].starts_with("boot:/user-data: the base's cloud-init sets host name"));
        assert!(errors(&seeded.with("/etc/cloud/cloud-init.disabled", "")).is_empty(), "switched off");
    }

    #[test]
    fn a_user_of_the_boot_partition_is_told_unless_the_service_is_masked() {
        let node = Node::of("").with_boot("/userconf.txt", "pi:$6$x\n");
        assert_eq!(errors(&node).len(), 1);
        assert!(errors(&node.with_link("/etc/systemd/system/userconfig.service", "/dev/null")).is_empty());
    }

    #[test]
    fn dietpi_sets_itself_up() {
        assert_eq!(errors(&Node::of("").with("/boot/dietpi/.version", "")).len(), 1);
    }
}
