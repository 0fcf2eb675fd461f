//! Against the Debian archive itself, by the mirror that this machine's apt is configured for.
//!
//! These tests need the network and `apt-get download`, so they run only when asked for: `make archive`.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use imgforge_debian::{
    Assessment, Candidate, Checked, Database, Effect, Fingerprint, Keyring, Layout, Limits, Package, Preinst,
    Release, Resolver, Result, Trust, parse_relations, plan_unpack, read_packages,
};
use support::apt::{ARCHITECTURE, Apt, KEYRING, NODE, SUITE};
use support::root::{Root, is_root};
use support::{run, shell};

fn names(resolver: &Resolver, candidates: &[Candidate], wanted: &[&str]) -> Result<BTreeSet<String>> {
    let wanted = parse_relations(&wanted.join(","))?;
    Ok(resolver.resolve(&wanted)?.into_iter().map(|index| candidates[index].identity.name.clone()).collect())
}

#[test]
fn the_archive_is_verified_from_key_to_package() {
    let apt = Apt::new();
    let mut file = Vec::new();
    std::io::Read::read_to_end(&mut apt.list("_InRelease"), &mut file).unwrap();
    let keyring = Keyring::parse(&std::fs::read(KEYRING).unwrap()).unwrap();
    let pinned: Vec<Fingerprint> = keyring.fingerprints();
    let now: u64 = run(Command::new("date").arg("+%s")).trim().parse().unwrap();
    let signed = Trust { keyring: &keyring, pinned: &pinned, now }.verify_clear_signed(&file).unwrap();
    let release = Release::parse(&signed.text).unwrap();
    release.check_time(now).unwrap();

    let layout = Layout::Suite { suite: SUITE.into(), components: vec!["main".into()] };
    let indexes = layout.indexes(&release, ARCHITECTURE);
    assert_eq!(indexes.len(), 1, "Debian keeps architecture-independent packages in every index");
    let plain =
        indexes[0].files.iter().find(|file| file.compression.suffix().is_empty()).map(|file| file.sum);
    let sum = plain.or(release.file("main/binary-arm64/Packages")).unwrap();
    let checked = Checked::new(apt.list("_Packages"), sum.size, sum.sha256);
    let count = read_packages(std::io::BufReader::new(checked)).map(Result::unwrap).count();
    assert!(count > 50_000, "{count} packages");
}

#[test]
fn the_resolver_agrees_with_apt() {
    let apt = Apt::new();
    let candidates = apt.candidates();
    let database = Database::load(&Root(apt.base())).unwrap();
    let resolver = Resolver::new(&database, &candidates, false).unwrap();
    // Names spread over the whole archive; every third set asks for two packages, and the last for a node's.
    let sample: Vec<&str> = candidates
        .iter()
        .step_by(candidates.len() / 160)
        .map(|candidate| candidate.identity.name.as_str())
        .collect();
    let mut sets: Vec<Vec<&str>> = sample
        .chunks(4)
        .flat_map(|names| {
            [vec![names[0]], names[1..].iter().copied().take(2).collect(), names[names.len() - 1..].to_vec()]
        })
        .collect();
    sets.push(NODE.split_whitespace().collect());

    let mut differences = Vec::new();
    for set in &sets {
        match (apt.simulate(set), names(&resolver, &candidates, set)) {
            (Ok(theirs), Ok(ours)) if theirs == ours => {}
            (Err(_), Err(_)) => {}
            (Ok(theirs), Ok(ours)) => {
                let only = |left: &BTreeSet<String>, right: &BTreeSet<String>| {
                    left.difference(right).cloned().collect::<Vec<_>>().join(" ")
                };
                differences.push(format!(
                    "{set:?}: apt also {}; we also {}",
                    only(&theirs, &ours),
                    only(&ours, &theirs)
                ));
            }
            (Err(theirs), Ok(_)) => differences.push(format!("{set:?}: only apt refuses: {theirs}")),
            (Ok(_), Err(ours)) => differences.push(format!("{set:?}: only we refuse: {ours}")),
        }
    }
    println!("{} sets, {} differences\n{}", sets.len(), differences.len(), differences.join("\n"));
    assert!(sets.len() > 100);
    assert!(differences.len() * 10 <= sets.len(), "more than one set in ten differs");
}

fn read_deb(path: &Path) -> (Package, Vec<u8>) {
    let mut contents = Vec::new();
    let file = std::fs::File::open(path).unwrap();
    let visit = |_: &_, content: &mut dyn std::io::Read| content.read_to_end(&mut contents).map(drop);
    let package = Package::read(file, &Limits::default(), visit).unwrap();
    (package, contents)
}

/// Packages of the archive, unpacked by dpkg and by a plan into a root that merged /usr.
#[test]
fn real_packages_unpack_as_dpkg_unpacks_them() {
    let apt = Apt::new();
    let candidates = apt.candidates();
    let database = Database::load(&Root(apt.base())).unwrap();
    let resolver = Resolver::new(&database, &candidates, false).unwrap();
    let chosen = resolver.resolve(&parse_relations(&NODE.replace(' ', ",")).unwrap()).unwrap();
    let versioned: Vec<String> = chosen
        .iter()
        .map(|&index| format!("{}={}", candidates[index].identity.name, candidates[index].identity.version))
        .collect();
    apt.apt_get(&[&["download"], &versioned.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat())
        .unwrap();
    let debs: Vec<PathBuf> = chosen
        .iter()
        .map(|&index| {
            let identity = &candidates[index].identity;
            let version = identity.version.as_str().replace(':', "%3a");
            apt.directory.path().join(format!("{}_{version}_{}.deb", identity.name, identity.architecture))
        })
        .collect();

    let (packages, contents): (Vec<Package>, Vec<Vec<u8>>) = debs.iter().map(|deb| read_deb(deb)).unzip();
    shell(
        apt.directory.path(),
        &format!(
            "mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates root/var/lib/dpkg/triggers root/tmp root/etc
             mkdir -p root/usr/bin root/usr/sbin root/usr/lib; ln -s usr/bin usr/sbin usr/lib root
             : > root/var/lib/dpkg/status; echo {ARCHITECTURE} > root/var/lib/dpkg/arch
             cp /etc/passwd /etc/group root/etc; cp -a root theirs"
        ),
    );
    let root = Root(apt.directory.path().join("root"));
    for package in &packages {
        let assessment = Assessment::of(package, &root);
        println!("{}: {:?}", package.identity, assessment.preinst);
        assert_eq!(assessment.refusals(), [], "{}", package.identity);
    }

    // Scripts run without chroot here: one that makes files would make them on this machine, so it is left out.
    let makes_files = |package: &Package| match Assessment::of(package, &root).preinst {
        Preinst::Imitated(effects) => effects.iter().any(|effect| !matches!(effect, Effect::Divert(_))),
        _ => false,
    };
    let read = debs.into_iter().zip(packages.into_iter().zip(contents));
    let (debs, kept): (Vec<PathBuf>, Vec<(Package, Vec<u8>)>) =
        read.filter(|(_, (package, _))| !makes_files(package)).unzip();
    let (packages, contents): (Vec<Package>, Vec<Vec<u8>>) = kept.into_iter().unzip();

    let plan = plan_unpack(&root, &packages).unwrap();
    root.apply(&plan, &contents);

    // The scripts that dpkg runs were just found to do nothing.
    let theirs = Root(apt.directory.path().join("theirs"));
    let mut dpkg = Command::new(if is_root() { "dpkg" } else { "fakeroot" });
    if !is_root() {
        dpkg.arg("dpkg");
    }
    dpkg.arg(format!("--root={}", theirs.0.display()))
        .args(["--force-script-chrootless", "--force-not-root"]);
    dpkg.args(["--force-depends", "--force-architecture", "--no-triggers", "--log=/dev/null", "--unpack"]);
    run(dpkg.args(&debs));
    let (ours, theirs) = (root.listing(), theirs.listing());
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (path, line) in &theirs {
        assert_eq!(ours[path], *line, "{}", path.display());
    }
    println!("{} packages, {} paths equal", packages.len(), ours.len());
}
