//! What the system in an image is set up to do, looked up once: rules judge by it, `inspect` shows it.
//!
//! Of a base it tells what the vendor's image does by itself; of an image with all changes made, what the node will do.

mod accounts;
mod boot;
mod commands;
mod kernels;
mod lived;
mod look;
mod network;
mod packages;
mod provisioning;
mod ssh;
mod system;
mod units;

use self::look::Look;
pub use self::{
    accounts::Account,
    boot::Boot,
    kernels::Kernel,
    network::{Manager, Network},
    packages::{Packages, Unfinished},
    provisioning::Hook,
    ssh::Ssh,
    system::{Init, Mounted},
    units::Units,
};
use std::collections::BTreeSet;

use imgforge_debian::Elf;

use super::{
    partitions::Trees,
    programs,
    read::{Error, Remembered, Tree},
};

/// What a system is set up to do.
#[derive(Debug, Clone)]
pub struct Survey {
    /// `ID` of os-release(5): `debian`.
    pub os: Option<String>,
    /// The full name of the system, `PRETTY_NAME` of os-release(5).
    pub name: Option<String>,
    /// What its programs are made for; `None` where none was found.
    pub(crate) programs: Option<Elf>,
    /// The names of the programs in its folders for them.
    commands: BTreeSet<String>,
    /// What is started first; `None` where there is nothing to start.
    pub init: Option<Init>,
    /// What the init system starts.
    pub(crate) units: Units,
    /// Who sets up the network.
    pub network: Network,
    /// The services that set the clock, those that are enabled.
    pub(crate) time_services: Vec<&'static str>,
    /// What sets the system up at its first boot, besides imgforge.
    pub(crate) hooks: Vec<Hook>,
    /// The accounts into which a password lets.
    pub accounts: Vec<Account>,
    /// The kernels, by version.
    pub(crate) kernels: Vec<Kernel>,
    /// What dpkg says of its packages.
    pub packages: Packages,
    /// What fstab mounts besides the root.
    pub mounts: Vec<Mounted>,
    /// What kernel, firmware and systemd are told at each start.
    pub(crate) boot: Boot,
    /// Whom sshd lets in.
    pub(crate) ssh: Ssh,
    /// Paths that only a node has that has run.
    pub(crate) traces: Vec<String>,
}

impl Survey {
    /// Looks at the file systems of an image.
    pub fn of(trees: &Trees) -> Result<Self, Error> {
        Self::of_trees(&*trees.root, trees.boot())
    }

    /// Looks at a root file system and, where the board has one, a boot partition.
    pub fn of_trees(root: &dyn Tree, boot: Option<&dyn Tree>) -> Result<Self, Error> {
        let root = Remembered::new(root);
        let root = Look(&root);
        let units = Units::of(root)?;
        let boot_partition = boot.map(Look);
        let boot = Boot::of(root, boot_partition)?;
        let release = system::os_release(root)?;
        Ok(Self {
            os: system::value_of(&release, "ID"),
            name: system::value_of(&release, "PRETTY_NAME"),
            programs: programs::typical(root.0)?,
            commands: commands::commands(root)?,
            init: Init::of(root)?,
            network: Network::of(root, &units)?,
            time_services: time_services(&units),
            hooks: provisioning::hooks(root, boot_partition, &units, &boot)?,
            accounts: accounts::with_passwords(root)?,
            kernels: kernels::kernels(root)?,
            packages: Packages::of(root)?,
            mounts: system::mounts(root)?,
            boot,
            ssh: Ssh::of(root)?,
            traces: lived::traces(root)?,
            units,
        })
    }

    /// Whether there is the program `command`, a name or a path; `None` of a path where programs do not usually lie.
    pub(crate) fn has_command(&self, command: &str) -> Option<bool> {
        let (folder, name) = command.rsplit_once('/').unwrap_or((commands::FOLDERS[0], command));
        commands::FOLDERS.contains(&folder).then(|| self.commands.contains(name))
    }

    /// Whether people can log in over the network.
    pub(crate) fn has_ssh(&self) -> bool {
        ["ssh.service", "sshd.service", "ssh.socket", "dropbear.service"]
            .iter()
            .any(|unit| self.units.is_enabled(unit))
    }
}

fn time_services(units: &Units) -> Vec<&'static str> {
    const SERVICES: [&str; 6] = [
        "systemd-timesyncd.service",
        "chrony.service",
        "chronyd.service",
        "ntpsec.service",
        "ntp.service",
        "openntpd.service",
    ];
    SERVICES.into_iter().filter(|unit| units.is_enabled(unit)).collect()
}
