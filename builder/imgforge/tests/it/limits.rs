//! What the boards of the repository's profiles can be, and what is said where they cannot.

use std::path::Path;

use imgforge::{
    build::error::Error,
    catalogue::{
        Catalogue,
        kubernetes::{Choice, Way},
        limits::{self, Abilities},
        profile::Profile,
    },
    host::console::render,
};
use imgforge_kube::engine::Engine;
use imgforge_spec::{Architecture, Diagnose, Role};

fn catalogue() -> Catalogue {
    Catalogue::load(vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../board-profiles")]).unwrap()
}

fn profile(board: &str) -> Profile {
    catalogue().find(board).unwrap().1.clone()
}

/// What is said of `board` in `role` with its own Kubernetes, or `release`.
fn notes(board: &str, role: Role, release: Option<&str>) -> Result<Vec<String>, String> {
    let profile = profile(board);
    let own = profile.kubernetes.as_ref().map(|choice| choice.release.as_str());
    let release = release.or(own).map(|name| catalogue().release(name).unwrap());
    limits::check(&profile, role, release.as_ref()).map_err(|refused| {
        let error = Error::from(refused);
        render(&error, error.hint().as_deref())
    })
}

#[test]
fn a_raspberry_pi_1_is_told_what_it_still_can_be() {
    let armv6 = "Kubernetes has no binaries for ARMv6, where those for newer boards end in \"Illegal instruction\", and k3s \
                 needs ARMv7, too; use such a board with the role base";
    let hint = "hint: the role `base` makes it a plain node: host name, users, mounts and packages\n";
    assert_eq!(
        notes("rpi1", Role::Worker, None).unwrap_err(),
        format!("error: Raspberry Pi 1 Model B (rpi1) cannot be a worker: {armv6}\n{hint}")
    );
    let cores = "a control plane needs at least 2 CPU cores and this board has 1; make it a worker (the role `worker`)";
    assert_eq!(
        notes("rpi1", Role::Master, Some("1.36")).unwrap_err(),
        format!("error: Raspberry Pi 1 Model B (rpi1) cannot be a master:\n  {armv6}\n  {cores}\n{hint}")
    );
    notes("rpi1", Role::Base, None).unwrap();
}

#[test]
fn a_32_bit_board_runs_1_26_and_is_told_that_it_is_the_last() {
    let notes_of = notes("bananapi-m1", Role::Worker, None).unwrap();
    let last = "Kubernetes 1.37.0 has no binaries for 32-bit Arm; 1.26 was the last line with them (no fixes since 2024-02)";
    assert!(notes_of.iter().any(|note| note == last), "{notes_of:#?}");
    assert!(!notes("bananapi-m1", Role::Base, None).unwrap().iter().any(|note| note == last));
    assert_eq!(
        notes("bananapi-m1", Role::Worker, Some("1.36")).unwrap_err(),
        "error: Banana Pi M1 (bananapi-m1) cannot be a worker: Kubernetes 1.36.4 has no binaries for 32-bit Arm; 1.26 was the \
         last line with them (no fixes since 2024-02)\n\
         hint: `kubernetes: { release: \"1.26\" }` in --node FILE takes the last line for it; `engine: k3s` in a cluster file has current ones\n"
    );
}

#[test]
fn one_core_is_enough_for_a_worker_only() {
    notes("cubieboard1", Role::Worker, None).unwrap();
    assert_eq!(
        notes("cubieboard1", Role::Master, None).unwrap_err(),
        "error: CubieBoard (A10) (cubieboard1) cannot be a master: a control plane needs at least 2 CPU cores and this board \
         has 1; make it a worker (the role `worker`)\n\
         hint: it can be a worker\n"
    );
}

#[test]
fn a_master_with_1_gb_is_told_that_kubeadm_would_object() {
    let mem = "kubeadm wants 1700 MB for a control plane and the board has 1024: the check is ignored, expect it to be slow";
    assert!(notes("rk3328", Role::Master, None).unwrap().contains(&mem.to_owned()));
    assert!(!notes("rk3328", Role::Worker, None).unwrap().contains(&mem.to_owned()));
    assert!(!notes("odroid-c4", Role::Master, None).unwrap().contains(&mem.to_owned()));
}

#[test]
fn an_image_that_will_vanish_is_announced() {
    let vanishes =
        "the vendor takes this image away within weeks: `imgforge store export` keeps it".to_owned();
    for board in ["rock64", "cubieboard1", "cubieboard2", "orangepi-pc"] {
        assert!(notes(board, Role::Base, None).unwrap().contains(&vanishes), "{board}");
    }
    assert!(!notes("rk3328", Role::Base, None).unwrap().contains(&vanishes));
}

#[test]
fn the_profiles_own_kubernetes_runs_on_every_board_that_can_have_it() {
    let catalogue = catalogue();
    for profile in catalogue.profiles() {
        let abilities = Abilities::of(Engine::Kubeadm, profile);
        assert_eq!(abilities.newest.is_some(), profile.kubernetes.is_some(), "{}", profile.board);
        for role in abilities.roles {
            notes(profile.board.as_str(), role, None).unwrap_or_else(|said| panic!("{said}"));
        }
        if let Some(Choice { release, from }) = &profile.kubernetes {
            let release = catalogue.release(release).unwrap();
            release.content(profile.architecture, *from).unwrap_or_else(|error| panic!("{error}"));
            assert!(*from == Way::Artifacts || profile.base.file.is_some(), "{}", profile.board);
        }
    }
}

/// What k3s is published for: everything but ARMv6, in one current release.
#[test]
fn k3s_has_a_current_release_for_every_board_but_armv6() {
    let catalogue = catalogue();
    let release = catalogue.release("k3s-1.36").unwrap();
    for profile in catalogue.profiles() {
        let abilities = Abilities::of(Engine::K3s, profile);
        let is_old = profile.architecture == Architecture::Armv6;
        assert_eq!(abilities.newest.is_none(), is_old, "{}", profile.board);
        assert_eq!(abilities.roles.contains(&Role::Worker), !is_old, "{}", profile.board);
        let content = release.clone().content(profile.architecture, Way::Artifacts);
        assert_eq!(content.is_err(), is_old, "{}", profile.board);
        let said = limits::check(profile, Role::Worker, Some(&release));
        assert_eq!(said.is_err_and(|refused| refused.to_string().contains("for ARMv7")), is_old);
    }
}

#[test]
fn every_board_of_the_origin_story_has_its_roles() {
    use Role::{Base, Master, Worker};
    for (board, roles) in [
        ("rpi1", vec![Base]),
        ("cubieboard1", vec![Base, Worker]),
        ("bananapi-m1", vec![Base, Worker, Master]),
        ("roc-rk3328-cc", vec![Base, Worker, Master]),
    ] {
        assert_eq!(Abilities::of(Engine::Kubeadm, &profile(board)).roles, roles, "{board}");
    }
}
