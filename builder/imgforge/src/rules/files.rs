//! What people put onto a node under `files` is read, run and started there.

use imgforge_kube::check::Found;
use imgforge_spec::{ExtraFile, check_script, interpreter, plain_path};

use super::{Context, Rule, folders::Folder, scripts};
use crate::image::entry::ChangeEntry;

pub(crate) const RULES: &[Rule] = &[
    Rule::error(
        "file-replaces",
        "`files` replaces nothing that other settings or imgforge write",
        file_replaces,
    ),
    Rule::notice("file-unread", "what `files` puts among others of its kind is read with them", file_unread),
    Rule::notice("file-not-run", "what `files` puts among programs can be run", file_not_run),
    Rule::notice(
        "unit-not-started",
        "what `files` puts among systemd's units is started by something",
        unit_not_started,
    ),
];

/// Folders whose files are programs.
const PROGRAMS: [&str; 17] = [
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/etc/cron.hourly",
    "/etc/cron.daily",
    "/etc/cron.weekly",
    "/etc/cron.monthly",
    "/etc/update-motd.d",
    "/etc/network/if-pre-up.d",
    "/etc/network/if-up.d",
    "/etc/network/if-down.d",
    "/etc/network/if-post-down.d",
    "/etc/NetworkManager/dispatcher.d",
    "/usr/lib/systemd/system-shutdown",
];

/// A script that systemd runs at each start if it may be run.
const RC_LOCAL: &str = "/etc/rc.local";

/// Where people's units lie.
const UNITS: &str = "/etc/systemd/system";
/// Kinds of units that may be enabled.
const KINDS: [&str; 7] = [".service", ".socket", ".timer", ".path", ".mount", ".automount", ".target"];

fn file_unread(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (index, file) in context.request.node.files.iter().enumerate() {
        let path = plain_path(&file.path);
        let Some(folder) = Folder::of(&path) else { continue };
        let name = path.rsplit('/').next().unwrap_or_default();
        let reader = folder.reader;
        if let Some(liked) = folder.names.refusal(name) {
            let message = format!("{reader} passes over `{path}`: it reads {liked}");
            found.push(Found::new(format!("files[{index}].path"), message).suggest("give it such a name"));
        }
        let mode = file.permissions().unwrap_or_default();
        if mode & folder.forbidden != 0 {
            let message =
                format!("{reader} passes over `{path}`, since others may {} it", folder.others_may());
            let instead = format!("`mode: '{:04o}'`", mode & !folder.forbidden);
            found.push(Found::new(format!("files[{index}].mode"), message).suggest(instead));
        }
        if folder.forbidden != 0 && !matches!(file.owners().0, "root" | "0") {
            let message = format!("{reader} passes over `{path}`, since it is not root's");
            found.push(Found::new(format!("files[{index}].owner"), message).suggest("leave out `owner`"));
        }
    }
    found
}

fn file_replaces(context: &Context<'_>) -> Vec<Found> {
    let files = &context.request.node.files;
    let found = |entry: &ChangeEntry| {
        let at = entry.origins.iter().position(|origin| origin == "node files")?;
        // A package's file, such as a conffile, is there to be replaced.
        let is_ours =
            |origin: &&String| ["node ", "overlay ", "cluster "].iter().any(|kind| origin.starts_with(kind));
        let writer = entry.origins[..at].iter().find(is_ours)?;
        let index = files.iter().position(|file| plain_path(&file.path) == entry.path.to_string());
        let setting = index.map_or("files".to_owned(), |index| format!("files[{index}].path"));
        let message = format!("{} is written already ({writer}), and would be replaced", entry.path);
        Some(Found::new(setting, message).suggest("say it in that setting, or give another path"))
    };
    context.changes.iter().filter_map(found).collect()
}

fn file_not_run(context: &Context<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (index, file) in context.request.node.files.iter().enumerate() {
        let content = file.content().unwrap_or_default();
        let mode = file.permissions().unwrap_or_default();
        let path = plain_path(&file.path);
        let is_script = content.starts_with(b"#!");
        let is_program = is_script || content.starts_with(b"\x7fELF");
        let above = path.rsplit_once('/').map(|(above, _)| above);
        let among_programs = path == RC_LOCAL || above.is_some_and(|above| PROGRAMS.contains(&above));
        if is_program && among_programs && mode & 0o111 == 0 {
            let message = format!("nobody may run `{path}`, whose mode is {mode:04o}");
            found.push(Found::new(format!("files[{index}]"), message).suggest("`mode: '0755'`"));
        }
        if is_script && (among_programs || mode & 0o111 != 0) {
            let text = String::from_utf8_lossy(content);
            let wrong = check_script(&text).err().or_else(|| missing(context, interpreter(&text)?));
            let setting = format!("files[{index}]");
            found.extend(wrong.map(|wrong| Found::new(setting, format!("`{path}` does not run: {wrong}"))));
        }
    }
    found
}

/// What is said of an `interpreter` that the node does not have.
fn missing(context: &Context<'_>, interpreter: &str) -> Option<String> {
    let is_missing = context.survey.has_command(interpreter) == Some(false);
    let package = scripts::package_of(interpreter);
    let message = format!(
        "the node does not have {interpreter}; give the package that has it, such as `packages: [{package}]`"
    );
    is_missing.then_some(message)
}

fn unit_not_started(context: &Context<'_>) -> Vec<Found> {
    let node = &context.request.node;
    let mut found = Vec::new();
    for (index, file) in node.files.iter().enumerate() {
        let path = plain_path(&file.path);
        let Some(unit) = path.strip_prefix(UNITS).and_then(|rest| rest.strip_prefix('/')) else { continue };
        let is_unit = KINDS.iter().any(|kind| unit.ends_with(kind)) && !unit.contains(['/', '@']);
        let is_enabled = context.survey.units.is_enabled(unit);
        if !is_unit || is_enabled || !has_install_section(file) || is_named_elsewhere(context, index, unit) {
            continue;
        }
        let message = format!("nothing starts `{unit}`: it is there and not enabled");
        let script = format!(
            "`run-once: [{{ name: units, script: \"#!/bin/sh\\nsystemctl enable --now {unit}\\n\" }}]`"
        );
        found.push(
            Found::new(format!("files[{index}]"), message)
                .suggest(format!("give {script}, or have an overlay enable it")),
        );
    }
    found
}

fn has_install_section(file: &ExtraFile) -> bool {
    let text = String::from_utf8_lossy(file.content().unwrap_or_default());
    text.lines().any(|line| line.trim() == "[Install]")
}

/// Whether another file, or a script of the first boot, speaks of `unit`.
fn is_named_elsewhere(context: &Context<'_>, index: usize, unit: &str) -> bool {
    let node = &context.request.node;
    let name = unit.strip_suffix(".service").unwrap_or(unit);
    let others = node.files.iter().enumerate().filter(|(other, _)| *other != index);
    let others = others.filter_map(|(_, file)| file.content());
    let scripts = node.run_once.iter().filter_map(|script| script.text()).map(str::as_bytes);
    others.chain(scripts).any(|text| text.windows(name.len()).any(|part| part == name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::stand_in::{Node, link};

    fn found(rule: &str, file: &str) -> Vec<String> {
        Node::of(&format!("files: [{{ {file} }}]")).findings(rule)
    }

    #[test]
    fn what_its_reader_passes_over_is_told_with_what_it_reads() {
        for (path, said) in [
            (
                "/etc/sudoers.d/ops.conf",
                "sudo passes over `/etc/sudoers.d/ops.conf`: it reads names without a dot only",
            ),
            (
                "/etc/cron.daily/backup.sh",
                "run-parts passes over `/etc/cron.daily/backup.sh`: it reads names of letters, digits, `-` and `_` only",
            ),
            (
                "/etc//sysctl.d/90-raid",
                "systemd-sysctl passes over `/etc/sysctl.d/90-raid`: it reads `*.conf` only",
            ),
            ("/etc/sysctl.d/.conf", "systemd-sysctl passes over"),
            (
                "/etc/systemd/network/eth0.conf",
                "systemd-networkd passes over `/etc/systemd/network/eth0.conf`: it reads `*.network`, `*.netdev`, `*.link` only",
            ),
            ("/etc/systemd/system/kubelet.service.d/limits", "systemd passes over"),
            ("/etc/systemd/journald.conf.d/size", "systemd passes over"),
            (
                "/etc/apt/apt.conf.d/99proxy.txt",
                "apt passes over `/etc/apt/apt.conf.d/99proxy.txt`: it reads `*.conf` and names without a dot only",
            ),
            ("/usr/local/share/ca-certificates/home.pem", "update-ca-certificates passes over"),
        ] {
            let said = format!("files[0].path: {said}");
            let all = found("file-unread", &format!("path: {path}, content: x"));
            assert!(all.len() == 1 && all[0].starts_with(&said), "{all:?}");
        }
    }

    #[test]
    fn what_is_read_and_what_nobody_else_reads_is_fine() {
        for path in [
            "/etc/sudoers.d/ops",
            "/etc/cron.d/backup_2",
            "/etc/sysctl.d/90-raid.conf",
            "/etc/systemd/network/10-eth0.network",
            "/etc/systemd/network/10-eth0.network.d/dns.conf",
            "/etc/systemd/system/kubelet.service.d/limits.conf",
            "/etc/systemd/system/x.service",
            "/etc/apt/apt.conf.d/99proxy",
            "/etc/motd",
            "/srv/sysctl.d/x",
        ] {
            assert!(found("file-unread", &format!("path: {path}, content: x")).is_empty(), "{path}");
        }
    }

    #[test]
    fn some_readers_want_files_that_are_roots_alone() {
        let wifi = "path: /etc/NetworkManager/system-connections/home.nmconnection, content: x";
        assert_eq!(
            found("file-unread", wifi),
            [
                "files[0].mode: NetworkManager passes over `/etc/NetworkManager/system-connections/home.nmconnection`, \
              since others may read it; `mode: '0600'`"
            ]
        );
        assert!(found("file-unread", &format!("{wifi}, secret: true")).is_empty());
        assert!(
            found("file-unread", &format!("{wifi}, secret: true, owner: '1000'"))[0]
                .contains("is not root's")
        );
        assert!(
            found("file-unread", "path: /etc/cron.d/x, content: x, mode: '0666'")[0]
                .contains("`mode: '0644'`")
        );
    }

    #[test]
    fn what_another_setting_writes_is_not_replaced() {
        let both = |first: &str| {
            let entry = link("/home/ops/.ssh/authorized_keys", first);
            let origins = vec![first.to_owned(), "node files".to_owned()];
            ChangeEntry { origins, ..entry }
        };
        let node = Node::of("files: [{ path: /home/ops/.ssh/authorized_keys, content: x }]");
        let found = node.clone().changing([both("node users")]).findings("file-replaces");
        assert!(
            found[0]
                .starts_with("files[0].path: /home/ops/.ssh/authorized_keys is written already (node users)"),
            "{found:?}"
        );
        assert!(node.changing([both("package x 1 all")]).findings("file-replaces").is_empty());
    }

    #[test]
    fn keys_of_the_host_are_its_own() {
        let key = |path: &str| found("file-unread", &format!("path: {path}, content: x"));
        assert!(key("/etc/ssh/ssh_host_rsa_key")[0].contains("others may read it"));
        assert!(key("/etc/ssh/ssh_host_rsa_key.pub").is_empty());
    }

    #[test]
    fn a_program_that_nobody_may_run_or_nothing_runs_is_told() {
        let program = |more: &str| found("file-not-run", &format!("path: /usr/local/bin/x, content: {more}"));
        assert_eq!(
            program("\"#!/bin/sh\\n\", mode: '0644'")[0],
            "files[0]: nobody may run `/usr/local/bin/x`, whose mode is 0644; `mode: '0755'`"
        );
        assert!(program("\"#!/bin/sh\\r\\n\", mode: '0755'")[0].contains("end with CR LF"));
        assert!(program("\"#!/usr/bin/perl\\n\", mode: '0755'")[0].contains("`packages: [perl]`"));
        assert!(program("\"#!/opt/x/bin/perl\\n\", mode: '0755'").is_empty());
        assert!(program("a table").is_empty());
        assert!(found("file-not-run", "path: /srv/x.sh, content: \"#!/bin/sh\\n\"").is_empty());
    }

    #[test]
    fn a_unit_that_nothing_starts_is_told() {
        let unit = "path: /etc/systemd/system/nas.service, content: \"[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n\"";
        let all = found("unit-not-started", unit);
        assert!(all[0].starts_with("files[0]: nothing starts `nas.service`"), "{all:?}");
        let node = Node::of(&format!("files: [{{ {unit} }}]"));
        assert!(node.enabling("nas.service").findings("unit-not-started").is_empty());
        let script = format!(
            "files: [{{ {unit} }}]\nrun-once: [{{ name: a, script: \"#!/bin/sh\\nsystemctl enable nas\\n\" }}]"
        );
        assert!(Node::of(&script).findings("unit-not-started").is_empty());
        // One that something else starts has no such section.
        assert!(
            found("unit-not-started", "path: /etc/systemd/system/nas.service, content: '[Service]'")
                .is_empty()
        );
    }
}
