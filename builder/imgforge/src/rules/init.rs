//! The first boot is made of systemd's units.

use imgforge_kube::check::Found;

use super::{Context, Rule};
use crate::image::survey::Init;

pub(crate) const RULES: &[Rule] = &[Rule::error("no-systemd", "the base is started by systemd", no_systemd)];

fn no_systemd(context: &Context<'_>) -> Vec<Found> {
    let Some(Init::Other(program)) = &context.survey.init else { return Vec::new() };
    let message =
        format!("the base is started by {program}, not by systemd, so nothing of the first boot would run");
    vec![Found::new("/sbin/init", message).suggest("take a base with systemd")]
}

#[cfg(test)]
mod tests {
    use crate::rules::stand_in::Node;

    #[test]
    fn another_init_is_told() {
        let found = Node::of("").with_link("/sbin/init", "openrc-init").findings("no-systemd");
        assert!(found[0].starts_with("/sbin/init: the base is started by openrc-init"), "{found:?}");
        assert_eq!(Node::of("").with("/sbin/init", "ELF").findings("no-systemd").len(), 1);
    }

    #[test]
    fn systemd_is_known_by_its_program_or_its_link() {
        assert!(
            Node::of("").with_link("/sbin/init", "/lib/systemd/systemd").findings("no-systemd").is_empty()
        );
        let both = Node::of("").with("/usr/lib/systemd/systemd", "ELF").with("/sbin/init", "ELF");
        assert!(both.findings("no-systemd").is_empty());
    }
}
