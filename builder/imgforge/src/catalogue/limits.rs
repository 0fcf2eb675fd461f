//! What a board's hardware allows: the roles it can have and the newest Kubernetes it runs. The rules themselves are the
//! kube room's; here they meet profiles.

use imgforge_kube::{
    board::BoardFacts,
    cluster,
    engine::Engine,
    version::{Limits, Refusal, Version},
};
use imgforge_spec::{Architecture, BoardName, Diagnose, Role};

use crate::catalogue::{kubernetes::Release, profile::Profile};

/// A role that a board cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} ({board}) cannot be a {}:{}", role.name(), list(reasons))]
pub struct Refused {
    /// The board.
    pub board: BoardName,
    /// Full name of the hardware.
    pub name: String,
    /// The role.
    pub role: Role,
    /// Each thing that stands against it.
    pub(crate) reasons: Vec<Refusal>,
}

impl Diagnose for Refused {
    /// What can be done with the board instead.
    fn hint(&self) -> Option<String> {
        self.reasons.iter().find_map(|reason| match reason {
            Refusal::Armv6 | Refusal::K3sArmv6 => {
                Some("the role `base` makes it a plain node: host name, users, mounts and packages".into())
            }
            Refusal::ArmDropped { .. } => {
                Some("`kubernetes: { release: \"1.26\" }` in --node FILE takes the last line for it; `engine: k3s` in a cluster file has current ones".into())
            }
            Refusal::OneCoreMaster { .. } => Some("it can be a worker".into()),
            _ => None,
        })
    }
}

fn list(reasons: &[Refusal]) -> String {
    match reasons {
        [one] => format!(" {one}"),
        several => several.iter().map(|reason| format!("\n  {reason}")).collect(),
    }
}

/// Asks whether the board of `profile` can have `role` with `release`, if it is known by now. Returns what the user should
/// know of that.
pub fn check(profile: &Profile, role: Role, release: Option<&Release>) -> Result<Vec<String>, Refused> {
    let version = release.and_then(|release| release.version);
    let engine = release.map(|release| release.engine).unwrap_or_default();
    let Limits { refused, overruled } = limits(engine, profile, role, version);
    if !refused.is_empty() {
        let (board, name) = (profile.board.clone(), profile.name.clone());
        return Err(Refused { board, name, role, reasons: refused });
    }
    let mut notes = profile.notes.clone();
    if profile.base.perishable {
        notes.push("the vendor takes this image away within weeks: `imgforge store export` keeps it".into());
    }
    if role.runs_kubernetes() {
        notes.extend(held_back(engine, profile.architecture).map(|reason| reason.to_string()));
        notes.extend(release.into_iter().flat_map(|release| release.notes.clone()));
        notes.extend(overruled.into_iter().map(|overruled| overruled.reason));
    }
    Ok(notes)
}

/// What a board can be with one engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abilities {
    /// The engine.
    pub engine: Engine,
    /// Newest line of Kubernetes, as its first release; `None` where none runs.
    pub newest: Option<Version>,
    /// The roles it can have.
    pub roles: Vec<Role>,
    /// Why it cannot have the newest Kubernetes or all roles.
    pub(crate) reasons: Vec<Refusal>,
}

impl Abilities {
    /// The abilities of the board that `profile` describes, where `engine` makes the cluster.
    pub fn of(engine: Engine, profile: &Profile) -> Self {
        let mut reasons: Vec<Refusal> = held_back(engine, profile.architecture).into_iter().collect();
        let mut roles = Vec::new();
        for role in [Role::Base, Role::Worker, Role::Master] {
            let refused = limits(engine, profile, role, None).refused;
            if refused.is_empty() {
                roles.push(role);
            }
            for refusal in refused {
                if !reasons.contains(&refusal) {
                    reasons.push(refusal);
                }
            }
        }
        Self { engine, newest: engine.newest_for(facts(profile).architecture), roles, reasons }
    }

    /// The newest of `releases` that runs on the board of `profile` and has something for it.
    pub(crate) fn newest_of(&self, releases: &[Release], profile: &Profile) -> Option<Version> {
        let has_content = |release: &&Release| {
            if release.engine != self.engine {
                return false;
            }
            let way = release.way_for(profile.architecture);
            (*release).clone().content(profile.architecture, way).is_ok()
        };
        let versions = releases.iter().filter(has_content).filter_map(|release| release.version);
        let runs = |version: &Version| self.newest.is_some_and(|newest| version.minor <= newest.minor);
        versions.filter(runs).max()
    }

    /// Whether Kubernetes goes on for such boards.
    pub(crate) fn is_current(&self) -> bool {
        self.newest.is_some_and(|version| version.minor == Version::newest_known().minor)
    }
}

/// The limits of `role`; where nobody has said which Kubernetes, with the newest that there is for the board.
fn limits(engine: Engine, profile: &Profile, role: Role, version: Option<Version>) -> Limits {
    let facts = facts(profile);
    let version =
        version.or_else(|| engine.newest_for(facts.architecture)).unwrap_or_else(Version::newest_known);
    let role = match role {
        Role::Base => cluster::Role::Base,
        Role::Worker => cluster::Role::Worker,
        Role::Master => cluster::Role::Master,
    };
    engine.limits(&facts, role, version)
}

/// Why boards of `architecture` do not run the newest Kubernetes.
fn held_back(engine: Engine, architecture: Architecture) -> Option<Refusal> {
    engine.runs_on(Version::newest_known(), architecture).err()
}

/// The hardware as the rules see it.
pub(crate) fn facts(profile: &Profile) -> BoardFacts {
    let Profile { architecture, cores, memory, wired, .. } = *profile;
    BoardFacts { architecture, cores, memory, wired }
}
