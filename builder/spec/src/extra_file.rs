//! Files that people add to a node.

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Invalid, is_path_in, plain_path};

/// A file that is put into an image.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExtraFile {
    /// Absolute path on the node.
    pub path: String,
    /// Permissions, in octal digits; unset: `0644`, and `0600` of a secret one.
    #[serde(default)]
    pub mode: Option<String>,
    /// Who owns it: a user's name, or a user's and a group's, `www-data:adm`; unset: root.
    #[serde(default)]
    pub owner: Option<String>,
    /// What is in it.
    #[serde(default)]
    pub content: Option<String>,
    /// Or a file that holds it, from the settings file's folder on.
    #[serde(default)]
    pub file: Option<String>,
    /// Whether it must not be seen: an image with such a file is readable for its owner only, and not to be published.
    #[serde(default)]
    pub secret: bool,
    /// What `file` holds, once somebody has read it.
    #[serde(skip)]
    pub bytes: Option<Arc<[u8]>>,
}

/// Without what is in it: that may be a secret.
impl fmt::Debug for ExtraFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, mode, owner, file, secret, .. } = self;
        let mut shown = f.debug_struct("ExtraFile");
        shown.field("path", path).field("mode", mode).field("owner", owner).field("file", file);
        shown.field("secret", secret).finish_non_exhaustive()
    }
}

/// What a path is for already, or the folder that it is in, and what to do instead of putting a file there.
const OF_SYSTEM: [(&str, &str); 22] = [
    ("/etc/fstab", "give the disks under `mounts`"),
    ("/etc/passwd", PEOPLE),
    ("/etc/shadow", PEOPLE),
    ("/etc/group", PEOPLE),
    ("/etc/gshadow", PEOPLE),
    ("/etc/subuid", PEOPLE),
    ("/etc/subgid", PEOPLE),
    ("/etc/sudoers", "give a user `sudo: true`, or a file in /etc/sudoers.d"),
    ("/etc/hostname", "give `hostname`"),
    ("/etc/hosts", "imgforge writes it; names of the network belong into its name server"),
    ("/etc/machine-id", "the node makes its own at the first start"),
    ("/etc/os-release", "it says which system this is"),
    ("/etc/modules-load.d/imgforge.conf", "give a file of another name there"),
    ("/usr/lib/os-release", "it says which system this is"),
    ("/var/lib/dpkg", "give `packages`"),
    ("/boot/firmware/cmdline.txt", "give `kernel-arguments`"),
    ("/boot/cmdline.txt", "give `kernel-arguments`"),
    ("/boot/armbianEnv.txt", "give `kernel-arguments`"),
    ("/proc", KERNEL),
    ("/sys", "give a file in /etc/sysctl.d or /etc/tmpfiles.d that sets it"),
    ("/dev", KERNEL),
    ("/run", "give a file in /etc/tmpfiles.d that makes it"),
];

const PEOPLE: &str = "give people under `users`";
const KERNEL: &str = "the kernel makes what is in there";

/// Where imgforge puts its own files on every node.
const OURS: [&str; 4] =
    ["/usr/bin/imgforge-status", "/etc/imgforge", "/usr/lib/imgforge", "/var/lib/imgforge"];

impl ExtraFile {
    /// The permissions as a number, if the digits are octal and no more than a mode has.
    pub fn permissions(&self) -> Option<u16> {
        let digits = self.mode.as_deref().unwrap_or(if self.secret { "0600" } else { "0644" });
        let is_octal = digits.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
        u16::from_str_radix(digits, 8).ok().filter(|mode| is_octal && *mode <= 0o7777)
    }

    /// What is in it; `None` where that is a file that nobody has read yet.
    pub fn content(&self) -> Option<&[u8]> {
        self.content.as_deref().map(str::as_bytes).or(self.bytes.as_deref())
    }

    /// User and group by name or number; the group is the user's own where none is named.
    pub fn owners(&self) -> (&str, Option<&str>) {
        match self.owner.as_deref().map(|owner| owner.split_once(':').ok_or(owner)) {
            None => ("root", Some("root")),
            Some(Ok((user, group))) => (user, Some(group)),
            Some(Err(user)) => (user, None),
        }
    }

    /// Whether it says in one way what is in it, and its owner can be one; of path and mode [`unfit_file`] and
    /// [`ExtraFile::permissions`] say more.
    pub fn check(&self) -> Result<(), Invalid> {
        match (&self.content, &self.file) {
            (Some(_), Some(_)) => {
                return Err(Invalid::new("file", "there is a `content` already; give one of both"));
            }
            (None, None) => {
                let message = format!("there is neither a `content` nor a `file` for {}", self.path);
                return Err(Invalid::new("content", message));
            }
            _ => {}
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let is_name = |name: &str| !name.is_empty() && !name.starts_with('-') && name.chars().all(fits);
        let (user, group) = self.owners();
        if !is_name(user) || group.is_some_and(|group| !is_name(group)) {
            let owner = self.owner.as_deref().unwrap_or_default();
            let message = format!("`{}` is no owner, such as `ops` or `root:adm`", owner.escape_debug());
            return Err(Invalid::new("owner", message));
        }
        Ok(())
    }
}

/// Why no node can have a file of its user's at `path`, if so: the reason, and what to do about it.
///
/// ```
/// use imgforge_spec::unfit_file;
///
/// let (reason, instead) = unfit_file("/etc//fstab").unwrap();
/// assert_eq!(reason, "`/etc//fstab` would be replaced whole");
/// assert_eq!(instead, Some("give the disks under `mounts`"));
/// assert_eq!(unfit_file("/etc/motd"), None);
/// ```
pub fn unfit_file(path: &str) -> Option<(String, Option<&'static str>)> {
    let plain = plain_path(path);
    // The boot partition tells no case apart.
    let is_taken = |system: &str| {
        is_path_in(&plain, system) || (system.starts_with("/boot/") && plain.eq_ignore_ascii_case(system))
    };
    if let Some((system, instead)) = OF_SYSTEM.iter().find(|(system, _)| is_taken(system)) {
        let reason = match plain.len() == system.len() {
            true => format!("`{path}` would be replaced whole"),
            false => format!("`{path}` is in {system}, which is the system's own"),
        };
        return Some((reason, Some(instead)));
    }
    let is_folder = OF_SYSTEM.iter().any(|(system, _)| is_path_in(system, &plain));
    is_folder.then(|| (format!("`{path}` is a folder of the system"), None))
}

/// The place of imgforge's own in which `path` is, if it is.
pub fn folder_of_ours(path: &str) -> Option<&'static str> {
    let plain = plain_path(path);
    OURS.into_iter().find(|ours| is_path_in(&plain, ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(yaml: &str) -> ExtraFile {
        serde_json::from_str(yaml).unwrap()
    }

    #[test]
    fn a_secret_is_its_owners_unless_its_mode_says_more() {
        for (more, mode) in [
            ("", Some(0o644)),
            (r#", "secret": true"#, Some(0o600)),
            (r#", "secret": true, "mode": "0640""#, Some(0o640)),
            (r#", "mode": "4755""#, Some(0o4755)),
            (r#", "mode": "0999""#, None),
            (r#", "mode": "+7""#, None),
            (r#", "mode": "77777""#, None),
        ] {
            assert_eq!(
                of(&format!(r#"{{"path": "/x", "content": ""{more}}}"#)).permissions(),
                mode,
                "{more}"
            );
        }
    }

    #[test]
    fn owners_are_names_or_numbers() {
        for (owner, owners) in [
            ("ops", Some(("ops", None))),
            ("www-data:adm", Some(("www-data", Some("adm")))),
            ("1000:0", Some(("1000", Some("0")))),
            ("", None),
            (":adm", None),
            ("a:", None),
            ("a:b:c", None),
            ("a b", None),
        ] {
            let file = of(&format!(r#"{{"path": "/x", "content": "", "owner": "{owner}"}}"#));
            assert_eq!(file.check().is_ok(), owners.is_some(), "{owner}");
            assert!(owners.is_none_or(|owners| owners == file.owners()), "{owner}");
        }
    }

    #[test]
    fn there_is_one_content() {
        let said = |yaml: &str| of(yaml).check().unwrap_err().to_string();
        assert_eq!(said(r#"{"path": "/x"}"#), "content: there is neither a `content` nor a `file` for /x");
        assert_eq!(
            said(r#"{"path": "/x", "content": "", "file": "x"}"#),
            "file: there is a `content` already; give one of both"
        );
    }

    #[test]
    fn a_secret_is_not_shown() {
        let shown = format!("{:?}", of(r#"{"path": "/x", "content": "hunter2", "secret": true}"#));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
