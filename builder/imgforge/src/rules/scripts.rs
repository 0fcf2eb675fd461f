//! What runs the scripts of the first boot is on the node.

use imgforge_kube::check::Found;

use super::{Context, Rule};

pub(crate) const RULES: &[Rule] = &[Rule::error(
    "script-interpreter",
    "what runs a script of the first boot is in the base, or comes with a package",
    script_interpreter,
)];

/// Packages of Debian for what people write scripts in, where the name is not the package's.
const PACKAGES: [(&str, &str); 2] = [("node", "nodejs"), ("python", "python-is-python3")];

fn script_interpreter(context: &Context<'_>) -> Vec<Found> {
    let scripts = context.request.node.run_once.iter().enumerate();
    let wanted = scripts.filter_map(|(index, script)| Some((index, script, script.interpreter()?)));
    let missing = wanted.filter(|(_, _, interpreter)| context.survey.has_command(interpreter) == Some(false));
    missing
        .map(|(index, script, interpreter)| {
            let package = package_of(interpreter);
            let message = format!("`{}` is run by {interpreter}, which the node does not have", script.name);
            Found::new(format!("run-once[{index}]"), message).suggest(format!(
                "give the package that has it, such as `packages: [{package}]`, or `#!/bin/sh`"
            ))
        })
        .collect()
}

/// The package that brings `interpreter`, as far as its name says.
pub(super) fn package_of(interpreter: &str) -> &str {
    let name = interpreter.rsplit('/').next().unwrap_or_default();
    PACKAGES.iter().find(|(known, _)| *known == name).map_or(name, |(_, package)| package)
}

#[cfg(test)]
mod tests {
    use crate::rules::stand_in::Node;

    fn node(line: &str) -> Node {
        Node::of(&format!("run-once: [{{name: nas, script: \"{line}\\n\"}}]")).with("/usr/bin/python3", "ELF")
    }

    #[test]
    fn an_interpreter_that_is_not_there_is_told_with_a_package() {
        assert_eq!(
            node("#!/usr/bin/perl -w").findings("script-interpreter"),
            ["run-once[0]: `nas` is run by /usr/bin/perl, which the node does not have; \
              give the package that has it, such as `packages: [perl]`, or `#!/bin/sh`"]
        );
        assert!(
            node("#!/usr/bin/env node").findings("script-interpreter")[0].contains("`packages: [nodejs]`")
        );
        assert!(node("#!/usr/bin/perl").has_errors());
    }

    #[test]
    fn one_that_is_there_is_found_by_name_and_by_path_whatever_links_lead_to_it() {
        let merged = |line: &str| node(line).with_link("/bin", "usr/bin");
        for line in ["#!/usr/bin/python3", "#!/bin/python3", "#!/usr/bin/env -S python3 -u"] {
            assert!(merged(line).findings("script-interpreter").is_empty(), "{line}");
        }
    }

    #[test]
    fn of_one_elsewhere_nothing_is_known() {
        assert!(node("#!/opt/venv/bin/python").findings("script-interpreter").is_empty());
    }
}
