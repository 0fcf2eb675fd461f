//! Folders of which a program leaves files out, by their names or their modes.

/// A folder whose files one program reads, of those names only that it likes.
pub(super) struct Folder {
    /// The folder, or a file; a part that is `*` stands for any, as does what is before it in a part: `*.d`.
    path: &'static str,
    /// Which names it likes.
    pub names: Names,
    /// The mode's bits that it does not like.
    pub forbidden: u16,
    /// Who reads them.
    pub reader: &'static str,
}

/// Names of files that are read.
pub(super) enum Names {
    /// Those with one of these endings, the dot with it.
    Ending(&'static [&'static str]),
    /// The same, and those without a dot.
    EndingOrBare(&'static [&'static str]),
    /// Those of letters, digits, `-` and `_`: run-parts(8).
    Plain,
    /// Those without a dot and without `~` at their end: sudoers(5).
    Dotless,
    /// All.
    Any,
}

const fn folder(path: &'static str, names: Names, reader: &'static str) -> Folder {
    Folder { path, names, forbidden: 0, reader }
}

impl Folder {
    const fn not(self, forbidden: u16) -> Self {
        Self { forbidden, ..self }
    }
}

const CONF: Names = Names::Ending(&[".conf"]);
/// Others may write.
const WRITABLE: u16 = 0o022;
/// Others may do anything.
const OPEN: u16 = 0o077;

/// Folders of which something is left out; of each the manual of its reader says so.
const FOLDERS: [Folder; 40] = [
    folder("/etc/sudoers.d", Names::Dotless, "sudo").not(WRITABLE),
    folder("/etc/cron.d", Names::Plain, "cron").not(WRITABLE),
    folder("/etc/cron.hourly", Names::Plain, "run-parts"),
    folder("/etc/cron.daily", Names::Plain, "run-parts"),
    folder("/etc/cron.weekly", Names::Plain, "run-parts"),
    folder("/etc/cron.monthly", Names::Plain, "run-parts"),
    folder("/etc/update-motd.d", Names::Plain, "run-parts"),
    folder("/etc/network/*.d", Names::Plain, "ifupdown"),
    folder("/etc/sysctl.d", CONF, "systemd-sysctl"),
    folder("/etc/modules-load.d", CONF, "systemd-modules-load"),
    folder("/etc/modprobe.d", CONF, "modprobe"),
    folder("/etc/tmpfiles.d", CONF, "systemd-tmpfiles"),
    folder("/etc/sysusers.d", CONF, "systemd-sysusers"),
    folder("/etc/binfmt.d", CONF, "systemd-binfmt"),
    folder("/etc/ssh/sshd_config.d", CONF, "sshd"),
    folder("/etc/ssh/ssh_config.d", CONF, "ssh"),
    folder("/etc/ssh/*_key", Names::Any, "sshd").not(OPEN),
    folder("/etc/ld.so.conf.d", CONF, "ldconfig"),
    folder("/etc/security/limits.d", CONF, "pam_limits"),
    folder("/etc/rsyslog.d", CONF, "rsyslogd"),
    folder("/etc/NetworkManager/conf.d", CONF, "NetworkManager"),
    folder("/etc/NetworkManager/system-connections", Names::Any, "NetworkManager").not(OPEN),
    folder("/etc/NetworkManager/dispatcher.d", Names::Any, "NetworkManager").not(WRITABLE),
    folder("/etc/systemd/network", Names::Ending(&[".network", ".netdev", ".link"]), "systemd-networkd"),
    folder("/etc/systemd/*.conf.d", CONF, "systemd"),
    folder("/etc/systemd/system/*.d", CONF, "systemd"),
    folder("/etc/systemd/network/*.d", CONF, "systemd-networkd"),
    folder("/etc/netplan", Names::Ending(&[".yaml"]), "netplan"),
    folder("/etc/udev/rules.d", Names::Ending(&[".rules"]), "udev"),
    folder("/etc/udev/hwdb.d", Names::Ending(&[".hwdb"]), "udev"),
    folder("/etc/polkit-1/rules.d", Names::Ending(&[".rules"]), "polkit"),
    folder("/etc/profile.d", Names::Ending(&[".sh"]), "the shell"),
    folder("/etc/apt/apt.conf.d", Names::EndingOrBare(&[".conf"]), "apt"),
    folder("/etc/apt/preferences.d", Names::EndingOrBare(&[".pref"]), "apt"),
    folder("/etc/apt/sources.list.d", Names::Ending(&[".list", ".sources"]), "apt"),
    folder("/etc/apt/trusted.gpg.d", Names::Ending(&[".gpg", ".asc"]), "apt"),
    folder("/etc/chrony/conf.d", CONF, "chronyd"),
    folder("/etc/chrony/sources.d", Names::Ending(&[".sources"]), "chronyd"),
    folder("/etc/cloud/cloud.cfg.d", Names::Ending(&[".cfg"]), "cloud-init"),
    folder("/usr/local/share/ca-certificates", Names::Ending(&[".crt"]), "update-ca-certificates"),
];

impl Folder {
    /// The folder, or file, in which `path` is.
    pub(super) fn of(path: &str) -> Option<&'static Self> {
        let above = path.rsplit_once('/')?.0;
        FOLDERS.iter().find(|folder| matches(folder.path, above) || matches(folder.path, path))
    }

    /// What others may do to a file that its reader does not like.
    pub(super) fn others_may(&self) -> &'static str {
        if self.forbidden == OPEN { "read" } else { "write" }
    }
}

impl Names {
    /// What is read instead of `name`, if it is not.
    pub(super) fn refusal(&self, name: &str) -> Option<String> {
        let ends = |endings: &[&str]| {
            endings.iter().any(|ending| name.len() > ending.len() && name.ends_with(ending))
        };
        let list = |endings: &[&str]| {
            endings.iter().map(|ending| format!("`*{ending}`")).collect::<Vec<_>>().join(", ")
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        match self {
            Self::Ending(endings) if !ends(endings) || name.starts_with('.') => {
                Some(format!("{} only", list(endings)))
            }
            Self::EndingOrBare(endings) if name.contains('.') && !ends(endings) => {
                Some(format!("{} and names without a dot only", list(endings)))
            }
            Self::Plain if !name.chars().all(is_plain) => {
                Some("names of letters, digits, `-` and `_` only".into())
            }
            Self::Dotless if name.contains('.') || name.ends_with('~') => {
                Some("names without a dot only".into())
            }
            _ => None,
        }
    }
}

/// Whether the folder `path` is the one of `pattern`.
fn matches(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut parts) = (pattern.split('/'), path.split('/'));
    let fits = |(wanted, part): (&str, &str)| match wanted.strip_prefix('*') {
        Some(ending) => part.len() > ending.len() && part.ends_with(ending),
        None => wanted == part,
    };
    wanted.clone().count() == parts.clone().count() && wanted.by_ref().zip(parts.by_ref()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_whole_folder() {
        assert!(matches("/etc/systemd/*.conf.d", "/etc/systemd/journald.conf.d"));
        assert!(!matches("/etc/systemd/*.conf.d", "/etc/systemd/.conf.d"));
        assert!(!matches("/etc/systemd/*.conf.d", "/etc/systemd/system/x.conf.d"));
        assert!(!matches("/etc/cron.d", "/etc/cron.d/x"));
    }
}
