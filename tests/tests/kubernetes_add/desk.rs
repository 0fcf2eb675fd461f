//! A user in a checkout whose releases a server of the test publishes.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use imgforge_tests::{Home, VendorServer, repository};

/// What the programs of a patch are called, in the order of a release's file.
pub const PROGRAMS: [&str; 3] = ["kubeadm", "kubelet", "kubectl"];

/// The patch that the checkout's files are of: later than any that imgforge itself has.
pub const KNOWN: &str = "1.36.90";

/// The user's home, and the server.
pub struct Desk {
    pub home: Home,
    pub server: VendorServer,
}

impl Desk {
    /// The checkout has a file of Kubernetes 1.36 and one of k3s.
    pub fn new() -> Self {
        let desk = Self { home: Home::new(), server: VendorServer::start() };
        for (name, text) in [("1.36", include_str!("1.36.yaml")), ("k3s-1.36", include_str!("k3s-1.36.yaml"))]
        {
            desk.know(name, &text.replace("SERVER", &desk.server.url("")));
        }
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    /// Has the checkout's file of a release say `text`.
    pub fn know(&self, name: &str, text: &str) {
        self.write(&format!("checkout/board-profiles/kubernetes/{name}.yaml"), text);
    }

    /// The checkout's file of a release.
    pub fn known(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("checkout/board-profiles/kubernetes/{name}.yaml"))).unwrap()
    }

    /// Where a release's file goes that is the user's own.
    pub fn own(&self, name: &str) -> PathBuf {
        self.path(&format!(".config/imgforge/board-profiles/kubernetes/{name}.yaml"))
    }

    /// `imgforge kubernetes`, in the checkout.
    pub fn imgforge(&self, words: &[&str]) -> Command {
        let mut command = self.home.imgforge();
        command.current_dir(self.path("checkout")).arg("kubernetes").args(words);
        command
    }

    /// Publishes `text` under `path`.
    pub fn publish(&self, path: &str, text: &str) {
        let file = format!("published/{}", path.replace('/', "_"));
        self.write(&file, text);
        self.server.add(path, &self.path(&file));
    }

    /// Publishes the hashes of a patch of Kubernetes.
    pub fn publish_kubernetes(&self, version: &str) {
        for program in PROGRAMS {
            self.publish(&checksum(version, program), &hash(version, program));
        }
    }

    /// A configuration by which the server is asked in place of Kubernetes' own.
    pub fn mirrored(&self) -> PathBuf {
        let mirror = self.server.url("/dl.k8s.io/");
        self.write("config.yaml", &format!("mirrors: {{ 'https://dl.k8s.io/': ['{mirror}'] }}\n"));
        self.path("config.yaml")
    }
}

/// Where a program's hash is published.
pub fn checksum(version: &str, program: &str) -> String {
    format!("/dl.k8s.io/release/v{version}/bin/linux/arm64/{program}.sha256")
}

/// A hash like no other program's.
pub fn hash(version: &str, program: &str) -> String {
    let letters = version.bytes().chain(program.bytes());
    let number = letters.fold(7_u64, |sum, byte| sum * 31 % (1 << 40) + u64::from(byte));
    format!("{number:064x}")
}

/// The hash that `text` pins the file by whose address ends so.
pub fn pinned<'a>(text: &'a str, address: &str) -> &'a str {
    let (_, behind) = text.split_once(&format!("{address}\n")).unwrap();
    behind.split_once("sha256: ").unwrap().1.split_once('\n').unwrap().0
}

/// The checkout's file of 1.36 as that of `version`.
pub fn bumped(desk: &Desk, version: &str) -> String {
    let known = desk.known("1.36");
    let mut text = known
        .replace(&format!("version: {KNOWN}"), &format!("version: {version}"))
        .replace(&format!("Kubernetes {KNOWN},"), &format!("Kubernetes {version},"))
        .replace(&format!("/v{KNOWN}/bin/"), &format!("/v{version}/bin/"));
    for program in PROGRAMS {
        text = text.replace(pinned(&known, &format!("arm64/{program}")), &hash(version, program));
    }
    text
}

/// What a command printed, and what it noted.
pub fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// The minor number of the newest line that imgforge knows.
pub fn newest_line() -> String {
    let lines = fs::read_to_string(repository().join("builder/kube/src/version/lines.yaml")).unwrap();
    let (_, number) = lines.lines().rev().find_map(|line| line.split_once("line: ")).unwrap();
    number.chars().take_while(char::is_ascii_digit).collect()
}
