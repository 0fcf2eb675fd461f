//! Packages that the vendor has left half done: the first boot finishes them with those that the build adds.

use imgforge_kube::check::Found;

use super::{Context, Rule};
use crate::image::survey::Unfinished;

pub(crate) const RULES: &[Rule] = &[Rule::notice(
    "half-configured-packages",
    "all packages of the base are installed and configured",
    half_configured,
)];

fn half_configured(context: &Context<'_>) -> Vec<Found> {
    let is_ours = |package: &Unfinished| context.added.contains(&package.name.as_str());
    let packages = context.survey.packages.unfinished.iter().filter(|package| !is_ours(package));
    let named: Vec<String> = packages.map(|Unfinished { name, state }| format!("{name} ({state})")).collect();
    if named.is_empty() {
        return Vec::new();
    }
    let message = format!("packages of the base are not finished: {}", named.join(", "));
    vec![
        Found::new("/var/lib/dpkg/status", message)
            .suggest("the first boot configures them; should one fail, it fails the first boot"),
    ]
}

#[cfg(test)]
mod tests {
    use crate::rules::stand_in::Node;

    const STATUS: &str = "Package: a\nStatus: install ok half-configured\n\nPackage: b\nStatus: install ok unpacked\n\n\
                          Package: c\nStatus: install ok installed\n\nPackage: d\nStatus: deinstall ok config-files\n";

    #[test]
    fn what_the_vendor_left_half_done_is_told_once() {
        let node = Node::of("").with("/var/lib/dpkg/status", STATUS);
        let found = node.findings("half-configured-packages");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("not finished: a (half-configured), b (unpacked);"), "{found:?}");
    }

    #[test]
    fn what_the_build_adds_is_unpacked_on_purpose() {
        let node = Node::of("").with("/var/lib/dpkg/status", STATUS).adding(&["a", "b"]);
        assert!(node.findings("half-configured-packages").is_empty());
    }
}
