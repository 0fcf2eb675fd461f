//! What one node is to be: its name, its people, its disks.

use std::{net::IpAddr, path::Path};

use imgforge_kube::cluster::{Cidr, Interface};
use imgforge_spec::{Diagnose, Hostname, ImagePath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{catalogue::kubernetes::Choice, yaml};

/// Settings of a node, from the file given with `--node`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Node {
    /// Host name; the default is `<board>-<role>`.
    #[serde(default)]
    pub hostname: Option<Hostname>,
    /// People (and machines) who may log in.
    #[serde(default)]
    pub users: Vec<User>,
    /// Disks to mount.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Directories that live on another disk: pairs of a path and where it really is. Each becomes a bind mount.
    #[serde(default)]
    pub storage: Vec<Bind>,
    /// Words added to the kernel's command line.
    #[serde(default)]
    pub kernel_arguments: Vec<String>,
    /// Packages the node has besides those of its role, as relations in a `Depends` field.
    #[serde(default)]
    pub packages: Vec<String>,
    /// The Kubernetes it gets, in place of the board's.
    #[serde(default)]
    pub kubernetes: Option<Choice>,
    /// NTP servers, instead of the vendor's.
    #[serde(default)]
    pub time_servers: Vec<String>,
    /// A static address; without one the node asks by DHCP.
    #[serde(default)]
    pub address: Option<Address>,
    /// Whether swap stays as the vendor made it. A kubelet has to be told (`failSwapOn: false`); in a cluster it is.
    #[serde(default)]
    pub swap: bool,
    /// Rules that are overruled, by name: `known-password` (`imgforge rules` lists them).
    #[serde(default)]
    pub allow: Vec<String>,
}

/// A static address of a node's wired network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Address {
    /// The address with its network's prefix: `192.168.1.10/24`.
    pub address: Cidr,
    /// A second address, of the other family: `fd00:1::10/64`.
    #[serde(default)]
    pub second: Option<Cidr>,
    /// The router.
    #[serde(default)]
    pub gateway: Option<IpAddr>,
    /// Name servers.
    #[serde(default)]
    pub dns: Vec<IpAddr>,
    /// The network card that has it, by its name (`end0`) or hardware address; unset: the wired one, of which the board
    /// then must have no other.
    #[serde(default)]
    pub interface: Option<Interface>,
}

/// Somebody who may log in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct User {
    /// Login name.
    pub name: String,
    /// Lines for `authorized_keys`.
    #[serde(default)]
    pub ssh_keys: Vec<String>,
    /// A password as crypt(5) writes it (`$y$…`, `$6$…`); without one, the password is locked.
    #[serde(default)]
    pub password_hash: Option<String>,
    /// Whether `sudo` works without a password.
    #[serde(default)]
    pub sudo: bool,
}

/// A disk to mount: a line of fstab.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mount {
    /// The file system: `UUID=…`, `LABEL=…`, `PARTUUID=…`, or a device.
    pub source: String,
    /// Where it is mounted.
    pub target: ImagePath,
    /// File system type.
    #[serde(default = "default_type", rename = "type")]
    pub kind: String,
    /// Mount options.
    #[serde(default = "default_options")]
    pub options: String,
    /// Whether the node must not start its work without it.
    #[serde(default = "default_required")]
    pub required: bool,
    /// Whether the node makes the file system itself the first time, on a disk that holds nothing: no file system, no
    /// partition table, no RAID. Such a disk has no UUID or label yet, so `source` is a path in `/dev`.
    #[serde(default)]
    pub format_if_blank: bool,
}

/// A directory that lives elsewhere: a bind mount.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bind {
    /// The path programs use: `/var/lib/etcd`.
    pub path: ImagePath,
    /// Where it really is, usually below a mount: `/mnt/root/var/lib/etcd`.
    pub on: ImagePath,
}

fn default_type() -> String {
    "ext4".into()
}

fn default_options() -> String {
    "defaults".into()
}

fn default_required() -> bool {
    true
}

/// A value that would not work on the node, found before anything is built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings file cannot be read as such.
    #[error(transparent)]
    Yaml(#[from] yaml::Error),
    /// A setting has a value that cannot be used.
    #[error("{setting}: {message}")]
    Invalid {
        /// The setting, as in the file.
        setting: String,
        /// What is wrong and what is right.
        message: String,
    },
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Yaml(error) => Some(error),
            Error::Invalid { .. } => None,
        }
    }
}

fn invalid(setting: impl Into<String>, message: impl Into<String>) -> Error {
    Error::Invalid { setting: setting.into(), message: message.into() }
}

impl Node {
    /// What of the settings is not the node's alone: its Kubernetes and, unless it belongs to a cluster, where other nodes
    /// have the same release and other packages, its packages.
    pub fn of_release(&self, in_cluster: bool) -> Self {
        let packages = if in_cluster { Vec::new() } else { self.packages.clone() };
        Self { packages, kubernetes: self.kubernetes.clone(), ..Self::default() }
    }

    /// Reads the settings in `path` and checks them, so that an error names the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = yaml::text(path)?;
        let node: Self = yaml::parse(path, &text)?;
        match node.check() {
            Err(Error::Invalid { setting, message }) => {
                Err(invalid(format!("{}: {setting}", yaml::Place::of(&setting, path, &text)), message))
            }
            checked => checked.map(|()| node),
        }
    }

    /// Checks every value. Called once all sources (file, command line) are merged.
    pub fn check(&self) -> Result<(), Error> {
        for (index, user) in self.users.iter().enumerate() {
            user.check(&format!("users[{index}]"))?;
            if self.users[..index].iter().any(|other| other.name == user.name) {
                return Err(invalid(
                    format!("users[{index}].name"),
                    format!("`{}` is there twice", user.name),
                ));
            }
        }
        for (index, server) in self.time_servers.iter().enumerate() {
            if server.is_empty() || server.contains(|c: char| c.is_whitespace() || c.is_control()) {
                let message = format!("`{server}` is no name or address of a server");
                return Err(invalid(format!("time-servers[{index}]"), message));
            }
        }
        self.check_mounts()
    }

    fn check_mounts(&self) -> Result<(), Error> {
        let mut targets: Vec<&ImagePath> = Vec::new();
        let disks = self.mounts.iter().enumerate().map(|(i, m)| (format!("mounts[{i}].target"), &m.target));
        let binds = self.storage.iter().enumerate().map(|(i, b)| (format!("storage[{i}].path"), &b.path));
        for (setting, target) in disks.chain(binds) {
            if *target == ImagePath::root() {
                return Err(invalid(setting, "the root file system is the image's own"));
            }
            if targets.contains(&target) {
                return Err(invalid(setting, format!("{target} is mounted twice")));
            }
            targets.push(target);
        }
        for (index, mount) in self.mounts.iter().enumerate() {
            for (key, value) in
                [("source", &mount.source), ("type", &mount.kind), ("options", &mount.options)]
            {
                if value.is_empty() || value.contains(|c: char| c.is_whitespace() || c.is_control()) {
                    let setting = format!("mounts[{index}].{key}");
                    return Err(invalid(setting, format!("`{value}` must be one word, as in fstab")));
                }
            }
            let setting = || format!("mounts[{index}].format-if-blank");
            if mount.format_if_blank && !mount.source.starts_with("/dev/") {
                let message = "a blank disk has no UUID or label: give `source` as /dev/disk/by-id/…";
                return Err(invalid(setting(), message));
            }
            if mount.format_if_blank && mount.kind != "ext4" {
                return Err(invalid(setting(), format!("ext4 is made, not {}", mount.kind)));
            }
        }
        Ok(())
    }
}

impl User {
    fn check(&self, setting: &str) -> Result<(), Error> {
        let mut characters = self.name.chars();
        let starts_well = characters.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
        let goes_on_well =
            characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
        if !starts_well || !goes_on_well || self.name.len() > 32 {
            let message = format!("`{}` is no login name: a-z, 0-9, `_`, `-`, at most 32", self.name);
            return Err(invalid(format!("{setting}.name"), message));
        }
        for (index, key) in self.ssh_keys.iter().enumerate() {
            if !is_public_key(key) {
                let message = "no line for authorized_keys, such as `ssh-ed25519 AAAA… comment`";
                return Err(invalid(format!("{setting}.ssh-keys[{index}]"), message));
            }
        }
        if let Some(hash) = &self.password_hash
            && (!hash.starts_with('$') || hash.contains([':', '\n']))
        {
            let message = "give the hash that `mkpasswd` prints, never a password itself";
            return Err(invalid(format!("{setting}.password-hash"), message));
        }
        Ok(())
    }
}

/// A type and base64 data on one line, options before them allowed.
fn is_public_key(line: &str) -> bool {
    const TYPES: [&str; 3] = ["ssh-", "ecdsa-sha2-", "sk-"];
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let data = words.find(|word| TYPES.iter().any(|kind| word.starts_with(kind))).and_then(|_| words.next());
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    !line.contains(['\n', '\r', '\0']) && data.is_some_and(|data| data.len() > 32 && data.chars().all(base64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str) -> String {
        let node: Node = yaml::parse(Path::new("node.yaml"), text).unwrap();
        node.check().unwrap_err().to_string()
    }

    #[test]
    fn passwords_in_clear_are_refused() {
        let message = error_of("users: [{name: ops, password-hash: secret}]");
        assert_eq!(
            message,
            "users[0].password-hash: give the hash that `mkpasswd` prints, never a password itself"
        );
    }

    #[test]
    fn keys_must_be_public_keys_on_one_line() {
        let key = format!("ssh-ed25519 {} me@home", "A".repeat(68));
        assert!(is_public_key(&key));
        assert!(is_public_key(&format!("no-pty {key}")));
        assert!(!is_public_key("-----BEGIN OPENSSH PRIVATE KEY-----"));
        assert!(!is_public_key(&format!("{key}\nssh-ed25519 x")));
    }

    #[test]
    fn a_path_is_mounted_once() {
        let text = "mounts: [{source: LABEL=a, target: /mnt/a}]\nstorage: [{path: /mnt/a, on: /x}]";
        assert_eq!(error_of(text), "storage[0].path: /mnt/a is mounted twice");
    }

    #[test]
    fn a_blank_disk_is_named_by_its_device() {
        let mount = |more: &str| format!("mounts: [{{target: /mnt/a, format-if-blank: true, {more}}}]");
        assert_eq!(
            error_of(&mount("source: LABEL=a")),
            "mounts[0].format-if-blank: a blank disk has no UUID or label: give `source` as /dev/disk/by-id/…"
        );
        let xfs = error_of(&mount("source: /dev/disk/by-id/usb-1, type: xfs"));
        assert_eq!(xfs, "mounts[0].format-if-blank: ext4 is made, not xfs");
    }

    #[test]
    fn fstab_fields_are_words() {
        let text = "mounts: [{source: 'LABEL=my disk', target: /mnt/a}]";
        assert_eq!(error_of(text), "mounts[0].source: `LABEL=my disk` must be one word, as in fstab");
    }
}
