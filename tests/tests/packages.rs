//! Packages from the Debian mirror in a built image, against what real dpkg makes of the same base and the same files.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use imgforge_tests::{Base, Workbench, approved, partitions, repository, succeeds};
use serde_json::Value;

/// With those of the role and of its Kubernetes: the packages a node of the first cluster had.
const NODE: &str = "packages: [nfs-kernel-server, openssh-server, python3-minimal]\n";

/// A listing, by path.
fn listing(path: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| {
            let (path, rest) = line.split_once('\t').unwrap();
            (format!("/{path}"), rest.to_owned())
        })
        .collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn strings<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    value.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap()).collect()
}

/// Paths that something other than packages had a say in: overlays, the node's settings.
fn touched_by_others(manifest: &Value) -> BTreeSet<String> {
    let of_others = |change: &&Value| {
        let origins = change["origins"].as_array().unwrap();
        origins.iter().any(|origin| !origin.as_str().unwrap().starts_with("package"))
    };
    let changes = manifest["changes"].as_array().unwrap().iter().filter(of_others);
    changes.map(|change| change["path"].as_str().unwrap().to_owned()).collect()
}

/// What the build does in the place of a package's preinst.
fn imitated(package: &Value) -> Vec<&str> {
    package["imitated"].as_array().into_iter().flatten().map(|effect| effect.as_str().unwrap()).collect()
}

/// The file of a package in the store. A preinst that makes files would make them on this machine, so dpkg gets such a
/// package with an idle one; diversions go into the list of the root it works on.
fn deb(package: &Value) -> String {
    let blob = repository().join("out/store/blobs").join(package["sha256"].as_str().unwrap());
    let makes_files = imitated(package).iter().any(|effect| !effect.starts_with("diverts "));
    format!("{}{}", if makes_files { "idle:" } else { "" }, blob.display())
}

/// What that leaves to compare no more: the preinst itself, and what it would have made.
fn not_of_dpkg(packages: &Value) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for package in packages.as_array().unwrap() {
        let made = imitated(package).into_iter().filter_map(|effect| effect.strip_prefix("makes the "));
        let made: Vec<&str> = made.filter_map(|what| what.rsplit(' ').next()).collect();
        if !made.is_empty() {
            paths.insert(format!("/var/lib/dpkg/info/{}.preinst", package["name"].as_str().unwrap()));
        }
        paths.extend(made.into_iter().map(str::to_owned));
    }
    paths
}

#[test]
fn an_image_holds_what_dpkg_would_have_left() {
    let bench = Workbench::new();
    let node = bench.home.path().join("node.yaml");
    fs::write(&node, NODE).unwrap();
    let image = bench.built("virt-arm64", "master", "node.img", &["--node", node.to_str().unwrap()]);
    let manifest = json(Path::new(&format!("{}.manifest.json", image.display())));
    let packages = &manifest["packages"];
    let debs: Vec<String> = packages.as_array().unwrap().iter().map(deb).collect();

    let folder = bench.home.path().join("trees");
    let base_folder = bench.home.path().join("base");
    fs::create_dir(&folder).unwrap();
    fs::create_dir(&base_folder).unwrap();
    let base =
        partitions(&Base::VirtArm64.image()).last().unwrap().carve(&Base::VirtArm64.image(), &base_folder);
    let root = approved(&image, bench.home.path());
    let script = repository().join("tests/packages/unpack-with-dpkg");
    succeeds(Command::new(script).arg(base).arg(root).arg(&folder).args(&debs));

    let (theirs, ours) = (listing(&folder.join("base.list")), listing(&folder.join("image.list")));
    let mut others = touched_by_others(&manifest);
    others.extend(not_of_dpkg(packages));
    let is_others = |path: &str| {
        others.contains(path) || others.iter().any(|above| path.starts_with(&format!("{above}/")))
    };
    let paths: BTreeSet<&String> = theirs.keys().chain(ours.keys()).filter(|path| !is_others(path)).collect();
    let differing: Vec<String> = paths
        .iter()
        .filter(|path| theirs.get(**path) != ours.get(**path))
        .map(|path| format!("{path}\n  dpkg:     {:?}\n  imgforge: {:?}", theirs.get(*path), ours.get(*path)))
        .collect();
    let names = strings(packages, "name");
    println!("{} packages, {} paths compared, {} left to overlays", names.len(), paths.len(), others.len());
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(names.len() > 20, "{names:?}");

    // dpkg's own view of the image: every package waits for its configuration, and no file of theirs is amiss.
    let audit = fs::read_to_string(folder.join("audit")).unwrap();
    for name in &names {
        assert!(
            audit.contains(&format!("\n {name} ")) || audit.contains(&format!("\n {name}:")),
            "{name}: {audit}"
        );
    }
    let verify = fs::read_to_string(folder.join("verify")).unwrap();
    let added: BTreeSet<String> = names
        .iter()
        .flat_map(|name| {
            let lists = [format!("{name}.list"), format!("{name}:arm64.list")];
            let info = folder.join("image/var/lib/dpkg/info");
            let text = lists.iter().find_map(|list| fs::read_to_string(info.join(list)).ok()).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let amiss: Vec<&str> = verify
        .lines()
        .filter(|line| !line.contains(" c "))
        .filter(|line| {
            line.split_whitespace().last().is_some_and(|path| added.contains(path) && !is_others(path))
        })
        .collect();
    assert!(amiss.is_empty(), "{amiss:?}");
}
