//! What one node is to be: its name, its people, its disks.

use std::{collections::BTreeSet, fmt, net::IpAddr, path::Path};

use imgforge_debian::Keyring;
use imgforge_kube::cluster::{Cidr, Firewall, Interface, NodeNetwork, Primary, unfit_networks, unfit_vlan};
use imgforge_spec::{
    Bind, Diagnose, ExtraFile, Firmware, Hostname, ImagePath, Invalid, KeySource, Mount, Proxy, Repository,
    RunOnce, System, User, Wifi, folder_of_ours, is_absolute_path, is_broken_address, plain_path, unfit_file,
    unfit_kernel_argument,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Source,
    beside::{self, Beside},
};
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
    /// Disks and shares to mount.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Directories that live on another disk: pairs of a path and where it really is. Each becomes a bind mount.
    #[serde(default)]
    pub storage: Vec<Bind>,
    /// Words added to the kernel's command line.
    #[serde(default)]
    pub(crate) kernel_arguments: Vec<String>,
    /// What the board's firmware or boot loader is told.
    #[serde(default)]
    pub firmware: Firmware,
    /// Packages the node has besides those of its role, as relations in a `Depends` field.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Repositories in which packages are looked for besides the base's own; apt on the node knows them, too.
    #[serde(default)]
    pub repositories: Vec<Repository>,
    /// The Kubernetes it gets, in place of the board's.
    #[serde(default)]
    pub kubernetes: Option<Choice>,
    /// NTP servers, instead of the vendor's.
    #[serde(default)]
    pub time_servers: Vec<String>,
    /// A static address; without one the node asks by DHCP.
    #[serde(default)]
    pub address: Option<Address>,
    /// Networks that it stands in besides, with static addresses behind other cards or in VLANs.
    #[serde(default)]
    pub networks: Vec<NodeNetwork>,
    /// The proxy between it and the world.
    #[serde(default)]
    pub proxy: Option<Proxy>,
    /// The wireless network that it joins.
    #[serde(default)]
    pub wifi: Option<Wifi>,
    /// Who may speak to it; unset: everybody.
    #[serde(default)]
    pub firewall: Option<Firewall>,
    /// Time zone, language, keyboard, authorities, watchdog, upgrades.
    #[serde(default)]
    pub system: System,
    /// Files to put in.
    #[serde(default)]
    pub files: Vec<ExtraFile>,
    /// Scripts that run once, in the first boot.
    #[serde(default)]
    pub run_once: Vec<RunOnce>,
    /// Whether swap stays as the vendor made it. A kubelet has to be told (`failSwapOn: false`); in a cluster it is.
    #[serde(default)]
    pub swap: bool,
    /// Whether it tells everybody on its network how far its first boot is, until that is over; unset: it does.
    #[serde(default)]
    pub status: Option<bool>,
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
    /// The VLAN behind that card in which the address is: 1 to 4094; unset: none, packets have no tag.
    #[serde(default)]
    pub vlan: Option<u16>,
}

/// A value that would not work on the node, found before anything is built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings file cannot be read as such.
    #[error(transparent)]
    Yaml(#[from] yaml::Error),
    /// A setting has a value that cannot be used.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Diagnose for Error {
    fn below(&self) -> Option<&dyn Diagnose> {
        match self {
            Error::Yaml(error) => Some(error),
            Error::Invalid(_) => None,
        }
    }
}

fn invalid(setting: impl Into<String>, message: impl fmt::Display) -> Error {
    Invalid::new(setting, message).into()
}

impl Node {
    /// What of the settings is not the node's alone: its Kubernetes, repositories and, unless it belongs to a cluster, where
    /// other nodes have the same release and other packages, its packages.
    pub(crate) fn of_release(&self, in_cluster: bool) -> Self {
        let packages = if in_cluster { Vec::new() } else { self.all_packages() };
        let Self { kubernetes, repositories, .. } = self.clone();
        Self { packages, kubernetes, repositories, ..Self::default() }
    }

    /// The packages it asks for, and those that its mounts and other settings cannot do without; each once.
    pub(crate) fn all_packages(&self) -> Vec<String> {
        let mut all = self.packages.clone();
        let of_firewall = self.firewall.iter().map(|_| Firewall::PACKAGE);
        let of_settings =
            self.wifi.iter().map(|_| Wifi::PACKAGE).chain(of_firewall).chain(self.system.packages());
        for package in self.mounts.iter().filter_map(Mount::package).chain(of_settings) {
            if !all.iter().any(|there| there == package) {
                all.push(package.to_owned());
            }
        }
        all
    }

    /// Where keys of its people are published that are not in the settings, each once.
    pub(crate) fn key_sources(&self) -> Vec<KeySource> {
        let all: BTreeSet<KeySource> = self.users.iter().flat_map(User::key_sources).collect();
        all.into_iter().collect()
    }

    fn beside(&mut self) -> Beside<'_> {
        let Self { run_once, files, system, repositories, users, .. } = self;
        Beside { scripts: run_once, files, certificates: &mut system.certificates, repositories, users }
    }

    /// Reads the settings in `path` and checks them, so that an error names the file.
    pub fn read(path: &Path) -> Result<(Self, Source), Error> {
        let text = yaml::text(path)?;
        let mut node: Self = yaml::parse(path, &text)?;
        let read = beside::read(node.beside(), path).map_err(Error::from);
        match read.and_then(|()| node.check()).and_then(|()| node.check_alone()) {
            Err(Error::Invalid(Invalid { setting, message })) => {
                Err(invalid(format!("{}: {setting}", yaml::Place::of(&setting, path, &text)), message))
            }
            checked => checked.map(|()| (node, Source::new(path, &text, ""))),
        }
    }

    /// Checks every value. Called once all sources (file, command line) are merged.
    pub fn check(&self) -> Result<(), Error> {
        let mut names = BTreeSet::new();
        for (index, user) in self.users.iter().enumerate() {
            user.check().map_err(|error| error.below(&format!("users[{index}]")))?;
            if !names.insert(&user.name) {
                return Err(invalid(
                    format!("users[{index}].name"),
                    format!("`{}` is there twice", user.name),
                ));
            }
        }
        for (index, server) in self.time_servers.iter().enumerate() {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
            let has_port = server.matches(':').count() == 1;
            if server.is_empty() || !server.chars().all(fits) || is_broken_address(server) || has_port {
                let message = format!("`{server}` is no name or address of a server");
                return Err(invalid(format!("time-servers[{index}]"), message));
            }
        }
        self.system.check().map_err(|error| error.below("system"))?;
        self.firmware.check().map_err(|error| error.below("firmware"))?;
        self.check_wifi()?;
        for (index, file) in self.files.iter().enumerate() {
            file.check().map_err(|error| error.below(&format!("files[{index}]")))?;
        }
        self.check_repositories()?;
        self.check_scripts()?;
        self.check_mounts()
    }

    fn check_wifi(&self) -> Result<(), Error> {
        let Some(wifi) = &self.wifi else { return Ok(()) };
        wifi.check().map_err(|error| error.below("wifi"))?;
        let is_wireless = |card: &Interface| card.to_string() == wifi.interface;
        if let Some(index) = self.networks.iter().position(|network| is_wireless(&network.interface)) {
            let message = "a wireless card asks by DHCP, and has no static address";
            return Err(invalid(format!("networks[{index}].interface"), message));
        }
        let card = self.address.as_ref().and_then(|address| address.interface.as_ref());
        if card.is_some_and(is_wireless) {
            let message = "a wireless card asks by DHCP; have the router always give it the same address";
            return Err(invalid("interface", message));
        }
        Ok(())
    }

    fn check_repositories(&self) -> Result<(), Error> {
        for (index, repository) in self.repositories.iter().enumerate() {
            let at = |setting: &str| format!("repositories[{index}].{setting}");
            repository.check().map_err(|error| error.below(&format!("repositories[{index}]")))?;
            if self.repositories[..index].iter().any(|other| other.name == repository.name) {
                return Err(invalid(at("name"), format!("`{}` is there twice", repository.name)));
            }
            let parsed = repository.key().map(Keyring::parse).transpose();
            parsed.map_err(|error| invalid(at("signed-by"), format!("no key: {error}")))?;
        }
        Ok(())
    }

    fn check_scripts(&self) -> Result<(), Error> {
        for (index, script) in self.run_once.iter().enumerate() {
            script.check().map_err(|error| error.below(&format!("run-once[{index}]")))?;
            if self.run_once[..index].iter().any(|other| other.name == script.name) {
                let message = format!("`{}` is there twice", script.name);
                return Err(invalid(format!("run-once[{index}].name"), message));
            }
        }
        Ok(())
    }

    /// A cluster's nodes are held to the same by its rules, where it can be overruled.
    fn check_alone(&self) -> Result<(), Error> {
        self.check_kernel_arguments()?;
        if self.firewall.as_ref().is_some_and(|wall| wall.from.is_empty() && wall.ports.is_empty()) {
            return Err(invalid(
                "firewall",
                "nobody would be heard: give `from` or `ports`, or `firewall: {}`",
            ));
        }
        if let Some(flaw) = self.proxy.as_ref().and_then(|proxy| proxy.flaws().into_iter().next()) {
            return Err(flaw.below("proxy").into());
        }
        self.check_networks()?;
        let in_vlan = self.address.as_ref().and_then(|address| Some((address, address.vlan?)));
        if let Some(message) =
            in_vlan.and_then(|(address, vlan)| unfit_vlan(vlan, address.interface.as_ref()))
        {
            return Err(invalid("address.vlan", message));
        }
        let mut paths: Vec<String> = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            let setting = |name: &str| format!("files[{index}].{name}");
            if let Some(reason) = unfit_place(&file.path, &paths) {
                return Err(invalid(setting("path"), reason));
            }
            if file.permissions().is_none() {
                let mode = file.mode.as_deref().unwrap_or_default();
                let message = format!("`{mode}` is no mode in octal digits, such as 0644");
                return Err(invalid(setting("mode"), message));
            }
            paths.push(plain_path(&file.path));
        }
        Ok(())
    }

    fn check_networks(&self) -> Result<(), Error> {
        let address = self.address.as_ref();
        let own: Vec<Cidr> =
            address.into_iter().flat_map(|own| [Some(own.address), own.second]).flatten().collect();
        let primary = address.map(|address| Primary {
            addresses: &own,
            interface: address.interface.as_ref(),
            vlan: address.vlan,
        });
        match unfit_networks(&self.networks, primary) {
            Some((setting, message)) if setting == "interface" => {
                Err(invalid(format!("address.{setting}"), message))
            }
            Some((setting, message)) => Err(invalid(setting, message)),
            None => Ok(()),
        }
    }

    fn check_kernel_arguments(&self) -> Result<(), Error> {
        for (index, argument) in self.kernel_arguments.iter().enumerate() {
            if let Some(reason) = unfit_kernel_argument(argument) {
                let message = format!("`{}`: {reason}; remove it", argument.escape_debug());
                return Err(invalid(format!("kernel-arguments[{index}]"), message));
            }
        }
        Ok(())
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
            mount.check().map_err(|error| error.below(&format!("mounts[{index}]")))?;
        }
        Ok(())
    }
}

/// Why a node cannot have a file at `path` besides those at `others`, if so.
fn unfit_place(path: &str, others: &[String]) -> Option<String> {
    if !is_absolute_path(path) {
        return Some(format!("`{path}` must begin with / and not climb with .."));
    }
    if let Some(ours) = folder_of_ours(path) {
        return Some(format!("`{path}` is in {ours}, which is imgforge's own; take another place"));
    }
    if let Some((reason, instead)) = unfit_file(path) {
        return Some(instead.map_or(reason.clone(), |instead| format!("{reason}; {instead}")));
    }
    others.contains(&plain_path(path)).then(|| format!("`{path}` is there twice"))
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
            "users[0].password-hash: give the hash that `imgforge password` prints, never a password itself"
        );
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
    fn kernel_arguments_let_the_node_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.yaml");
        for (argument, reason) in [
            ("root=/dev/sda1", "`root=/dev/sda1`: the image says where its root file system is; remove it"),
            ("init=/bin/sh", "`init=/bin/sh`: another program than systemd would be started; remove it"),
            ("", "``: this is no argument; remove it"),
        ] {
            std::fs::write(&path, format!("kernel-arguments: [quiet, '{argument}']")).unwrap();
            let error = Node::read(&path).unwrap_err().to_string();
            assert!(error.ends_with(&format!("kernel-arguments[1]: {reason}")), "{error}");
        }
        std::fs::write(&path, "kernel-arguments: [rootwait, init_on_alloc=1]").unwrap();
        assert!(Node::read(&path).is_ok());
    }

    #[test]
    fn fstab_fields_are_words() {
        let text = "mounts: [{source: 'LABEL=my disk', target: /mnt/a}]";
        assert_eq!(error_of(text), "mounts[0].source: `LABEL=my disk` must be one word, as in fstab");
    }
}
