//! Plans over small bases, with the repository's own profiles, vendors and overlays.

use std::{
    fs,
    path::{Path, PathBuf},
};

use imgforge::{
    catalogue::Catalogue,
    image::change::{Access, Action, Change, Origin, Volume},
    plan::{self, Draft, Pinned, Request},
    supply::pin::Additions,
    target::node::Node,
    yaml,
};
use imgforge_spec::{Diagnose, ImagePath, Role, Sha256};
use tempfile::TempDir;

use crate::tree::MemoryTree;

pub const EPOCH: i64 = 1_770_000_000;

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub fn catalogue() -> Catalogue {
    Catalogue::load(vec![repository().join("board-profiles")]).unwrap()
}

pub fn request(board: &str, role: Role, node: &str) -> Request {
    let node: Node = yaml::parse(Path::new("node.yaml"), node).unwrap();
    node.check().unwrap();
    Request {
        board: catalogue().board(board).unwrap(),
        role,
        node,
        source: None,
        membership: None,
        kubernetes: None,
        engine: Default::default(),
        overlays: repository().join("overlays"),
    }
}

/// The request over some base.
pub fn pinned(request: &Request) -> Pinned {
    Pinned { request: request.clone(), base: Sha256::of(b""), epoch: EPOCH }
}

/// What every Debian has, and what the boards' vendors add.
pub fn root() -> MemoryTree {
    let shadow = Access { mode: 0o640, uid: 0, gid: 42 };
    MemoryTree::of(&[
        ("/etc/hostname", "vendor\n"),
        ("/etc/hosts", "127.0.0.1\tlocalhost\n127.0.1.1\tvendor\n"),
        ("/etc/fstab", "UUID=1 / ext4 defaults 0 1\n"),
        ("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\npi:x:1000:1000::/home/pi:/usr/sbin/nologin\n"),
        ("/etc/group", "root:x:0:\npi:x:1000:\n"),
        ("/etc/skel/.profile", "# profile\n"),
        ("/usr/bin/sudo", "ELF"),
        ("/boot/armbianEnv.txt", "verbosity=1\nextraargs=net.ifnames=0\n"),
        ("/usr/lib/systemd/system/ssh.service", "[Install]\nWantedBy=multi-user.target\n"),
        ("/usr/lib/systemd/system/systemd-networkd.service", "[Install]\nWantedBy=multi-user.target\n"),
        ("/etc/ssh/ssh_host_rsa_key", "secret"),
        ("/root/.not_logged_in_yet", ""),
    ])
    .with_file("/etc/shadow", "root:$y$1234:1::::::\npi:!:1::::::\n", shadow)
    .with_file("/etc/gshadow", "root:*::\n", shadow)
    .with_link("/lib", "usr/lib")
}

pub fn boot() -> MemoryTree {
    MemoryTree::of(&[
        ("/cmdline.txt", "console=tty1 root=PARTUUID=4f2c9ea0-02 rootwait resize\n"),
        ("/loader/entries/debian.conf", "title Debian\noptions root=PARTUUID=x console=ttyAMA0\n"),
    ])
}

fn plan_of(request: &Request) -> Vec<Change> {
    let has_boot = request.board.profile.layout.boot.is_some();
    let boot = boot();
    plan::plan(&pinned(request), &Additions::default(), &root(), has_boot.then_some(&boot as _)).unwrap()
}

pub fn change<'a>(changes: &'a [Change], volume: Volume, path: &str) -> &'a Change {
    let path = ImagePath::new(path).unwrap();
    changes
        .iter()
        .find(|c| c.volume == volume && c.path == path)
        .unwrap_or_else(|| panic!("no change of {path}"))
}

pub fn text(changes: &[Change], volume: Volume, path: &str) -> String {
    let Action::File { bytes, .. } = &change(changes, volume, path).action else {
        panic!("{path} is no file")
    };
    let mut plain = vec![0; bytes.content.len() as usize];
    bytes.content.read_at(0, &mut plain).unwrap();
    String::from_utf8(plain).unwrap()
}

#[test]
fn every_board_can_be_planned_in_every_role() {
    let catalogue = catalogue();
    for profile in catalogue.profiles() {
        for role in [Role::Base, Role::Master, Role::Worker] {
            let changes = plan_of(&request(profile.board.as_str(), role, ""));
            let hostname = text(&changes, Volume::Root, "/etc/hostname");
            assert_eq!(hostname, format!("{}-{}\n", profile.board, role.name()));
        }
    }
}

#[test]
fn boards_are_found_by_their_aliases() {
    for alias in ["roc-rk3328-cc", "renegade"] {
        assert_eq!(request(alias, Role::Base, "").board.profile.board.as_str(), "rk3328");
    }
}

#[test]
fn an_unknown_board_is_answered_with_the_nearest_one() {
    let catalogue = catalogue();
    let error = catalogue.find("rk3382").unwrap_err();
    assert_eq!(error.to_string(), "no board is called `rk3382`");
    assert_eq!(imgforge::build::error::Error::from(error).hint().as_deref(), Some("did you mean `rk3328`?"));
}

#[test]
fn a_hostname_is_in_both_files() {
    let changes = plan_of(&request("rk3328", Role::Master, "hostname: k8s-master-1"));
    assert_eq!(text(&changes, Volume::Root, "/etc/hostname"), "k8s-master-1\n");
    assert_eq!(text(&changes, Volume::Root, "/etc/hosts"), "127.0.0.1\tlocalhost\n127.0.1.1\tk8s-master-1\n");
}

#[test]
fn mounts_follow_the_vendors_own() {
    let node = "mounts: [{source: UUID=a, target: /mnt/root}]\n\
                storage: [{path: /var/lib/etcd, on: /mnt/root/var/lib/etcd}]";
    let changes = plan_of(&request("rk3328", Role::Master, node));
    assert_eq!(
        text(&changes, Volume::Root, "/etc/fstab"),
        "UUID=1 / ext4 defaults 0 1\n\
         UUID=a /mnt/root ext4 defaults,nofail,x-systemd.device-timeout=30s 0 2\n\
         /mnt/root/var/lib/etcd /var/lib/etcd none bind,nofail 0 0\n"
    );
    for mount_point in ["/mnt/root", "/var/lib/etcd"] {
        let made = &change(&changes, Volume::Root, mount_point).action;
        assert!(matches!(made, Action::Directory { .. }), "{mount_point}");
    }
    let declared = text(&changes, Volume::Root, "/etc/imgforge/mounts");
    assert!(declared.contains("disk required UUID=a /mnt/root\n"), "{declared}");
    assert!(declared.contains("bind required /mnt/root/var/lib/etcd /var/lib/etcd\n"), "{declared}");
}

#[test]
fn a_share_brings_its_package_along() {
    let node = "packages: [htop]\nmounts: [{source: 'nas:/a', target: /mnt/a, type: nfs}, \
                {source: 'nas:/b', target: /mnt/b, type: nfs4}, {source: tmpfs, target: /mnt/c, type: tmpfs}]";
    let request = request("rk3328", Role::Base, node);
    let wanted = |request: &Request| plan::packages_wanted(request).unwrap();
    assert!(wanted(&request).ends_with(&["htop".into(), "nfs-common".into()]), "{:?}", wanted(&request));
    assert_eq!(wanted(&request.release()), wanted(&request), "one lock for both layers");
}

/// The link is what other programs read; in its place there would be nothing but our lines.
#[test]
fn a_file_behind_a_link_is_edited_where_it_is() {
    let request = request(
        "rk3328",
        Role::Base,
        "{mounts: [{source: LABEL=x, target: /data}], kernel-arguments: [quiet]}",
    );
    let root = MemoryTree::of(&[
        ("/etc/hosts", ""),
        ("/usr/fstab", "UUID=1 / ext4 defaults 0 1\n"),
        ("/boot/env.txt", "rootdev=UUID=1\n"),
    ]);
    let root = root.with_link("/etc/fstab", "../usr/fstab").with_link("/boot/armbianEnv.txt", "env.txt");
    let changes = plan::plan(&pinned(&request), &Additions::default(), &root, None).unwrap();
    assert!(
        text(&changes, Volume::Root, "/usr/fstab").starts_with("UUID=1 / ext4 defaults 0 1\nLABEL=x /data")
    );
    assert!(text(&changes, Volume::Root, "/boot/env.txt").starts_with("rootdev=UUID=1\nextraargs="));
    assert!(changes.iter().all(|change| change.path.to_string() != "/etc/fstab"));
}

#[test]
fn a_mount_the_vendor_has_is_refused() {
    let request = request("rk3328", Role::Base, "mounts: [{source: LABEL=x, target: /data}]");
    let root = MemoryTree::of(&[("/etc/hosts", ""), ("/etc/fstab", "LABEL=y /data ext4 defaults 0 0\n")]);
    let error = plan::plan(&pinned(&request), &Additions::default(), &root, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "mounts[0].target: the base's own /etc/fstab already mounts something on /data"
    );
}

#[test]
fn a_new_user_gets_the_next_id_a_home_and_keys() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D me@home";
    let node = format!("users: [{{name: ops, sudo: true, ssh-keys: ['{key}']}}]");
    let changes = plan_of(&request("rk3328", Role::Base, &node));
    assert!(
        text(&changes, Volume::Root, "/etc/passwd").ends_with("ops:x:1001:1001:,,,:/home/ops:/bin/bash\n")
    );
    assert!(text(&changes, Volume::Root, "/etc/shadow").ends_with("ops:!:20486:0:99999:7:::\n"));
    assert_eq!(text(&changes, Volume::Root, "/home/ops/.ssh/authorized_keys"), format!("{key}\n"));
    assert_eq!(text(&changes, Volume::Root, "/home/ops/.profile"), "# profile\n");
    let Action::File { attributes, .. } = &change(&changes, Volume::Root, "/etc/shadow").action else {
        panic!()
    };
    assert_eq!(
        attributes.access,
        Access { mode: 0o640, uid: 0, gid: 42 },
        "the vendor's mode and owner stay"
    );
    let Action::File { attributes, .. } =
        &change(&changes, Volume::Root, "/etc/sudoers.d/imgforge-ops").action
    else {
        panic!()
    };
    assert_eq!(attributes.access, Access::root(0o440));
}

#[test]
fn a_user_of_the_base_keeps_its_ids_and_gets_a_shell() {
    let node = "users: [{name: pi, password-hash: '$y$j9T$x$0000000000000000000000000000000000000000000'}]";
    let changes = plan_of(&request("rpi4", Role::Base, node));
    assert!(text(&changes, Volume::Root, "/etc/passwd").contains("pi:x:1000:1000::/home/pi:/bin/bash\n"));
    assert!(
        text(&changes, Volume::Root, "/etc/shadow")
            .contains("pi:$y$j9T$x$0000000000000000000000000000000000000000000:")
    );
}

#[test]
fn the_command_line_is_changed_where_the_vendor_keeps_it() {
    let node = "kernel-arguments: [quiet]";
    let armbian = plan_of(&request("rk3328", Role::Worker, node));
    assert_eq!(
        text(&armbian, Volume::Root, "/boot/armbianEnv.txt"),
        "verbosity=1\nextraargs=net.ifnames=0 quiet\n"
    );
    let raspberry = plan_of(&request("rpi4", Role::Worker, node));
    assert_eq!(
        text(&raspberry, Volume::Boot, "/cmdline.txt"),
        "console=tty1 root=PARTUUID=4f2c9ea0-02 rootwait resize cgroup_enable=memory quiet\n"
    );
    let debian = plan_of(&request("virt-arm64", Role::Worker, node));
    assert!(text(&debian, Volume::Boot, "/loader/entries/debian.conf").contains("console=ttyAMA0 quiet\n"));
}

#[test]
fn what_a_card_was_customised_with_does_not_overrule_the_node() {
    let card = MemoryTree::of(&[
        (
            "/CMDLINE.TXT",
            "console=tty1 rootwait init=/usr/lib/raspberrypi-sys-mods/firstboot systemd.run=/boot/firmware/firstrun.sh \
             systemd.run_success_action=reboot systemd.unit=kernel-command-line.target\r\n",
        ),
        ("/config.txt", "arm_64bit=1\n"),
        ("/Custom.toml", "config_version = 1\n"),
        ("/firstrun.sh", "#!/bin/bash\n"),
        ("/userconf.txt", "pi:$6$x\n"),
    ]);
    let request = request("rpi4", Role::Worker, "kernel-arguments: [quiet]");
    let changes = plan::plan(&pinned(&request), &Additions::default(), &root(), Some(&card)).unwrap();
    assert_eq!(
        text(&changes, Volume::Boot, "/CMDLINE.TXT"),
        "console=tty1 rootwait init=/usr/lib/raspberrypi-sys-mods/firstboot cgroup_enable=memory quiet\r\n"
    );
    for path in ["/Custom.toml", "/firstrun.sh", "/userconf.txt"] {
        let gone = change(&changes, Volume::Boot, path);
        assert!(matches!(gone.action, Action::Remove), "{path}");
        assert_eq!(gone.origins[..], [Origin::Overlay("vendors/raspberrypi".into())]);
    }
    assert_eq!(changes.iter().filter(|change| change.volume == Volume::Boot).count(), 4);
}

#[test]
fn a_plain_node_has_nothing_of_kubernetes() {
    let changes = plan_of(&request("rpi4", Role::Base, ""));
    assert!(!changes.iter().any(|c| c.volume == Volume::Boot), "no cgroup word without Kubernetes");
    let enabled: Vec<String> =
        changes.iter().map(|c| c.path.to_string()).filter(|p| p.contains(".wants/")).collect();
    assert!(!enabled.iter().any(|path| path.contains("kubeadm")), "{enabled:?}");
}

#[test]
fn the_vendors_identity_and_dialogues_go() {
    let changes = plan_of(&request("rk3328", Role::Base, ""));
    for path in ["/etc/ssh/ssh_host_rsa_key", "/root/.not_logged_in_yet"] {
        assert!(matches!(change(&changes, Volume::Root, path).action, Action::Remove), "{path}");
    }
    assert_eq!(text(&changes, Volume::Root, "/etc/machine-id"), "uninitialized\n");
}

#[test]
fn the_bases_passwords_are_locked_and_the_plan_says_who_did_it() {
    let shadow =
        "root:$y$1:1::::::\nold:abJnggxhB/yWI:1::::::\nopen::1::::::\ndaemon:*:1::::::\npi:!$6$x:1::::::\n";
    let passwd =
        "root:x:0:0::/root:/bin/bash\nbare::1001:1001::/home/bare:/bin/sh\npi:x:1000:1000::/:/bin/sh\n";
    let base = root().with_file("/etc/shadow", shadow, Access::root(0o640));
    let base = base.with_file("/etc/passwd", passwd, Access::root(0o644));
    let node = "users: [{name: pi, password-hash: '$y$j9T$x$0000000000000000000000000000000000000000000'}]";
    let request = request("rk3328", Role::Base, node);
    let changes = plan::plan(&pinned(&request), &Additions::default(), &base, None).unwrap();
    assert_eq!(
        text(&changes, Volume::Root, "/etc/shadow"),
        "root:!:1::::::\nold:!:1::::::\nopen:!:1::::::\ndaemon:*:1::::::\npi:$y$j9T$x$0000000000000000000000000000000000000000000:20486:0:99999:7:::\n"
    );
    assert!(text(&changes, Volume::Root, "/etc/passwd").contains("\nbare:!:1001:"));
    let origins = &change(&changes, Volume::Root, "/etc/shadow").origins;
    assert_eq!(origins[..], [Origin::Overlay("common".into()), Origin::Node("users")]);
}

#[test]
fn a_base_of_many_accounts_has_an_id_for_one_more() {
    let accounts = (1000..59_999).map(|id| format!("u{id}:x:{id}:{id}::/:/bin/sh\n"));
    let base = root().with_file("/etc/passwd", &accounts.collect::<String>(), Access::root(0o644));
    let request = request("rk3328", Role::Base, "users: [{name: ops}]");
    let changes = plan::plan(&pinned(&request), &Additions::default(), &base, None).unwrap();
    let passwd = text(&changes, Volume::Root, "/etc/passwd");
    assert!(passwd.ends_with("ops:x:59999:59999:,,,:/home/ops:/bin/bash\n"));
}

#[test]
fn a_home_that_the_base_lacks_is_its_owners_and_links_lead_to_it() {
    let passwd = "svc:x:1007:1008::/srv/svc:/usr/sbin/nologin\nlinked:x:1009:1009::/home/linked:/bin/sh\n";
    let base = root().with_file("/etc/passwd", passwd, Access::root(0o644));
    let base = base.with_link("/home/linked", "/data/linked");
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D me";
    let node = format!("users: [{{name: svc, ssh-keys: ['{key}']}}, {{name: linked, ssh-keys: ['{key}']}}]");
    let request = request("rk3328", Role::Base, &node);
    let changes = plan::plan(&pinned(&request), &Additions::default(), &base, None).unwrap();
    for (path, mode, uid, gid) in
        [("/srv/svc", 0o700, 1007, 1008), ("/srv", 0o755, 0, 0), ("/data/linked", 0o700, 1009, 1009)]
    {
        let Action::Directory { attributes } = &change(&changes, Volume::Root, path).action else {
            panic!("{path} is no directory")
        };
        assert_eq!(attributes.access, Access { mode, uid, gid }, "{path}");
    }
}

#[test]
fn a_first_boot_enables_nothing_by_preset() {
    let changes = plan_of(&request("rk3328", Role::Base, ""));
    let preset = text(&changes, Volume::Root, "/usr/lib/systemd/system-preset/00-imgforge.preset");
    assert!(preset.lines().any(|line| line == "disable *"), "{preset}");
}

#[test]
fn what_is_taken_away_stays_so_when_something_else_is_put_there() {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("common/root/etc/skel")).unwrap();
    fs::write(folder.path().join("common/overlay.yaml"), "remove: [/etc/skel]\n").unwrap();
    fs::write(folder.path().join("common/root/etc/skel/.bashrc"), "# new\n").unwrap();
    let node = "users: [{name: ops}]";
    let request = Request { overlays: folder.path().to_owned(), ..request("rk3328", Role::Base, node) };
    let changes = plan::plan(&pinned(&request), &Additions::default(), &root(), None).unwrap();
    let skel = ImagePath::new("/etc/skel").unwrap();
    let actions: Vec<&Action> = changes.iter().filter(|c| c.path == skel).map(|c| &c.action).collect();
    assert!(matches!(actions[..], [Action::Remove, Action::Directory { .. }]), "{actions:?}");
    assert_eq!(text(&changes, Volume::Root, "/home/ops/.bashrc"), "# new\n");
    let home = ImagePath::new("/home/ops/.profile").unwrap();
    assert!(!changes.iter().any(|c| c.path == home), "the vendor's skeleton is gone");
}

#[test]
fn a_pattern_of_many_stars_ends() {
    // Each star more would double what trying every way takes; imgforge-debian counts the steps.
    let name = "a".repeat(255);
    let tree = MemoryTree::of(&[(&format!("/etc/{name}"), "")]);
    let draft = Draft::new(&tree, None);
    let matching = |pattern: &str| draft.matching(Volume::Root, &ImagePath::new(pattern).unwrap()).unwrap();
    assert_eq!(matching("/etc/*a*a*a*a*a*a*a*a*a*a*a*a*z"), []);
    assert_eq!(matching("/*/*a*a*a*a*a*a*a*a*a*a*a*a*"), [ImagePath::new(format!("/etc/{name}")).unwrap()]);
}

#[test]
fn changes_of_a_path_through_a_link_are_at_its_real_place() {
    let changes = plan_of(&request("virt-arm64", Role::Master, ""));
    assert!(!changes.iter().any(|c| c.path.as_bytes().starts_with(b"/lib/")));
}

#[test]
fn a_template_with_an_unknown_variable_is_an_error() {
    let folder = TempDir::new().unwrap();
    let overlay = folder.path().join("common");
    fs::create_dir_all(overlay.join("root/etc")).unwrap();
    fs::write(overlay.join("overlay.yaml"), "files: {/etc/x: {template: true}}\n").unwrap();
    fs::write(overlay.join("root/etc/x"), "a\n{{ node.hostnam }}\n").unwrap();
    let request = Request { overlays: folder.path().to_owned(), ..request("rk3328", Role::Base, "") };
    let error = plan::plan(&pinned(&request), &Additions::default(), &root(), None).unwrap_err().to_string();
    assert!(error.ends_with("common/root/etc/x: line 2: `node.hostnam` is undefined"), "{error}");
}

#[test]
fn a_declaration_without_its_file_is_an_error() {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("common")).unwrap();
    fs::write(folder.path().join("common/overlay.yaml"), "files: {/etc/x: {mode: '0600'}}\n").unwrap();
    let request = Request { overlays: folder.path().to_owned(), ..request("rk3328", Role::Base, "") };
    let error = plan::plan(&pinned(&request), &Additions::default(), &root(), None).unwrap_err().to_string();
    assert!(error.contains("files: /etc/x is declared"), "{error}");
}

#[test]
fn a_unit_that_is_nowhere_cannot_be_enabled() {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("common")).unwrap();
    fs::write(folder.path().join("common/overlay.yaml"), "enable: [absent.service]\n").unwrap();
    let request = Request { overlays: folder.path().to_owned(), ..request("rk3328", Role::Base, "") };
    let error = plan::plan(&pinned(&request), &Additions::default(), &root(), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "overlay common enables absent.service, but neither the overlays nor the base have such a unit"
    );
}

#[test]
fn a_second_address_is_written_beside_the_first() {
    let node = "address: { address: 192.168.1.10/24, second: 'fd00:1::10/64' }";
    let raspberry = plan_of(&request("rpi4", Role::Base, node));
    let network = text(&raspberry, Volume::Root, "/etc/systemd/network/05-imgforge.network");
    assert!(network.ends_with("[Network]\nAddress=192.168.1.10/24\nAddress=fd00:1::10/64\n"), "{network}");
    let connection = "/etc/NetworkManager/system-connections/imgforge.nmconnection";
    let keyfile = text(&raspberry, Volume::Root, connection);
    let sections =
        "[ipv4]\nmethod=manual\naddress1=192.168.1.10/24\n\n[ipv6]\nmethod=manual\naddress1=fd00:1::10/64\n";
    assert!(keyfile.ends_with(sections), "{keyfile}");
}

/// NetworkManager takes no part of a file whose router or name server is of another family than its section.
#[test]
fn routers_and_name_servers_go_to_their_own_family() {
    let keyfile = |node: &str| {
        let changes = plan_of(&request("rpi4", Role::Base, &format!("address: {{ {node} }}")));
        let connection = "/etc/NetworkManager/system-connections/imgforge.nmconnection";
        let keyfile = text(&changes, Volume::Root, connection);
        keyfile[keyfile.find("\n[ip").unwrap()..].to_owned()
    };
    assert_eq!(
        keyfile(
            "address: 192.168.1.10/24, second: 'fd00:1::10/64', gateway: 'fe80::1', dns: ['fd00::53', 9.9.9.9]"
        ),
        "\n[ipv4]\nmethod=manual\naddress1=192.168.1.10/24\ndns=9.9.9.9;\n\n\
         [ipv6]\nmethod=manual\naddress1=fd00:1::10/64,fe80::1\ndns=fd00::53;\n"
    );
    assert_eq!(
        keyfile("address: 192.168.1.10/24, gateway: 192.168.1.1, dns: ['fd00::53']"),
        "\n[ipv4]\nmethod=manual\naddress1=192.168.1.10/24,192.168.1.1\n\n[ipv6]\nmethod=auto\ndns=fd00::53;\n"
    );
}

#[test]
fn an_address_in_a_vlan_is_on_a_card_of_its_own_behind_the_named_one() {
    let plan = |card: &str| {
        let address = format!(
            "address: {{ address: 192.168.20.10/24, gateway: 192.168.20.1, vlan: 20, interface: '{card}' }}"
        );
        plan_of(&request("rpi4", Role::Base, &address))
    };
    let read = |changes: &[Change], path: &str| {
        let whole = text(changes, Volume::Root, path);
        whole.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
    };
    let named = plan("end0");
    let networkd = |changes: &[Change], name: &str| read(changes, &format!("/etc/systemd/network/{name}"));
    assert_eq!(
        networkd(&named, "05-imgforge-vlan.netdev"),
        "[NetDev]\nName=vlan20\nKind=vlan\n\n[VLAN]\nId=20"
    );
    let behind = "[Network]\nVLAN=vlan20\nLinkLocalAddressing=no\nIPv6AcceptRA=no";
    assert_eq!(networkd(&named, "05-imgforge-vlan.network"), format!("[Match]\nName=end0\n\n{behind}"));
    let own = "[Match]\nName=vlan20\n\n[Network]\nAddress=192.168.20.10/24\nGateway=192.168.20.1";
    assert_eq!(networkd(&named, "05-imgforge.network"), own);
    let hardware = plan("02:00:5e:10:00:01");
    let wanted = format!("[Match]\nPermanentMACAddress=02:00:5e:10:00:01\nKind=!*\n\n{behind}");
    assert_eq!(networkd(&hardware, "05-imgforge-vlan.network"), wanted);

    let keyfile = |changes: &[Change], name: &str| {
        read(changes, &format!("/etc/NetworkManager/system-connections/{name}.nmconnection"))
    };
    let connection = "[connection]\nid=imgforge\ntype=vlan\nautoconnect-priority=999\ninterface-name=vlan20\n\n[vlan]\nflags=1\nid=20\n";
    let ipv4 = "\n[ipv4]\nmethod=manual\naddress1=192.168.20.10/24,192.168.20.1";
    assert_eq!(keyfile(&named, "imgforge"), format!("{connection}parent=end0\n{ipv4}"));
    let ethernet = "\n[ethernet]\nmac-address=02:00:5e:10:00:01\n";
    assert_eq!(keyfile(&hardware, "imgforge"), format!("{connection}{ethernet}{ipv4}"));
    assert!(keyfile(&named, "imgforge-vlan").contains("\ninterface-name=end0\n\n[ipv4]\nmethod=disabled\n"));
    let without = plan_of(&request("rpi4", Role::Base, "address: { address: 192.168.20.10/24 }"));
    assert!(!without.iter().any(|change| change.path.to_string().contains("vlan")));
}

#[test]
fn an_address_and_time_servers_are_written_where_the_vendor_looks() {
    let node = "address: { address: 192.168.1.10/24, gateway: 192.168.1.1, dns: [192.168.1.1, 9.9.9.9] }\n\
                time-servers: [ntp.home, 192.168.1.1]";
    let raspberry = plan_of(&request("rpi4", Role::Base, node));
    assert_eq!(
        text(&raspberry, Volume::Root, "/etc/systemd/network/05-imgforge.network"),
        "# The node's static address, for systemd-networkd. Comes before what the vendor says of wired interfaces. A hardware address is\n\
         # the one that the interface was made with: a vendor's first run may give it a random one.\n\
         [Match]\nType=ether\nKind=!*\n\n\
         [Network]\nAddress=192.168.1.10/24\nGateway=192.168.1.1\nDNS=192.168.1.1\nDNS=9.9.9.9\n"
    );
    let connection = "/etc/NetworkManager/system-connections/imgforge.nmconnection";
    let keyfile = text(&raspberry, Volume::Root, connection);
    assert!(
        keyfile.ends_with(
            "[ipv4]\nmethod=manual\naddress1=192.168.1.10/24,192.168.1.1\ndns=192.168.1.1;9.9.9.9;\n"
        ),
        "{keyfile}"
    );
    let Action::File { attributes, .. } = &change(&raspberry, Volume::Root, connection).action else {
        panic!()
    };
    assert_eq!(attributes.access, Access::root(0o600), "NetworkManager ignores a file that others can read");
    let time = "/etc/systemd/timesyncd.conf.d/50-imgforge.conf";
    assert_eq!(text(&raspberry, Volume::Root, time), "[Time]\nNTP=ntp.home 192.168.1.1\n");
    let armbian = plan_of(&request("rk3328", Role::Base, node));
    let sources = text(&armbian, Volume::Root, "/etc/chrony/sources.d/imgforge.sources");
    assert_eq!(sources, "server ntp.home iburst prefer\nserver 192.168.1.1 iburst prefer\n");
}

#[test]
fn of_several_cards_only_the_one_that_is_named_has_the_address() {
    for (interface, networkd, manager) in [
        (
            "end0",
            "[Match]\nName=end0\n\n[Network]",
            "autoconnect-priority=999\ninterface-name=end0\n\n[ipv4]",
        ),
        (
            "02:00:5E:10:00:01",
            "[Match]\nPermanentMACAddress=02:00:5e:10:00:01\nKind=!*\n\n[Network]",
            "autoconnect-priority=999\n\n[ethernet]\nmac-address=02:00:5e:10:00:01\n\n[ipv4]",
        ),
    ] {
        let node = format!("address: {{ address: 192.168.1.10/24, interface: {interface} }}");
        let changes = plan_of(&request("rpi4", Role::Base, &node));
        let network = text(&changes, Volume::Root, "/etc/systemd/network/05-imgforge.network");
        assert!(network.contains(networkd), "{network}");
        let connection = "/etc/NetworkManager/system-connections/imgforge.nmconnection";
        let keyfile = text(&changes, Volume::Root, connection);
        assert!(keyfile.contains(manager), "{keyfile}");
    }
}

#[test]
fn a_node_that_says_nothing_keeps_the_vendors_network_and_time() {
    for board in ["rpi4", "rk3328", "virt-arm64"] {
        let changes = plan_of(&request(board, Role::Worker, ""));
        let ours = ["05-imgforge.network", "imgforge.nmconnection", "50-imgforge.conf", "imgforge.sources"];
        let found = changes.iter().find(|c| ours.iter().any(|name| c.path.name() == name.as_bytes()));
        assert!(found.is_none(), "{found:?}");
    }
}

#[test]
fn swap_goes_and_a_node_that_is_to_have_it_gets_back_the_vendors() {
    let zram = "/etc/default/armbian-zram-config";
    let rpi_swap = "/etc/rpi/swap.conf.d/90-imgforge.conf";
    for (board, path, off, on) in [
        ("rk3328", zram, "ENABLED=true\nSWAP=false\n", "ENABLED=true\nSWAP=true\n"),
        (
            "rpi4",
            rpi_swap,
            "# kubelet does not start with swap.\n[Main]\nMechanism=none\n",
            "# Swap stays as the vendor made it.\n",
        ),
    ] {
        let over = |node: &str, root: &MemoryTree| {
            plan::plan(
                &pinned(&request(board, Role::Worker, node)),
                &Additions::default(),
                root,
                Some(&boot()),
            )
            .unwrap()
        };
        let vendors = root().with_file(zram, "ENABLED=true\n# SWAP=false\n", Access::root(0o644));
        let release = over("", &vendors);
        assert_eq!(text(&release, Volume::Root, path), off);
        let below = vendors.with_file(path, off, Access::root(0o644));
        let node = over("swap: true", &below);
        assert_eq!(text(&node, Volume::Root, path), on, "the node's layer over that of its release");
        let environment = "/etc/imgforge/node.env";
        assert!(text(&release, Volume::Root, environment).contains("IMGFORGE_SWAP='off'\n"));
        assert!(text(&node, Volume::Root, environment).contains("IMGFORGE_SWAP='on'\n"));
    }
}

#[test]
fn a_condition_on_a_variable_that_is_not_there_is_an_error() {
    let folder = TempDir::new().unwrap();
    let overlay = folder.path().join("common");
    fs::create_dir_all(overlay.join("root/etc")).unwrap();
    fs::write(overlay.join("overlay.yaml"), "files: {/etc/x: {when: node.adress}}\n").unwrap();
    fs::write(overlay.join("root/etc/x"), "").unwrap();
    let request = Request { overlays: folder.path().to_owned(), ..request("rk3328", Role::Base, "") };
    let error = plan::plan(&pinned(&request), &Additions::default(), &root(), None).unwrap_err().to_string();
    assert!(error.ends_with("`when` names `node.adress`, and there is no such variable"), "{error}");
}

#[test]
fn an_image_for_everybody_holds_no_secret() {
    let key = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
    for (content, what) in [(key, "a private key"), ("token: abcdef.0123456789abcdef\n", "a bootstrap token")]
    {
        let folder = TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("common/root/etc")).unwrap();
        fs::write(folder.path().join("common/root/etc/x"), content).unwrap();
        let request = Request { overlays: folder.path().to_owned(), ..request("rk3328", Role::Base, "") };
        let error =
            plan::plan(&pinned(&request), &Additions::default(), &root(), None).unwrap_err().to_string();
        assert_eq!(error, format!("/etc/x holds {what}, and without --cluster an image is for everybody"));
    }
}

/// Lines of a file that are no comment.
fn plain(changes: &[Change], path: &str) -> String {
    let whole = text(changes, Volume::Root, path);
    whole.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

#[test]
fn further_networks_are_behind_other_cards_or_in_vlans() {
    let networks = "networks: [{ interface: end1, addresses: [10.0.0.10/24] }, { interface: end1, vlan: 40, addresses: [10.0.40.10/24] }, \
                    { interface: end0, vlan: 30, addresses: [10.0.30.10/24, 'fd00:30::10/64'] }]";
    let address = "address: { address: 192.168.1.10/24, interface: end0 }";
    let changes = plan_of(&request("rpi4", Role::Base, &format!("{address}\n{networks}")));
    let networkd = |name: &str| plain(&changes, &format!("/etc/systemd/network/{name}"));
    let optional = "\n\n[Link]\nRequiredForOnline=no\n\n[Network]\n";
    assert_eq!(
        networkd("04-imgforge-end1.network"),
        format!("[Match]\nName=end1{optional}Address=10.0.0.10/24\nVLAN=vlan40")
    );
    assert_eq!(
        networkd("04-imgforge-vlan30.network"),
        format!("[Match]\nName=vlan30{optional}Address=10.0.30.10/24\nAddress=fd00:30::10/64")
    );
    assert_eq!(networkd("04-imgforge-vlan30.netdev"), "[NetDev]\nName=vlan30\nKind=vlan\n\n[VLAN]\nId=30");
    let own = "[Match]\nName=end0\n\n[Network]\nAddress=192.168.1.10/24\nVLAN=vlan30";
    assert_eq!(networkd("05-imgforge.network"), own, "the card of the address has the VLAN behind it");

    let by_dhcp = plan_of(&request("rpi4", Role::Base, networks));
    let trunk = plain(&by_dhcp, "/etc/systemd/network/04-imgforge-end0.network");
    assert_eq!(trunk, format!("[Match]\nName=end0{optional}DHCP=yes\nVLAN=vlan30"));
    let hardware = "networks: [{ interface: '02:00:5e:10:00:01', vlan: 7, addresses: [10.0.7.1/24] }]";
    let changes = plan_of(&request("rpi4", Role::Base, &format!("{address}\n{hardware}")));
    let trunk = plain(&changes, "/etc/systemd/network/04-imgforge-02-00-5e-10-00-01.network");
    let silent = "LinkLocalAddressing=no\nIPv6AcceptRA=no\nVLAN=vlan7";
    assert_eq!(trunk, format!("[Match]\nPermanentMACAddress=02:00:5e:10:00:01\nKind=!*{optional}{silent}"));
}

#[test]
fn an_own_vlan_and_another_behind_one_card() {
    let node = "address: { address: 192.168.20.10/24, interface: end0, vlan: 20 }\n\
                networks: [{ interface: end0, vlan: 30, addresses: [10.0.30.10/24] }]";
    let changes = plan_of(&request("rpi4", Role::Base, node));
    let card = plain(&changes, "/etc/systemd/network/05-imgforge-vlan.network");
    let both = "[Network]\nVLAN=vlan20\nVLAN=vlan30\nLinkLocalAddressing=no\nIPv6AcceptRA=no";
    assert_eq!(card, format!("[Match]\nName=end0\n\n{both}"));
    let own = plain(&changes, "/etc/systemd/network/05-imgforge.network");
    assert_eq!(own, "[Match]\nName=vlan20\n\n[Network]\nAddress=192.168.20.10/24");
}
