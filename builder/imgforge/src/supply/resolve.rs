//! From what is wanted to a lock: the packages that bring it, chosen from verified repositories for what the base has
//! already, fetched, looked into and pinned.

use std::collections::{BTreeMap, BTreeSet};

use imgforge_debian::{
    Assessment, Candidate, Database, Effect, Package, Relation, Resolver, parse_relations, plan_unpack,
};
use imgforge_spec::{Diagnose, Sha256};

use crate::{
    image::read::PackageTree,
    supply::{
        download::{self, Downloader, Pinned, Size},
        lock::{Lock, LockedPackage, Preinst, Set, SetName},
        repositories::{self, Metadata, Offer, Repository},
        unpack,
    },
};

/// What a role is to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Packages, as relations in a `Depends` field: `containerd`, `kubelet (= 1.36.4-1.1)`.
    pub packages: Vec<String>,
    /// The set it is laid over: what that brings, it need not bring again.
    pub over: Option<SetName>,
}

/// Which pins of an earlier lock to let go of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Update {
    /// None: what is pinned stays while it can be had.
    Nothing,
    /// All.
    Everything,
    /// Those of these packages.
    Packages(Vec<String>),
}

impl Update {
    /// Whether the pin of `name` is let go of.
    pub(crate) fn reaches(&self, name: &str) -> bool {
        match self {
            Update::Nothing => false,
            Update::Everything => true,
            Update::Packages(names) => names.iter().any(|asked| asked == name),
        }
    }
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repositories.
    #[error(transparent)]
    Repositories(#[from] repositories::Error),
    /// A package could not be fetched.
    #[error(transparent)]
    Download(#[from] download::Error),
    /// A package could not be looked into.
    #[error(transparent)]
    Unpack(#[from] unpack::Error),
    /// What is wanted is no list of packages.
    #[error("`{wanted}` is no package")]
    Wanted {
        /// As it stands.
        wanted: String,
        /// What is wrong.
        source: imgforge_debian::Error,
    },
    /// There is no set of packages that brings what is wanted.
    #[error("the packages of {} cannot be had", set.described())]
    Unsolvable {
        /// The role.
        set: SetName,
        /// Why.
        source: imgforge_debian::Error,
    },
    /// The base's package database.
    #[error("the package database of the base")]
    Base(#[source] imgforge_debian::Error),
    /// Packages that cannot be unpacked together, or not over the base.
    #[error("the packages of {} cannot be unpacked", set.described())]
    Clash {
        /// The role.
        set: SetName,
        /// Which, and why.
        source: imgforge_debian::Error,
    },
    /// Packages that cannot be put into an image without running their code.
    #[error("packages cannot be added offline:{}", refused.iter().map(|line| format!("\n  {line}")).collect::<String>())]
    Refused {
        /// Each with the reason.
        refused: Vec<String>,
    },
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Repositories(error) => Some(error),
            Error::Download(error) => Some(error),
            Error::Unpack(error) => Some(error),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Unsolvable { .. } => {
                "nothing of the base is upgraded or removed: ask for other packages or versions, or take a newer base"
            }
            Error::Clash { .. } => "leave out one of them, or ask for other packages",
            Error::Refused { .. } => {
                "leave these packages out and let apt install them on the running node, or take a base that has them"
            }
            _ => return self.below()?.hint(),
        };
        Some(hint.into())
    }
}

/// Makes locks for one base.
#[derive(Debug)]
pub(crate) struct Resolve<'a> {
    /// The base's root file system.
    pub root: PackageTree<'a>,
    /// The base's packages.
    pub(crate) database: &'a Database,
    /// The base's Debian architecture.
    pub architecture: &'a str,
    /// Repositories, in the order in which equal versions are preferred.
    pub(crate) repositories: &'a [Repository],
    /// How they are read.
    pub metadata: Metadata<'a>,
}

impl Resolve<'_> {
    /// `lock` with the packages of `wanted`, a set for each role.
    pub fn packages(
        &self,
        lock: &mut Lock,
        wanted: &BTreeMap<SetName, Wanted>,
        update: &Update,
    ) -> Result<(), Error> {
        if self.repositories.is_empty() && wanted.values().any(|wanted| !wanted.packages.is_empty()) {
            return Err(repositories::Error::NoRepository.into());
        }
        let offers =
            self.repositories.iter().map(|repository| self.metadata.offer(repository, self.architecture));
        let mut offers = offers.collect::<Result<Vec<Offer>, _>>()?;
        keep_pins(&mut offers, &pins(lock, update));
        let universe = Universe::new(&mut offers);
        let resolver = Resolver::new(self.database, &universe.candidates, false).map_err(Error::Base)?;
        let mut packages: BTreeMap<String, LockedPackage> = BTreeMap::new();
        lock.sets.clear();
        // What others are laid over comes first.
        let (below, above): (Vec<_>, Vec<_>) = wanted.iter().partition(|(_, wanted)| wanted.over.is_none());
        // The nodes of a cluster want the same, most of them.
        let mut known: BTreeMap<Vec<&String>, Vec<usize>> = BTreeMap::new();
        for (name, one) in below.into_iter().chain(above) {
            let over = one.over.as_ref();
            let both = over.and_then(|over| wanted.get(over)).into_iter().chain([one]);
            let asked: Vec<&String> = both.flat_map(|wanted| &wanted.packages).collect();
            let chosen = match known.get(&asked) {
                Some(chosen) => chosen.clone(),
                None => {
                    let unsolvable = |source| Error::Unsolvable { set: name.clone(), source };
                    let relations = relations(asked.iter().copied())?;
                    let chosen = resolver.resolve(&relations).map_err(unsolvable)?;
                    known.entry(asked).or_insert(chosen).clone()
                }
            };
            let there =
                over.and_then(|over| lock.sets.get(over)).map(|set| set.packages.clone()).unwrap_or_default();
            let mut set = Set { wanted: one.packages.clone(), over: over.cloned(), ..Set::default() };
            for package in chosen.into_iter().filter_map(|index| universe.package(index)) {
                if !there.contains(&package.name) {
                    set.packages.push(package.name.clone());
                }
                packages.insert(package.name.clone(), package);
            }
            lock.sets.insert(name.clone(), set);
        }
        lock.packages = packages.into_values().collect();
        lock.repositories = offers.into_iter().map(|offer| offer.repository).collect();
        let archives = self.classify(&mut lock.packages)?;
        lock.sets.iter().try_for_each(|(name, set)| {
            let below = set.over.as_ref().and_then(|over| lock.sets.get(over));
            self.rehearse(name, below.into_iter().chain([set]), &archives)
        })
    }

    /// Fetches the packages and says of each what becomes of its scripts. Returns what is in them, by name.
    fn classify(&self, packages: &mut [LockedPackage]) -> Result<BTreeMap<String, Package>, Error> {
        fetch_packages(&self.metadata, packages)?;
        let unpacked = unpack::packages(self.metadata.store, &packages.iter().collect::<Vec<_>>())?;
        let mut refused = Vec::new();
        for (locked, unpacked) in packages.iter_mut().zip(&unpacked) {
            // By the base alone; the rehearsal of each set looks again, with the packages that come before.
            let assessment = Assessment::of(&unpacked.archive, &self.root);
            let reasons = assessment.refusals();
            refused.extend(reasons.iter().map(|reason| format!("{}: {reason}", locked.name)));
            locked.rebuilds_initramfs = assessment.rebuilds_initramfs;
            (locked.preinst, locked.imitated) = match assessment.preinst {
                imgforge_debian::Preinst::Absent => (Preinst::None, Vec::new()),
                imgforge_debian::Preinst::Imitated(effects) => {
                    (Preinst::Imitated, effects.iter().map(describe).collect())
                }
                _ => (Preinst::Idle, Vec::new()),
            };
        }
        if !refused.is_empty() {
            return Err(Error::Refused { refused });
        }
        let archives = unpacked.into_iter().map(|unpacked| unpacked.archive);
        Ok(archives.map(|archive| (archive.identity.name.clone(), archive)).collect())
    }

    /// Unpacks the set `name`, and before it the one it is laid over, in thought, so that what does not go together is not
    /// found out by a build.
    fn rehearse<'b>(
        &self,
        name: &SetName,
        sets: impl Iterator<Item = &'b Set>,
        archives: &BTreeMap<String, Package>,
    ) -> Result<(), Error> {
        let packages = sets.flat_map(|set| &set.packages);
        let archives = packages.filter_map(|package| archives.get(package).cloned());
        let plan = plan_unpack(&self.root, &archives.collect::<Vec<_>>());
        plan.map(drop).map_err(|source| Error::Clash { set: name.clone(), source })
    }
}

/// Puts the packages that are missing into the store.
pub(crate) fn fetch_packages(metadata: &Metadata<'_>, packages: &[LockedPackage]) -> Result<(), Error> {
    let missing: Vec<_> =
        packages.iter().filter(|package| !metadata.store.blob(package.sha256).is_file()).collect();
    let total: u64 = missing.iter().map(|package| package.size).sum();
    let (Some(first), downloader) = (missing.first(), metadata.downloader) else { return Ok(()) };
    let downloader: &Downloader =
        downloader.ok_or_else(|| download::Error::Offline { url: first.url.clone() })?;
    let bar = metadata.console.progress(&format!("fetching {} packages", missing.len()), Some(total));
    let mut before = 0;
    for package in missing {
        let file = Pinned {
            url: &package.url,
            candidates: &metadata.settings.candidates_of(&package.url, package.sha256),
            sha256: package.sha256,
            size: Size::Exactly(package.size),
            accept: None,
        };
        downloader.fetch(metadata.store, file, &|at, _| bar.set(before + at, None))?;
        before += package.size;
    }
    Ok(())
}

/// The candidates of all repositories, in their order.
struct Universe<'a> {
    candidates: Vec<Candidate>,
    offers: &'a [Offer],
    /// Where each offer's candidates end.
    ends: Vec<usize>,
}

impl<'a> Universe<'a> {
    /// Takes the candidates out of `offers`.
    fn new(offers: &'a mut [Offer]) -> Self {
        let (mut candidates, mut ends) = (Vec::new(), Vec::new());
        for offer in offers.iter_mut() {
            candidates.append(&mut offer.candidates);
            ends.push(candidates.len());
        }
        Self { candidates, offers, ends }
    }

    /// A candidate as a lock has it, but for what only its archive tells.
    fn package(&self, index: usize) -> Option<LockedPackage> {
        let candidate = self.candidates.get(index)?;
        let offer = self.offers.get(self.ends.partition_point(|&end| end <= index))?;
        let path = candidate.filename.strip_prefix("./").unwrap_or(&candidate.filename);
        Some(LockedPackage {
            name: candidate.identity.name.clone(),
            version: candidate.identity.version.as_str().to_owned(),
            architecture: candidate.identity.architecture.clone(),
            url: format!("{}{path}", offer.uri),
            size: candidate.sum.size,
            sha256: candidate.sum.sha256,
            repository: offer.repository.name.clone(),
            preinst: Preinst::None,
            imitated: Vec::new(),
            rebuilds_initramfs: false,
        })
    }
}

/// Name and SHA-256 of each package that is to stay as it is.
fn pins(lock: &Lock, update: &Update) -> BTreeMap<String, Sha256> {
    let packages = lock.packages.iter().filter(|package| !update.reaches(&package.name));
    packages.map(|package| (package.name.clone(), package.sha256)).collect()
}

/// Leaves, of a pinned package that can still be had, nothing else to choose.
fn keep_pins(offers: &mut [Offer], pins: &BTreeMap<String, Sha256>) {
    let is_pinned = |candidate: &Candidate| {
        pins.get(&candidate.identity.name).is_some_and(|sha256| *sha256 == candidate.sum.sha256)
    };
    let all = || offers.iter().flat_map(|offer| &offer.candidates);
    let kept: BTreeSet<String> =
        all().filter(|candidate| is_pinned(candidate)).map(|kept| kept.identity.name.clone()).collect();
    for offer in offers.iter_mut() {
        offer.candidates.retain(|candidate| !kept.contains(&candidate.identity.name) || is_pinned(candidate));
    }
}

fn relations<'a>(wanted: impl Iterator<Item = &'a String>) -> Result<Vec<Relation>, Error> {
    let parse = |wanted: &String| {
        parse_relations(wanted).map_err(|source| Error::Wanted { wanted: wanted.clone(), source })
    };
    Ok(wanted.map(parse).collect::<Result<Vec<_>, _>>()?.concat())
}

fn describe(effect: &Effect) -> String {
    match effect {
        Effect::Divert(diversion) => format!(
            "diverts {} to {}",
            String::from_utf8_lossy(&diversion.from),
            String::from_utf8_lossy(&diversion.to)
        ),
        Effect::Directory(path) => format!("makes the directory {path}"),
        Effect::EmptyFile(path) => format!("makes the empty file {path}"),
    }
}
