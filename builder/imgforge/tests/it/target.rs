//! What the command line asks for, resolved.

use imgforge::{
    host::console::Console,
    plan::Request,
    target::{Alone, Asked, Target, targets},
};
use imgforge_spec::Role;

use crate::plan::{catalogue, repository};

fn target(board: &str, hostname: Option<&str>) -> Target {
    let hostname = hostname.map(|hostname| hostname.parse().unwrap());
    let alone = Alone { board: board.into(), role: Role::Worker, hostname, node: None, lock: None };
    targets(&Asked::Alone(alone), &catalogue(), &Console::new(true)).unwrap().remove(0)
}

fn request(target: &Target) -> Request {
    let Target { board, role, node, .. } = target.clone();
    let overlays = repository().join("overlays");
    Request {
        board,
        role,
        node,
        source: None,
        membership: None,
        kubernetes: None,
        engine: Default::default(),
        overlays,
    }
}

#[test]
fn a_board_is_the_same_by_every_name() {
    for name in ["rk3328", "renegade", "roc-rk3328-cc"] {
        let target = target(name, None);
        assert_eq!(target.board.profile.board.as_str(), "rk3328", "{name}");
        assert_eq!(target.lock, repository().join("board-profiles/rk3328.lock.yaml"), "{name}");
        assert_eq!(request(&target).hostname().as_str(), "rk3328-worker", "{name}");
        assert!(request(&target).is_release(), "{name}");
    }
}

#[test]
fn a_node_has_the_name_that_is_asked_for_whatever_the_board_is_called() {
    for board in ["rk3328", "renegade"] {
        for (hostname, is_release) in
            [("rk3328-worker", true), ("renegade-worker", false), ("k8s-worker-1", false)]
        {
            let request = request(&target(board, Some(hostname)));
            assert_eq!(request.hostname().as_str(), hostname, "{board}");
            // The name that a release has anyway makes no node of it.
            assert_eq!(request.is_release(), is_release, "{board} {hostname}");
        }
    }
}
