//! An apt of the test's own, by the mirror that this machine's apt is configured for.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use imgforge_debian::{Candidate, Paragraphs, Result, read_packages};

use super::{run, shell};

pub const SUITE: &str = "trixie";
pub const ARCHITECTURE: &str = "arm64";
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The packages that issue 3 names.
pub const NODE: &str = "containerd runc conntrack socat ethtool iptables nfs-kernel-server openssh-server python3-minimal \
                    kubernetes-client";

/// Another suite, another architecture, nothing shared with the machine but the mirror.
pub struct Apt {
    pub directory: tempfile::TempDir,
    repository: String,
}

impl Apt {
    /// The latest indexes of the suite, and a status file of what every system has.
    pub fn new() -> Self {
        let repositories = run(Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)"]));
        let repository = repositories.lines().find(|uri| uri.ends_with("/debian/")).unwrap().to_owned();
        let apt = Apt { directory: tempfile::tempdir().unwrap(), repository };
        let path = apt.directory.path().display().to_string();
        shell(
            apt.directory.path(),
            &format!(
                "mkdir -p state/lists/partial cache/archives/partial etc/apt.conf.d etc/preferences.d base/var/lib/dpkg
                 : > base/var/lib/dpkg/status
                 echo 'deb [signed-by={KEYRING}] {} {SUITE} main' > etc/sources.list
                 cat > apt.conf <<E
Dir \"{path}\"; Dir::State \"state\"; Dir::State::status \"{path}/base/var/lib/dpkg/status\"; Dir::Cache \"cache\";
Dir::Etc \"etc\"; Dir::Etc::sourceparts \"-\"; APT::Architecture \"{ARCHITECTURE}\";
APT::Architectures {{ \"{ARCHITECTURE}\"; }}; APT::Install-Recommends \"false\"; Debug::NoLocking \"true\";
APT::Sandbox::User \"\"; Acquire::Languages \"none\";
E",
                apt.repository
            ),
        );
        apt.apt_get(&["update"]).unwrap();
        apt.write_base();
        apt
    }

    pub fn apt_get(&self, arguments: &[&str]) -> std::result::Result<String, String> {
        let mut command = Command::new("apt-get");
        command.env("APT_CONFIG", self.directory.path().join("apt.conf")).env("LC_ALL", "C");
        let output = command.args(arguments).current_dir(self.directory.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            Ok(text)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// What apt would install.
    pub fn simulate(&self, packages: &[&str]) -> std::result::Result<BTreeSet<String>, String> {
        let output = self.apt_get(&[&["install", "--simulate"], packages].concat())?;
        let name = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
        Ok(output.lines().filter(|line| line.starts_with("Inst ")).filter_map(name).collect())
    }

    /// Takes the essential and required packages and what they need as installed.
    fn write_base(&self) {
        let base = self
            .simulate(&["dpkg", "apt", "?essential", "?priority(required)", "?priority(important)"])
            .unwrap();
        let mut status = String::new();
        for paragraph in Paragraphs::new(std::io::BufReader::new(self.list("_Packages"))) {
            let mut paragraph = paragraph.unwrap();
            if base.contains(paragraph.get("Package").unwrap()) {
                paragraph.set("Status", "install ok installed");
                paragraph.write_to(&mut status);
                status.push('\n');
            }
        }
        std::fs::write(self.base().join("var/lib/dpkg/status"), status).unwrap();
    }

    pub fn base(&self) -> PathBuf {
        self.directory.path().join("base")
    }

    pub fn list(&self, suffix: &str) -> std::fs::File {
        let lists = std::fs::read_dir(self.directory.path().join("state/lists")).unwrap();
        let path =
            lists.map(|entry| entry.unwrap().path()).find(|path| path.to_string_lossy().ends_with(suffix));
        std::fs::File::open(path.unwrap()).unwrap()
    }

    pub fn candidates(&self) -> Vec<Candidate> {
        read_packages(std::io::BufReader::new(self.list("_Packages"))).collect::<Result<_>>().unwrap()
    }
}
