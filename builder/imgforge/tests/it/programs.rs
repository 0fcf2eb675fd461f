//! Programs for the 32-bit Arms in plans over bases of each kind. GNU's assembler and linker make them
//! (`builder/debian/tests/make-arm-programs`).

use std::{fs, process::Command, sync::LazyLock};

use imgforge::plan::plan;
use imgforge_spec::Role;
use tempfile::TempDir;

use super::plan::{boot, pinned, repository, request, root};

static PROGRAMS: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let script = repository().join("builder/debian/tests/make-arm-programs");
    assert!(Command::new(script).arg(folder.path()).status().unwrap().success());
    folder
});

fn program(name: &str) -> Vec<u8> {
    fs::read(PROGRAMS.path().join(name)).unwrap()
}

/// What speaks against the program `added` in an image for `board` whose base has the program `base`.
fn misfit(board: &str, base: &str, added: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let overlay = folder.path().join("common");
    fs::create_dir_all(overlay.join("root/usr/bin")).unwrap();
    fs::write(overlay.join("overlay.yaml"), "description: x\n").unwrap();
    fs::write(overlay.join("root/usr/bin/x"), program(added)).unwrap();
    let mut request = request(board, Role::Base, "");
    request.overlays = folder.path().to_owned();
    let root = root().with_bytes("/usr/bin/dpkg", &program(base));
    let boot = boot();
    let has_boot = request.board.profile.layout.boot.is_some();
    let planned = plan(&pinned(&request), &Default::default(), &root, has_boot.then_some(&boot as _));
    let said = planned.err()?.to_string();
    let (_, reason) = said.split_once("/usr/bin/x (overlay common): ").unwrap_or_else(|| panic!("{said}"));
    Some(reason.to_owned())
}

#[test]
fn an_armv6_takes_what_is_made_for_it_and_for_its_base() {
    for (base, other) in [("armel", "raspbian"), ("raspbian", "armel")] {
        assert_eq!(misfit("rpi1", base, base), None);
        assert_eq!(misfit("rpi1", base, &format!("{other}-static")), None, "needs no library");
        let reason = misfit("rpi1", base, other).unwrap();
        assert!(reason.starts_with("is made for libraries of"), "{reason}");
        for armhf in ["armhf", "armhf-static"] {
            assert_eq!(misfit("rpi1", base, armhf).unwrap(), "needs ARMv7, the board has ARMv6");
        }
    }
}

#[test]
fn an_armv7_takes_what_is_made_for_an_armv6_if_it_passes_numbers_alike() {
    for added in ["armhf", "raspbian", "armel-static"] {
        assert_eq!(misfit("bananapi-m1", "armhf", added), None, "{added}");
    }
    assert_eq!(
        misfit("bananapi-m1", "armhf", "armel").unwrap(),
        "is made for libraries of soft float, those of the base are of hard float"
    );
}
