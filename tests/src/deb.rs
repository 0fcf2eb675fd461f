//! Debian packages made for a test: good ones by `dpkg-deb`, and others that no tool makes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::succeeds;

/// What a package is made of.
#[derive(Clone, Debug)]
pub struct Deb {
    fields: Vec<(String, String)>,
    files: Vec<(String, Vec<u8>, u32)>,
}

impl Deb {
    /// A package for arm64 without files.
    pub fn new(name: &str, version: &str) -> Self {
        let fields = [
            ("Package", name),
            ("Version", version),
            ("Architecture", "arm64"),
            ("Maintainer", "Tests <tests@example.invalid>"),
            ("Description", "made for a test"),
        ];
        let fields = fields.map(|(field, value)| (field.to_owned(), value.to_owned())).into();
        Self { fields, files: Vec::new() }
    }

    /// The same with another value of a field of its control file.
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a file at `path`, which is relative to the root.
    pub fn file(mut self, path: &str, bytes: &[u8]) -> Self {
        self.files.push((path.to_owned(), bytes.to_owned(), 0o644));
        self
    }

    /// The same with a program at `path`, which is relative to the root.
    pub fn program(mut self, path: &str, bytes: &[u8]) -> Self {
        self.files.push((path.to_owned(), bytes.to_owned(), 0o755));
        self
    }

    /// The same with a maintainer script.
    pub fn script(mut self, name: &str, text: &str) -> Self {
        self.files.push((format!("DEBIAN/{name}"), text.as_bytes().to_owned(), 0o755));
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.fields.iter().find(|(field, _)| field == "Package").map_or("", |(_, value)| value)
    }

    /// What an index calls its file.
    pub fn file_name(&self) -> String {
        let value = |name: &str| self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, v)| v);
        format!("{}_{}_{}.deb", value("Package"), value("Version"), value("Architecture"))
    }

    /// Its control file.
    pub fn control(&self) -> String {
        self.fields.iter().map(|(field, value)| format!("{field}: {value}\n")).collect()
    }

    /// The package as `dpkg-deb` builds it.
    pub fn built(&self) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let tree = folder.path().join("tree");
        let write = |path: &str, bytes: &[u8], mode: u32| {
            let path = tree.join(path);
            fs::create_dir_all(path.parent().expect("it lies below the tree"))
                .and_then(|()| fs::write(&path, bytes))
                .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
                .expect("a file of the package");
        };
        write("DEBIAN/control", self.control().as_bytes(), 0o644);
        self.files.iter().for_each(|(path, bytes, mode)| write(path, bytes, *mode));
        for folder in folders_below(&tree) {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("a folder of the package");
        }
        let deb = folder.path().join("deb");
        succeeds(
            Command::new("dpkg-deb").args(["--root-owner-group", "-Zgzip", "--build"]).arg(tree).arg(&deb),
        );
        fs::read(deb).expect("the package")
    }

    /// The package with its control file as it is, and `data`, a plain tar archive, for its files.
    pub fn with_data(&self, data: &[u8]) -> Vec<u8> {
        let mut control = tar::Builder::new(Vec::new());
        let text = self.control();
        control
            .append(&regular("./control", text.len() as u64), text.as_bytes())
            .expect("memory can be written");
        let control = control.into_inner().expect("memory can be written");
        // <https://manpages.debian.org/bookworm/dpkg-dev/deb.5>: an ar archive of these three, in this order.
        let mut deb = b"!<arch>\n".to_vec();
        for (name, bytes) in [("debian-binary", &b"2.0\n"[..]), ("control.tar", &control), ("data.tar", data)]
        {
            let size = bytes.len();
            deb.extend(format!("{name:<16}{0:<12}{0:<6}{0:<6}{1:<8}{size:<10}`\n", 0, "100644").bytes());
            deb.extend(bytes);
            deb.resize(deb.len().next_multiple_of(2), b'\n');
        }
        deb
    }
}

/// The header of a file of root's in a tar archive, with whatever name: [`tar::Builder`] takes no `../`.
pub fn regular(name: &str, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    header
}

fn folders_below(tree: &Path) -> Vec<std::path::PathBuf> {
    let mut folders = vec![tree.to_owned()];
    let mut next = 0;
    while let Some(folder) = folders.get(next).cloned() {
        let entries = fs::read_dir(folder).expect("a folder of the package").flatten();
        folders.extend(entries.map(|entry| entry.path()).filter(|path| path.is_dir()));
        next += 1;
    }
    folders
}
