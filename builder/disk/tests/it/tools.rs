//! Running tools, and making images to run them on.

use std::{
    fs,
    io::Write,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use imgforge_disk::{Content, Disk, Error, FileContent, partition::Table};
use tempfile::TempDir;

/// Runs a tool and gives what it printed; its failure is the test's.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let (success, output) = try_run(program, arguments);
    assert!(success, "{program} {arguments:?} failed:\n{output}");
    output
}

/// Runs a tool: whether it succeeded, and what it printed.
pub fn try_run(program: &str, arguments: &[&str]) -> (bool, String) {
    // Tools of the administrator are not in everybody's path.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    let output = Command::new(program).args(arguments).env("PATH", path).env("LC_ALL", "C").output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed by this test: {error}"));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), text.concat())
}

/// Writes the partition table of `script` to the image at `path`.
pub fn sfdisk(path: &Path, script: &str) {
    let mut child = Command::new("/usr/sbin/sfdisk")
        .args(["-q", path.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("sfdisk is needed by this test");
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{script}");
}

/// Writes `disk` to a file, for tools to look at; gives its path.
pub fn save(scratch: &Scratch, disk: &Disk) -> String {
    scratch.write("out.img", &bytes_of(disk));
    scratch.arg("out.img")
}

/// Why the partition table of `disk` is refused.
pub fn read_error(disk: &Disk) -> String {
    let error = Table::read(disk).unwrap_err();
    assert!(matches!(error, Error::Corrupt(_) | Error::Unsupported(_)), "{error:?}");
    error.to_string()
}

/// A directory of the test's own.
pub struct Scratch(TempDir);

impl Scratch {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The path as an argument.
    pub fn arg(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// An empty sparse file.
    pub fn sparse(&self, name: &str, size: u64) -> PathBuf {
        fs::File::create(self.path(name)).unwrap().set_len(size).unwrap();
        self.path(name)
    }
}

/// A disk over the file at `path`.
pub fn disk_over(path: &Path) -> Disk {
    let base: Arc<dyn Content> = Arc::new(FileContent::open(path).unwrap());
    Disk::new(base)
}

/// All bytes of a disk.
pub fn bytes_of(disk: &Disk) -> Vec<u8> {
    let mut bytes = vec![0; disk.size() as usize];
    disk.read_at(0, &mut bytes).unwrap();
    bytes
}

pub fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// Bytes that look like an image: text that compresses, noise that does not, long runs of zeros.
pub fn image(size: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes = Vec::with_capacity(size + 65536);
    while bytes.len() < size {
        match noise() % 3 {
            0 => bytes.resize(bytes.len() + (noise() % 65536) as usize, 0),
            1 => bytes.extend((0..noise() % 4096).flat_map(|_| noise().to_le_bytes())),
            _ => bytes.extend((0..noise() % 2048).flat_map(|line| format!("line {line}\n").into_bytes())),
        }
    }
    bytes.truncate(size);
    bytes
}

/// The digest of a file as `sha256sum` tells it.
pub fn sha256sum(path: &Path) -> String {
    run("sha256sum", &[path.to_str().unwrap()])[..64].to_owned()
}
