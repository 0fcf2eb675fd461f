//! The board runs what the base is made of. What is added to it is judged with the plan.

use imgforge_debian::Target;
use imgforge_kube::check::Found;

use super::{Context, Rule};

pub(crate) const RULES: &[Rule] =
    &[Rule::error("foreign-base", "the board runs the programs of the base", foreign_base)];

fn foreign_base(context: &Context<'_>) -> Vec<Found> {
    let profile = &context.request.board.profile;
    let programs = context.survey.programs.as_ref();
    let Some(reason) = programs.and_then(|programs| programs.misfit(Target::from(profile.architecture)))
    else {
        return Vec::new();
    };
    let message = format!("{} cannot run the programs of the base: {reason}", profile.name);
    vec![Found::new("base", message).suggest("take a base that is made for this board")]
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command, sync::LazyLock};

    use tempfile::TempDir;

    use crate::rules::stand_in::Node;

    /// Made by GNU's assembler and linker.
    static PROGRAMS: LazyLock<TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../debian/tests/make-arm-programs");
        assert!(Command::new(script).arg(folder.path()).status().unwrap().success());
        folder
    });

    fn finding(board: &str, program: &str) -> Option<String> {
        let program = fs::read(PROGRAMS.path().join(program)).unwrap();
        Node::of("").on(board).with_program("/usr/bin/dpkg", &program).findings("foreign-base").pop()
    }

    #[test]
    fn debians_armhf_is_not_for_the_first_raspberry_pi() {
        let found = finding("rpi1", "armhf").unwrap();
        let wanted = "base: Raspberry Pi 1 Model B cannot run the programs of the base: needs ARMv7, the board has ARMv6";
        assert!(found.starts_with(wanted), "{found}");
        assert!(finding("rpi4", "armhf").unwrap().contains("32-bit Arm instead of 64-bit Arm"));
    }

    #[test]
    fn what_is_made_for_it_or_for_less_is_good() {
        for (board, program) in
            [("rpi1", "raspbian"), ("rpi1", "armel"), ("bananapi-m1", "armhf"), ("bananapi-m1", "raspbian")]
        {
            assert_eq!(finding(board, program), None, "{board}");
        }
        assert!(Node::of("").findings("foreign-base").is_empty(), "nothing is known of it");
    }
}
