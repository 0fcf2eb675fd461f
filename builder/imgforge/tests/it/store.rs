//! The store: what is kept, what is taken out, what is carried elsewhere.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use imgforge::supply::store::{Error, Kind, References, Store};
use imgforge_spec::Sha256;
use tempfile::TempDir;

/// A folder with a store.
struct Place {
    folder: TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file into the store as a download does; returns its hash.
    fn put(&self, bytes: &[u8]) -> Sha256 {
        let sha256 = Sha256::of(bytes);
        let partial = self.store.blob(sha256).with_extension("partial");
        fs::write(&partial, bytes).unwrap();
        self.store.keep_blob(&File::open(&partial).unwrap(), &partial, sha256).unwrap();
        sha256
    }

    /// A lock that names these files.
    fn lock(&self, hashes: &[Sha256]) -> References {
        let path = self.path("x.lock.yaml");
        let entries = hashes.iter().map(|sha256| format!("- {{ name: thing, sha256: {sha256} }}\n"));
        fs::write(&path, entries.collect::<String>()).unwrap();
        References::read(&[path]).unwrap()
    }

    /// The names of the published files.
    fn blobs(&self) -> Vec<String> {
        let names = fs::read_dir(self.path("store/blobs")).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| !name.ends_with(".yaml"));
        names.sort();
        names
    }
}

fn no_progress(_: u64) {}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_kept_file_is_given_until_its_bytes_change() {
    let place = Place::new();
    assert!(place.store.verified_blob(Sha256::of(b"a")).unwrap().is_none());
    let a = place.put(b"a");
    let path = place.store.verified_blob(a).unwrap().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"a");
    fs::write(&path, b"b").unwrap();
    let error = place.store.verified_blob(a).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the stored file {} has SHA-256 {}, but {a} was expected", path.display(), Sha256::of(b"b"))
    );
    // The right bytes again, with another time: they are hashed and believed.
    fs::write(&path, b"a").unwrap();
    assert!(place.store.verified_blob(a).unwrap().is_some());
}

#[test]
fn an_untouched_file_is_not_hashed_again() {
    let place = Place::new();
    let a = place.put(b"a");
    let path = place.store.blob(a);
    let before = File::open(&path).unwrap().metadata().unwrap().modified().unwrap();
    fs::write(&path, b"b").unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    // Only who puts the time back deceives the store: what it saves is hashing gigabytes, not distrust of the user.
    assert!(place.store.verified_blob(a).unwrap().is_some());
    fs::remove_file(path.with_extension("yaml")).unwrap();
    assert!(matches!(place.store.verified_blob(a), Err(Error::Mismatch { .. })));
}

#[test]
fn pruning_takes_out_what_can_be_made_again() {
    let place = Place::new();
    let a = place.put(b"a");
    let decoded = place.store.decode(&place.store.blob(a), None, &no_progress).unwrap();
    let b = place.put(b"b");
    fs::write(place.path(&format!("store/unpacked/{b}.tar")), "x").unwrap();
    fs::write(place.path(&format!("store/blobs/{}.partial", Sha256::of(b"c"))), "x").unwrap();
    fs::create_dir(place.path("store/import.abc")).unwrap();

    let found = |entries: Vec<imgforge::supply::store::Entry>| -> Vec<(Kind, Option<Sha256>)> {
        entries.into_iter().map(|entry| (entry.kind, entry.sha256)).collect()
    };
    let makeable = [
        (Kind::DecodedBase, Some(decoded.record.image_sha256)),
        (Kind::Unpacked, Some(b)),
        (Kind::Unfinished, None),
    ];
    let published = [(Kind::BaseImage, Some(a)), (Kind::Blob, Some(b))];
    assert_eq!(found(place.store.entries().unwrap()), [&published[..], &makeable[..]].concat());
    assert_eq!(found(place.store.prune(None, false).unwrap()), makeable);
    assert!(decoded.path.exists());
    assert_eq!(found(place.store.prune(None, true).unwrap()), makeable);
    assert!(!decoded.path.exists() && !place.path("store/import.abc").exists());
    assert_eq!(place.blobs(), {
        let mut both = [a, b].map(|sha256| sha256.to_string());
        both.sort();
        both
    });
    assert!(place.store.decoded(a).unwrap().is_none());
}

#[test]
fn pruning_keeps_of_the_published_files_what_locks_name() {
    let place = Place::new();
    let [a, b] = [place.put(b"a"), place.put(b"b")];
    let gone = place.store.prune(Some(&place.lock(&[a])), true).unwrap();
    assert_eq!(gone.iter().map(|entry| entry.sha256).collect::<Vec<_>>(), [Some(b)]);
    assert_eq!(place.blobs(), [a.to_string()]);
    assert!(!place.store.blob(b).with_extension("yaml").exists());
}

#[test]
fn nothing_is_taken_out_while_another_uses_the_store() {
    let place = Place::new();
    let other = Store::open(&place.path("store")).unwrap();
    assert!(matches!(place.store.prune(None, true), Err(Error::InUse { .. })));
    // The refused one still holds the store itself.
    assert!(matches!(other.prune(None, true), Err(Error::InUse { .. })));
    drop(other);
    place.store.prune(None, true).unwrap();
}

#[test]
fn an_exported_store_is_a_plain_archive_that_depends_on_nothing_but_the_files() {
    let [one, other] = [Place::new(), Place::new()];
    let mut hashes = [one.put(b"first"), one.put(&[7; 100_000])];
    for bytes in [&[7; 100_000][..], b"first"] {
        other.put(bytes);
    }
    for place in [&one, &other] {
        assert_eq!(place.store.export(&place.path("x.tar"), None, &no_progress).unwrap(), 2);
    }
    assert_eq!(fs::read(one.path("x.tar")).unwrap(), fs::read(other.path("x.tar")).unwrap());
    hashes.sort();
    let listed = run(Command::new("tar").arg("-tf").arg(one.path("x.tar")));
    assert_eq!(listed, hashes.map(|sha256| format!("blobs/{sha256}\n")).concat());
    run(Command::new("tar").arg("-xf").arg(one.path("x.tar")).arg("-C").arg(one.folder.path()));
    assert_eq!(fs::read(one.path("blobs").join(Sha256::of(b"first").to_string())).unwrap(), b"first");
}

#[test]
fn what_is_imported_is_what_was_exported() {
    let [from, to] = [Place::new(), Place::new()];
    let [a, b] = [from.put(b"a"), from.put(b"b")];
    from.store.export(&from.path("x.tar"), Some(&from.lock(&[a])), &no_progress).unwrap();
    assert_eq!(to.store.import(&from.path("x.tar"), &no_progress).unwrap(), 1);
    assert_eq!(to.blobs(), [a.to_string()]);
    assert!(to.store.verified_blob(a).unwrap().is_some());
    // A damaged copy is mended by a whole one.
    fs::write(to.store.blob(a), "damaged").unwrap();
    to.store.import(&from.path("x.tar"), &no_progress).unwrap();
    assert!(to.store.verified_blob(a).unwrap().is_some());
    assert!(to.store.verified_blob(b).unwrap().is_none());
}

#[test]
fn a_store_that_lacks_something_or_has_it_damaged_is_not_exported() {
    let place = Place::new();
    let a = place.put(b"a");
    let b = Sha256::of(b"b");
    let error =
        place.store.export(&place.path("x.tar"), Some(&place.lock(&[a, b])), &no_progress).unwrap_err();
    assert_eq!(error.to_string(), format!("the store does not have\n  thing ({b})"));
    fs::write(place.store.blob(a), "damaged").unwrap();
    let error = place.store.export(&place.path("x.tar"), None, &no_progress).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert!(!place.path("x.tar").exists());
}

/// An archive made by tar of files in a folder, with further options.
fn archive(folder: &Path, options: &[&str], names: &[&str]) -> PathBuf {
    let path = folder.join("x.tar");
    run(Command::new("tar").arg("-C").arg(folder).arg("-cf").arg(&path).args(options).args(names));
    path
}

#[test]
fn an_archive_with_anything_wrong_leaves_nothing_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let good = format!("blobs/{}", Sha256::of(b"good"));
    let bad = format!("blobs/{}", Sha256::of(b"bad"));
    fs::create_dir(at("blobs")).unwrap();
    fs::write(at(&good), "good").unwrap();
    fs::write(at(&bad), "lie").unwrap();
    fs::write(at("other"), "x").unwrap();
    fs::write(at("blobs/short"), "x").unwrap();
    let link = format!("blobs/{}", Sha256::of(b"link"));
    std::os::unix::fs::symlink("/etc/passwd", at(&link)).unwrap();
    let hole = format!("blobs/{}", Sha256::of(b"hole"));
    File::create(at(&hole)).unwrap().set_len(1 << 40).unwrap();
    let climbs = format!("--transform=s,^other,../{good},");
    let place = Place::new();
    let cases: [(&[&str], &str, &str); 9] = [
        (&[], &bad, "has SHA-256 "),
        (&[], "other", "it has an entry \"other\", which is no file blobs/<sha256>"),
        (&[], "blobs/short", "it has an entry \"blobs/short\""),
        (&[], &link, "which is no file"),
        (&["--sparse"], &hole, "which is no file"),
        (&["-P", &climbs], "other", "it has an entry \"../blobs/"),
        (&["-P", "--transform=s,^other,/etc/x,"], "other", "it has an entry \"/etc/x\""),
        (&["--format=pax", "--pax-option=comment=x"], &good, "which is no file"),
        (&["--no-recursion"], "blobs", "it has an entry \"blobs/\""),
    ];
    for (options, name, reason) in cases {
        let input = archive(folder.path(), options, &[&good, name]);
        let error = place.store.import(&input, &no_progress).unwrap_err();
        assert!(
            matches!(error, Error::Archive { .. }) && error.to_string().contains(reason),
            "{name}: {error}"
        );
        assert_eq!(place.blobs(), [""; 0], "{name}");
    }
    let left = fs::read_dir(place.path("store")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with("import")));
}

#[test]
fn an_archive_that_is_cut_off_or_none_leaves_nothing_in_the_store() {
    let [from, to] = [Place::new(), Place::new()];
    for byte in 0..4 {
        from.put(&[byte; 5000]);
    }
    from.store.export(&from.path("x.tar"), None, &no_progress).unwrap();
    let whole = fs::read(from.path("x.tar")).unwrap();
    let compressed = {
        run(Command::new("xz").arg("-k").arg(from.path("x.tar")));
        fs::read(from.path("x.tar.xz")).unwrap()
    };
    let cuts = (0..whole.len()).step_by(512).map(|length| whole[..length.min(whole.len() - 1024)].to_vec());
    let noise = vec![b'x'; 4096];
    let ends_well = [&noise[..], &[0; 1024]].concat();
    for bytes in cuts.chain([compressed, noise, ends_well]) {
        fs::write(to.path("y.tar"), &bytes).unwrap();
        let outcome = to.store.import(&to.path("y.tar"), &no_progress);
        assert!(matches!(outcome, Err(Error::Archive { .. })), "{} bytes: {outcome:?}", bytes.len());
        assert_eq!(to.blobs(), [""; 0]);
    }
}

#[test]
fn any_number_may_import_and_read_at_the_same_time() {
    let [from, to] = [Place::new(), Place::new()];
    let hashes: Vec<_> = (0..8u8).map(|byte| from.put(&vec![byte; 70_000])).collect();
    let archive = from.path("x.tar");
    from.store.export(&archive, None, &no_progress).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let store = Store::open(&to.path("store")).unwrap();
                store.import(&archive, &no_progress).unwrap();
                for sha256 in &hashes {
                    assert!(store.verified_blob(*sha256).unwrap().is_some());
                }
            });
        }
    });
    assert_eq!(to.blobs().len(), hashes.len());
}
