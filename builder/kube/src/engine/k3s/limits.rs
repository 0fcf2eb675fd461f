//! What k3s can on which board.

use crate::{
    board::{Architecture, BoardFacts},
    cluster::Role,
    version::{Limits, Overruled, Refusal, Version},
};

/// The oldest line whose configuration was looked at.
const OLDEST: u16 = 34;

/// Memory in MiB that a server needs at least: docs.k3s.io, installation/requirements.
const SERVER_MEMORY: u32 = 2048;

/// Whether k3s `version` is published for `architecture`: `k3s-arm64` and `k3s-armhf`, which is ARMv7.
pub fn runs_on(version: Version, architecture: Architecture) -> Result<(), Refusal> {
    match architecture {
        Architecture::Armv6 => Err(Refusal::K3sArmv6),
        _ if version.line().is_none() => Err(Refusal::UnknownVersion { version }),
        _ if version.minor < OLDEST => Err(Refusal::OldK3s { version, oldest: OLDEST }),
        Architecture::Armv7 | Architecture::Arm64 => Ok(()),
    }
}

/// The limits of a node with `role` and k3s `version` on `board`. Two cores for a server are k3s' own requirement, too.
pub fn limits(board: &BoardFacts, role: Role, version: Version) -> Limits {
    Limits::judge(board, role, runs_on(version, board.architecture), little_memory(board.memory))
}

fn little_memory(memory: u32) -> Option<Overruled> {
    (memory < SERVER_MEMORY).then(|| Overruled {
        check: "memory",
        reason: format!(
            "k3s asks for {SERVER_MEMORY} MB for a server and the board has {memory}: expect it to be slow, and keep pods few"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armv7_has_current_releases_and_armv6_none() {
        runs_on(Version::new(36, 4), Architecture::Armv7).unwrap();
        runs_on(Version::new(36, 4), Architecture::Arm64).unwrap();
        assert_eq!(runs_on(Version::new(36, 4), Architecture::Armv6), Err(Refusal::K3sArmv6));
        assert!(runs_on(Version::new(26, 15), Architecture::Armv7).unwrap_err().to_string().contains("1.34"));
        assert!(runs_on(Version::new(99, 0), Architecture::Arm64).is_err());
    }

    #[test]
    fn a_one_core_board_is_an_agent_only() {
        let cubieboard =
            BoardFacts { architecture: Architecture::Armv7, cores: 1, memory: 1024, wired: true };
        let version = Version::new(36, 4);
        assert_eq!(limits(&cubieboard, Role::Worker, version), Limits::default());
        let limits = limits(&cubieboard, Role::Master, version);
        assert_eq!(limits.refused, [Refusal::OneCoreMaster { cores: 1 }]);
        assert_eq!(limits.overruled.len(), 1);
    }
}
