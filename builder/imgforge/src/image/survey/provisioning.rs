//! What sets a system up at its first boot, besides imgforge: each by the files that it leaves or waits for.

use super::{Boot, Units, look::Look};
use crate::image::read::Error;

/// Something that sets the system up at its first boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// What it is called.
    pub name: &'static str,
    /// The file by which it is known to be there.
    pub(crate) sign: String,
    /// What it does.
    pub does: &'static str,
    /// How it is switched off.
    pub(crate) undo: &'static str,
    /// Whether it has its orders and will carry them out; else it waits for somebody.
    pub(crate) acts: bool,
}

/// The hooks that are not switched off.
pub(crate) fn hooks(
    root: Look<'_>,
    boot: Option<Look<'_>>,
    units: &Units,
    started: &Boot,
) -> Result<Vec<Hook>, Error> {
    let places = Places { root, boot, started };
    let found = [
        cloud_init(places)?,
        custom_toml(places)?,
        kernel_command(places)?,
        userconf(places, units)?,
        dietpi(places)?,
        first_login(places)?,
    ];
    Ok(found.into_iter().flatten().collect())
}

/// The file systems that hooks look at.
#[derive(Clone, Copy)]
struct Places<'a> {
    root: Look<'a>,
    boot: Option<Look<'a>>,
    started: &'a Boot,
}

impl Places<'_> {
    fn has(self, path: &str) -> Result<bool, Error> {
        self.root.has(path)
    }

    /// Where the first of `names` lies that the boot partition has; without one, /boot in the root file system is looked at.
    fn in_boot(self, names: &[&str]) -> Result<Option<String>, Error> {
        for name in names {
            let (look, path) = match self.boot {
                Some(boot) => (boot, format!("/{name}")),
                None => (self.root, format!("/boot/{name}")),
            };
            if look.has(&path)? {
                return Ok(Some(if self.boot.is_some() { format!("boot:{path}") } else { path }));
            }
        }
        Ok(None)
    }

    /// The words of the kernel's command line that begin with `start`, with the files they are in.
    fn words(self, start: &str) -> Vec<(String, String)> {
        self.started.words.iter().filter(|(_, word)| word.starts_with(start)).cloned().collect()
    }
}

/// cloud-init(1), wherever it is installed and not switched off as its documentation says.
fn cloud_init(places: Places<'_>) -> Result<Option<Hook>, Error> {
    let is_there = places.has("/etc/cloud/cloud.cfg")? || places.has("/usr/bin/cloud-init")?;
    let is_off =
        places.has("/etc/cloud/cloud-init.disabled")? || !places.words("cloud-init=disabled").is_empty();
    if !is_there || is_off {
        return Ok(None);
    }
    let mut seed = places.in_boot(&["user-data", "meta-data"])?;
    for path in ["/var/lib/cloud/seed/nocloud", "/var/lib/cloud/seed/nocloud-net"] {
        if seed.is_none() && !places.root.names(path)?.is_empty() {
            seed = Some(path.to_owned());
        }
    }
    Ok(Some(Hook {
        name: "cloud-init",
        acts: seed.is_some(),
        sign: seed.unwrap_or_else(|| "/etc/cloud/cloud.cfg".to_owned()),
        does: "sets host name, users and network at each boot, as its data source says",
        undo: "an overlay with the file /etc/cloud/cloud-init.disabled switches it off",
    }))
}

/// raspberrypi-sys-mods' `firstboot` (bookworm), and its `init_config` after it.
fn custom_toml(places: Places<'_>) -> Result<Option<Hook>, Error> {
    Ok(places.in_boot(&["custom.toml"])?.map(|sign| Hook {
        name: "custom.toml",
        sign,
        does: "sets host name, users and network at the first boot",
        undo: "take the image as the vendor publishes it, or delete the file from its boot partition",
        acts: true,
    }))
}

/// systemd-run-generator(8): a command that runs in place of the system. Raspberry Pi Imager runs firstrun.sh so.
fn kernel_command(places: Places<'_>) -> Result<Option<Hook>, Error> {
    let words = places.words("systemd.run=");
    Ok(words.into_iter().next().map(|(path, word)| Hook {
        name: "systemd.run",
        sign: format!("{path}: {word}"),
        does: "runs a script at the first boot, in place of everything else",
        undo: "take the image as the vendor publishes it, or delete the words `systemd…` from the command line",
        acts: true,
    }))
}

/// userconf-pi: `userconfig.service` makes the user that the file names.
fn userconf(places: Places<'_>, units: &Units) -> Result<Option<Hook>, Error> {
    if units.is_masked("userconfig.service") {
        return Ok(None);
    }
    let hook = |sign| Hook {
        name: "userconf",
        sign,
        does: "renames the first user and gives it a password at the first boot",
        undo: "take the image as the vendor publishes it, or delete the file from its boot partition",
        acts: true,
    };
    Ok(places.in_boot(&["userconf.txt", "userconf"])?.map(hook))
}

/// DietPi's first boot: its settings are in the boot partition, its programs in /boot/dietpi.
fn dietpi(places: Places<'_>) -> Result<Option<Hook>, Error> {
    let mut sign = places.in_boot(&["dietpi.txt"])?;
    for path in ["/boot/dietpi.txt", "/boot/dietpi/.version", "/boot/dietpi"] {
        if sign.is_none() && places.has(path)? {
            sign = Some(path.to_owned());
        }
    }
    Ok(sign.map(|sign| Hook {
        name: "DietPi",
        sign,
        does: "sets host name, passwords, network and packages at the first boot, as dietpi.txt says",
        undo: "take an image of the board without it; DietPi's own set-up cannot be switched off by a file",
        acts: true,
    }))
}

/// Armbian's dialogue at the first login.
fn first_login(places: Places<'_>) -> Result<Option<Hook>, Error> {
    const SIGN: &str = "/root/.not_logged_in_yet";
    Ok(places.has(SIGN)?.then(|| Hook {
        name: "Armbian's first login",
        sign: SIGN.to_owned(),
        does: "asks whoever logs in first for passwords and a user",
        undo: "an overlay that removes the file switches it off",
        acts: false,
    }))
}
