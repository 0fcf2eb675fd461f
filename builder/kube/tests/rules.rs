//! Rules of the check, each from both sides: what it finds, and what it must leave alone.
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test")]

mod common;

use std::collections::BTreeSet;

use common::{EXAMPLE, HOME, lab::*};
use imgforge_kube::check::{Severity, rules};

#[test]
fn the_lab_and_what_people_have_is_left_alone() {
    quiet(&top(""));
    quiet(&top("endpoint: { host: 192.168.1.9, virtual: true }"));
    quiet(&top("endpoint: { host: k8s.home.example, port: 443 }"));
    quiet(&top("add-ons: { load-balancer: { addresses: [192.168.1.240-192.168.1.250] } }"));
    quiet(&top("time-servers: [192.168.1.1]"));
    quiet(&master(
        "mounts: [{ source: LABEL=d, target: /mnt/d, options: 'rw,user,auto,exec' }, { source: UUID=1A2B-3C4D, target: /srv, type: vfat }], \
         storage: [{ path: /var/lib/etcd, on: /mnt/d/etcd }, { path: /var/lib/containerd, on: /mnt/d/c }]",
    ));
    quiet(&master(
        "files: [{ path: /etc/motd, content: '' }, { path: /etc/sysctl.d/99-own.conf, content: '' }]",
    ));
    quiet(&master(
        "kernel-arguments: [rootwait, rootdelay=5, usb-storage.quirks=1:2:u, cgroup_enable=memory]",
    ));
}

#[test]
fn rules_have_names_of_their_own_and_say_what_they_want() {
    let names: BTreeSet<_> = rules().map(|rule| rule.name).collect();
    assert_eq!(names.len(), rules().count());
    for rule in rules() {
        let is_kebab = rule.name.split('-').all(|word| {
            !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        });
        assert!(is_kebab && !rule.about.is_empty() && !rule.about.ends_with('.'), "{}", rule.name);
    }
}

#[test]
fn names_mean_one_node() {
    let node = |name: &str| top("").replace("hostname: w1", &format!("hostname: {name}"));
    for name in ["localhost", "localhost.localdomain", "10.0.0.1"] {
        says("host-name-reserved", "nodes[1].hostname", &node(name));
    }
    let fqdn = |one: &str, other: &str| node(other).replace("hostname: m1", &format!("hostname: {one}"));
    says("short-name-twice", "nodes[1].hostname", &fqdn("k1.lab", "k1.attic"));
    says("short-name-twice", "nodes[1].hostname", &fqdn("k1", "k1.attic"));
    quiet(&fqdn("k1.lab", "k2.lab"));
    quiet(&fqdn("017", "on"));
}

#[test]
fn a_node_has_an_address_that_a_machine_can_have() {
    for address in [
        "192.168.1.0/24",
        "192.168.1.255/24",
        "224.0.0.5/24",
        "127.0.0.2/8",
        "0.0.0.0/24",
        "169.254.1.2/16",
        "255.255.255.255/32",
    ] {
        says("address-special", "nodes[1].address", &worker(&format!("address: {address}")));
    }
    says("address-twice", "nodes[1].address", &worker("address: 192.168.1.1/24"));
    says("address-twice", "nodes[1].address", &worker("address: 192.168.1.10/24"));
    says("prefix-lengths", "nodes[1].address", &worker("address: 192.168.1.11/16"));
    says("gateway-outside", "nodes[1].address", &worker("address: 192.168.2.11/24"));
    for server in ["0.0.0.0", "192.168.1.255", "127.0.0.53", "'::1'", "224.0.0.251"] {
        says(
            "lan-special",
            "lan.dns[0]",
            &top("").replace("dns: [192.168.1.2]", &format!("dns: [{server}]")),
        );
    }
    for gateway in ["192.168.1.0", "192.168.1.255", "0.0.0.0"] {
        let gateway = format!("gateway: {gateway}");
        says("lan-special", "lan.gateway", &top("").replace("gateway: 192.168.1.1", &gateway));
    }
    quiet(&lab("lan: { gateway: 10.1.0.1, dns: [9.9.9.9] }", "address: 10.1.0.2/29", "address: 10.1.0.3/29"));
}

#[test]
fn an_ipv6_router_is_known_by_its_address_on_the_wire() {
    let v6 = |gateway: &str, worker: &str| {
        lab(
            &format!(
                "lan: {{ gateway: '{gateway}', dns: ['fd00::53'] }}\nnetworking: {{ pod-subnet: fd01::/56, service-subnet: fd02::/112 }}"
            ),
            "address: 'fd00::10/64'",
            worker,
        )
    };
    quiet(&v6("fe80::1", "address: 'fd00::11/64'"));
    says("gateway-outside", "nodes[0].address", &v6("fd07::1", "address: 'fd00::11/64'"));
    says(
        "gateway-outside",
        "nodes[1].address",
        &top("").replace("gateway: 192.168.1.1", "gateway: 'fe80::1'"),
    );
}

#[test]
fn no_two_nodes_have_one_card() {
    let two = |one: &str, other: &str| {
        lab(LAN, &format!("{M1}, interface: '{one}'"), &format!("{W1}, interface: '{other}'"))
    };
    says("interface-twice", "nodes[1].interface", &two("02:00:5e:10:00:01", "02:00:5E:10:00:01"));
    quiet(&two("02:00:5e:10:00:01", "02:00:5e:10:00:02"));
    quiet(&two("end0", "end0"));
}

#[test]
fn a_vlan_has_a_number_a_card_and_an_address() {
    let vlan = |more: &str| lab(LAN, M1, &format!("{W1}{more}"));
    quiet(&vlan(", interface: end0, vlan: 20"));
    for more in [", vlan: 20", ", interface: end0, vlan: 0", ", interface: end0, vlan: 4095"] {
        says("vlan", "nodes[1].vlan", &vlan(more));
    }
    let by_dhcp = worker("vlan: 20");
    says("vlan", "nodes[1].vlan", &by_dhcp);
}

#[test]
fn other_networks_are_other_ones_and_outside_of_the_cluster() {
    let with = |networks: &str| lab(LAN, M1, &format!("{W1}, interface: end0, networks: [{networks}]"));
    quiet(&with(
        "{ interface: end1, addresses: [10.0.0.10/24] }, { interface: end0, vlan: 30, addresses: [10.0.30.10/24] }",
    ));
    says(
        "networks",
        "nodes[1].networks[0].interface",
        &with("{ interface: end0, addresses: [10.0.0.10/24] }"),
    );
    says(
        "networks",
        "nodes[1].networks[0].addresses[0]",
        &with("{ interface: end1, addresses: [192.168.1.99/24] }"),
    );
    says(
        "address-in-cluster",
        "nodes[1].networks[0].addresses[0]",
        &with("{ interface: end1, addresses: [10.244.9.1/24] }"),
    );
    says(
        "address-special",
        "nodes[1].networks[0].addresses[0]",
        &with("{ interface: end1, addresses: [10.0.0.0/24] }"),
    );
    let without_card =
        lab(LAN, M1, &format!("{W1}, networks: [{{ interface: end1, addresses: [10.0.0.10/24] }}]"));
    says("networks", "nodes[1].interface", &without_card);
}

#[test]
fn a_firewall_with_networks_of_its_own_may_not_hear_who_asks_by_dhcp() {
    let with = |worker: &str, wall: &str| lab(&format!("{LAN}\nfirewall: {wall}"), M1, worker);
    says("firewall-by-dhcp", "firewall.from", &with("labels: {}", "{ from: [192.168.1.0/24] }"));
    quiet(&with(W1, "{ from: [192.168.1.0/24] }"));
    quiet(&with("labels: {}", "{}"));
}

#[test]
fn files_of_all_nodes_are_judged_once_with_each_nodes_own() {
    let all = |path: &str| format!("{}\nfiles: [{{ path: {path}, content: '' }}]", worker(W1));
    quiet(&all("/etc/motd"));
    says("file-of-system", "files[0].path", &all("/etc/passwd"));
    says("file-of-imgforge", "files[0].path", &all("/etc/kubernetes/x"));
}

#[test]
fn a_taint_with_one_effect_has_one_value() {
    let taints =
        |other: &str| worker(&format!("{W1}, taints: [{{ key: a, value: x, effect: NoSchedule }}, {other}]"));
    says("taint-twice", "nodes[1].taints[1]", &taints("{ key: a, value: y, effect: NoSchedule }"));
    quiet(&taints("{ key: a, value: x, effect: NoExecute }"));
}

#[test]
fn memory_is_in_mib() {
    says("less-memory", "nodes[1].memory", &worker(&format!("{W1}, memory: 8")));
    quiet(&worker(&format!("{W1}, memory: 8192")));
}

#[test]
fn files_of_kubernetes_are_a_members_only() {
    for path in ["/etc/kubernetes/audit-policy.yaml", "/etc/containerd/config.toml", "/etc/imgforge/x"] {
        says(
            "file-of-imgforge",
            "nodes[1].files[0].path",
            &worker(&format!("{W1}, files: [{{ path: {path}, content: '' }}]")),
        );
    }
    let nas = |path: &str| worker(&format!("{W1}, role: base, files: [{{ path: {path}, content: '' }}]"));
    quiet(&nas("/etc/containerd/config.toml"));
    says("file-of-imgforge", "nodes[1].files[0].path", &nas("/etc/imgforge/x"));
}

#[test]
fn the_network_outside_has_servers_outside() {
    let with = |lan: &str| lab(&format!("lan: {{ {lan} }}"), "taints: []", "");
    says("lan-in-cluster", "lan.gateway", &with("gateway: 10.244.1.1"));
    says("lan-in-cluster", "lan.dns[1]", &with("gateway: 10.1.1.1, dns: [10.1.1.1, 10.96.0.10]"));
    says("no-name-server", "lan.dns", &lab("lan: { gateway: 192.168.1.1 }", M1, ""));
}

#[test]
fn masters_stay_where_they_are() {
    says("master-by-dhcp", "nodes[0].address", &lab("", "taints: []", ""));
    let two = "endpoint: { host: 192.168.1.9, virtual: true }";
    says("masters-by-dhcp", "nodes[1].address", &lab(&format!("{LAN}{two}"), M1, "role: master"));
    assert!(findings(&lab("", "taints: []", "")).iter().all(|finding| finding.severity == Severity::Notice));
}

#[test]
fn a_virtual_endpoint_is_a_free_address_of_the_masters_network() {
    let at = |host: &str| top(&format!("endpoint: {{ host: {host}, virtual: true }}"));
    for taken in ["192.168.1.1", "192.168.1.2", "192.168.1.10", "192.168.1.11"] {
        says("virtual-endpoint-taken", "endpoint.host", &at(taken));
    }
    for outside in ["192.168.2.9", "192.168.1.0", "192.168.1.255", "10.244.0.9", "'fd00::9'"] {
        says("virtual-endpoint-outside", "endpoint.host", &at(outside));
    }
    for inside in ["10.244.3.4", "10.96.0.1", "127.0.0.1", "224.0.0.1"] {
        says("endpoint-host", "endpoint.host", &at(inside));
        says("endpoint-host", "endpoint.host", &top(&format!("endpoint: {{ host: {inside} }}")));
    }
    for strange in ["localhost", "192.168.1.300", "192.168.1", "192.168.001.009"] {
        says("endpoint-host", "endpoint.host", &top(&format!("endpoint: {{ host: {strange} }}")));
    }
    let port = "endpoint: { host: 192.168.1.9, virtual: true, port: 8443 }";
    says("endpoint-port", "endpoint.port", &top(port));
    says("endpoint-port", "endpoint.port", &top("endpoint: { host: 192.168.1.10, port: 8443 }"));
    quiet(&top("endpoint: { host: 192.168.1.9, port: 8443 }"));
    let range = "add-ons: { load-balancer: { addresses: [192.168.1.8-192.168.1.9] } }";
    says(
        "load-balancer-taken",
        "add-ons.load-balancer.addresses[0]",
        &format!("{range}\n{}", at("192.168.1.9")),
    );
}

#[test]
fn nobody_looks_for_names_of_mdns() {
    says("mdns-name", "endpoint.host", &top("endpoint: { host: m1.local }"));
    let named = lab("", "taints: []", "").replace("hostname: m1", "hostname: m1.local");
    says("mdns-name", "endpoint", &named);
    let alerts = "add-ons: { monitoring: { alerts-to: 'http://nas.local:8080/x' } }";
    says("mdns-name", "add-ons.monitoring.alerts-to", &top(alerts));
    quiet(&top("endpoint: { host: local.home.example }"));
}

#[test]
fn the_load_balancer_gives_what_is_nobodys() {
    let with = |range: &str| top(&format!("add-ons: {{ load-balancer: {{ addresses: [{range}] }} }}"));
    let path = "add-ons.load-balancer.addresses[0]";
    says("load-balancer-taken", path, &with("192.168.1.1-192.168.1.1"));
    says("load-balancer-taken", path, &with("192.168.1.2-192.168.1.9"));
    says("load-balancer-taken", path, &with("192.168.1.11-192.168.1.20"));
    let beside = |settings: &str, node: &str| {
        lab(
            &format!(
                "{LAN}{settings}\nadd-ons: {{ load-balancer: {{ addresses: [192.168.1.200-192.168.1.250] }} }}"
            ),
            M1,
            &format!("{W1}{node}"),
        )
    };
    let share = |host: &str| format!(", mounts: [{{ source: '{host}:/k8s', target: /srv, type: nfs }}]");
    for (settings, node) in [
        ("time-servers: [192.168.1.210]", ""),
        ("proxy: { http: 'http://192.168.1.210:3128' }", ""),
        ("", &*share("192.168.1.210")),
    ] {
        says("load-balancer-taken", path, &beside(settings, node));
    }
    let serving_node = format!("time-servers: [192.168.1.210]\n{}", with("192.168.1.200-192.168.1.250"))
        .replace("192.168.1.11/24", "192.168.1.210/24");
    let taken = findings(&serving_node).into_iter().filter(|finding| finding.name == "load-balancer-taken");
    assert_eq!(taken.count(), 1, "a node that serves the others is told as a node");
    let registry = "registries: { '192.168.1.210:5000': { mirrors: ['http://192.168.1.210:5000'] } }";
    says("load-balancer-named", path, &beside(registry, ""));
    let alerts = "add-ons: { load-balancer: { addresses: [192.168.1.200-192.168.1.250] }, \
                  monitoring: { alerts-to: 'http://192.168.1.210/x' } }";
    says("load-balancer-named", path, &top(alerts));
    quiet(&beside("time-servers: [192.168.1.5, ntp.home.example]", &share("nas.home.example")));
    let own = "add-ons: { load-balancer: { addresses: [192.168.1.240-192.168.1.250] }, \
               lan-dns: { address: 192.168.1.240, domain: home.example, upstream: [192.168.1.1] } }";
    let asks_itself =
        lab(&format!("lan: {{ gateway: 192.168.1.1, dns: [192.168.1.2, 192.168.1.240] }}\n{own}"), M1, W1);
    quiet(&asks_itself);
    says("load-balancer-special", path, &with("192.168.1.240-192.168.1.255"));
    says("load-balancer-special", path, &with("224.0.0.1-224.0.0.9"));
    says("load-balancer-in-cluster", path, &with("10.244.0.240-10.244.0.250"));
    says("load-balancer-in-cluster", path, &with("10.95.0.0-10.97.0.0"));
    says("load-balancer-outside", path, &with("192.168.2.240-192.168.2.250"));
    says("load-balancer-family", path, &with("fd00::1-fd00::2"));
    let twice = with("192.168.1.240-192.168.1.250, 192.168.1.250-192.168.1.252");
    says("load-balancer-overlap", "add-ons.load-balancer.addresses[1]", &twice);
}

#[test]
fn no_mount_hides_what_the_node_is_made_of() {
    let mount = |target: &str| master(&format!("mounts: [{{ source: LABEL=a, target: {target} }}]"));
    for target in [
        "/",
        "/etc",
        "/etc/",
        "//usr",
        "/usr",
        "/proc",
        "/proc/x",
        "/sys",
        "/dev",
        "/run/x",
        "/boot",
        "/var",
        "/var/lib",
        "/var/lib/dpkg",
        "/lib",
        "/usr/./bin",
        "/opt",
    ] {
        says("mount-hides-system", "nodes[0].mounts[0].target", &mount(target));
    }
    let bind = "mounts: [{ source: LABEL=a, target: /mnt/a }], storage: [{ path: /etc, on: /mnt/a/etc }]";
    says("mount-hides-system", "nodes[0].storage[0].path", &master(bind));
    for target in
        ["/mnt/a", "/srv", "/var/lib/longhorn", "/home/ops/data", "/usr/local", "/var/log", "/opt/data"]
    {
        quiet(&mount(target));
    }
}

#[test]
fn containers_and_etcd_are_on_disks_that_are_good_enough() {
    let disk = |mount: &str| {
        master(&format!(
            "mounts: [{{ source: LABEL=a, target: /mnt/a, {mount} }}], \
             storage: [{{ path: /var/lib/containerd, on: /mnt/a/c }}, {{ path: /var/lib/etcd, on: /mnt/a/e }}]"
        ))
    };
    for kind in ["vfat", "exfat", "ntfs3", "nfs", "nfs4", "cifs", "tmpfs", "fuse.sshfs", "iso9660"] {
        says("disk-file-system", "nodes[0].mounts[0].type", &disk(&format!("type: {kind}")));
    }
    for kind in ["ext4", "xfs", "btrfs", "f2fs"] {
        quiet(&disk(&format!("type: {kind}")));
    }
    for options in ["'rw,user,auto'", "noexec", "'exec,users'", "ro", "noauto", "'defaults,owner'"] {
        says("disk-options", "nodes[0].mounts[0].options", &disk(&format!("options: {options}")));
    }
    for options in ["defaults", "'user,exec'", "'noexec,exec'", "'ro,rw'", "'noatime,errors=remount-ro'"] {
        quiet(&disk(&format!("options: {options}")));
    }
    says("optional-disk", "nodes[0].mounts[0].required", &disk("required: false"));
    quiet(&master(
        "mounts: [{ source: LABEL=a, target: /mnt/stick, required: false, type: vfat, options: 'user,noauto,ro' }]",
    ));
    let etcd = "mounts: [{ source: LABEL=a, target: /var/lib/etcd, options: noexec }]";
    quiet(&master(etcd));
    quiet(&worker(&format!("{W1}, {}", etcd.replace("options: noexec", "type: vfat"))));
}

#[test]
fn backups_are_as_many_as_can_be_and_not_on_the_card_unheard() {
    let disk = master(
        "mounts: [{ source: LABEL=a, target: /mnt/a }], storage: [{ path: /var/lib/etcd, on: /mnt/a/e }]",
    );
    let with = |backups: &str, cluster: &str| format!("backups: {backups}\n{cluster}");
    quiet(&with("{ keep: 1000, every: 1h }", &disk));
    quiet(&with("{ keep: 0 }", &top("")));
    says("backup-settings", "backups.keep", &with("{ keep: 1001 }", &disk));
    says("backup-settings", "backups.every", &with("{ every: 59m }", &disk));
    says("backups-on-card", "nodes[0].storage", &with("{}", &top("")));
}

#[test]
fn what_is_bound_lands_on_a_disk() {
    let bind = |on: &str| {
        master(&format!(
            "mounts: [{{ source: LABEL=a, target: /mnt/a }}], storage: [{{ path: /srv/x, on: {on} }}, {{ path: /srv/y, on: /srv/x/y }}]"
        ))
    };
    quiet(&bind("/mnt/a/x"));
    quiet(&bind("/mnt/a"));
    says("bind-without-mount", "nodes[0].storage[0].on", &bind("/mnt/b/x"));
    says("bind-without-mount", "nodes[0].storage[1].on", &bind("/mnt/b/x"));
    says("bind-without-mount", "nodes[0].storage[0].on", &bind("/mnt/ab"));
    says("bind-without-mount", "nodes[0].storage[0].on", &bind("/srv/x/y"));
}

#[test]
fn disks_have_names_that_stay() {
    let disk = |source: &str| master(&format!("mounts: [{{ source: {source}, target: /mnt/a }}]"));
    for source in ["/dev/sda1", "/dev/sdb", "/dev/vda1", "/dev/nvme0n1p2", "/dev/mmcblk1p1", "/dev/md127"] {
        says("unstable-disk-name", "nodes[0].mounts[0].source", &disk(source));
    }
    for source in [
        "655a39e8-9a5d-45f3-ae14-73b4c5ed50c3",
        "uuid=655a39e8-9a5d-45f3-ae14-73b4c5ed50c4",
        "sda1",
        "tmpfs",
        "LABEL=",
        "UUID=xyz",
        "UUID=655A39E8-9A5D-45F3-AE14-73B4C5ED50C3",
        "UUID=655a39e8-9a5d-45f3-ae14-73b4c5ed50c",
        "UUID=1a2b-3c4d",
        "PARTUUID=4F2C9EA0-02",
    ] {
        says("disk-name", "nodes[0].mounts[0].source", &disk(source));
    }
    for source in [
        "UUID=155a39e8-9a5d-45f3-ae14-73b4c5ed50c3",
        "UUID=1A2B-3C4D",
        "PARTUUID=4f2c9ea0-02",
        "LABEL=UUID=x",
    ] {
        quiet(&disk(source));
    }
    for source in
        ["LABEL=sda1", "/dev/disk/by-id/usb-1", "/dev/mapper/vg-data", "/dev/vg/data", "/dev/md/raid"]
    {
        quiet(&disk(source));
    }
}

#[test]
fn files_and_arguments_do_not_undo_the_settings() {
    let file = |path: &str| master(&format!("files: [{{ path: {path}, content: '' }}]"));
    for path in [
        "/etc/fstab",
        "/etc//fstab",
        "/etc/passwd",
        "/etc/shadow",
        "/etc/hostname",
        "/proc/sys/x",
        "/var/lib/dpkg/status",
        "/boot/firmware/CmdLine.txt",
        "/etc",
        "/var/lib",
    ] {
        says("file-of-system", "nodes[0].files[0].path", &file(path));
    }
    says("file-of-imgforge", "nodes[0].files[0].path", &file("/etc/kubernetes/x"));
    let shared = "mounts: [{ source: LABEL=a, target: /mnt/a }], storage: [{ path: /srv/x, on: /mnt/a/x }, { path: /srv/y, on: /mnt/a/x }]";
    says("bind-shared", "nodes[0].storage[1].on", &master(shared));
    let member = "mounts: [{ source: LABEL=a, target: /var/lib/etcd/member, type: vfat, required: false }]";
    says("disk-file-system", "nodes[0].mounts[0].type", &master(member));
    says("optional-disk", "nodes[0].mounts[0].required", &master(member));
    says("wireless-address", "nodes[0].interface", &master("interface: wlan0"));
    for host in ["192.168.1.11", "w1"] {
        says("endpoint-elsewhere", "endpoint.host", &top(&format!("endpoint: {{ host: {host} }}")));
    }
    says("join-window", "join-window", &top("join-window: 0s"));
    says("endpoint-port", "endpoint.port", &top("endpoint: { host: 192.168.1.9, port: 0 }"));
    let twice = "files: [{ path: /etc/motd, content: '' }, { path: /etc/./motd, content: '' }]";
    says("file-twice", "nodes[0].files[1].path", &master(twice));
    let argument = |text: &str| master(&format!("kernel-arguments: ['{text}']"));
    for text in [
        "root=/dev/sda1",
        "init=/bin/sh",
        "single",
        "1",
        "cgroup_disable=memory",
        "cgroup_disable=pids",
        "systemd.unit=rescue.target",
        "systemd.mask=kubelet.service",
        "break=mount",
        "systemd.unified_cgroup_hierarchy=0",
        "quiet root=/dev/sda1",
        "",
    ] {
        says("kernel-argument", "nodes[0].kernel-arguments[0]", &argument(text));
    }
    says(
        "kernel-argument",
        "nodes[0].kernel-arguments[0]",
        &format!("networking: {{ pod-subnet: 'fd00:10:244::/56' }}\n{}", argument("ipv6.disable=1")),
    );
    quiet(&argument("ipv6.disable=1"));
}

#[test]
fn the_examples_disks_and_keys_are_not_taken_for_ones_own() {
    for path in ["users[0].ssh-keys[0]", "nodes[0].mounts[0].source", "nodes[0].mounts[1].source"] {
        says("placeholder", path, EXAMPLE);
    }
    assert!(findings(&HOME).iter().all(|finding| finding.name == "frozen-release"), "{:?}", findings(&HOME));
}

#[test]
fn somebody_may_log_in() {
    let nobody = top("").replace("ssh-keys: [ssh", "time-servers: [ssh");
    says("nobody-may-log-in", "users", &nobody.replace("time-servers: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEs1DZq5QpAc5mXh3Q0p1xq4sXo0xvV3mW1o3oXk2v8D me]", ""));
    let one = "users: [{ name: ops, ssh-keys: [ssh-ed25519 AAAA] }]";
    let text = format!(
        "{LAN}nodes: [{{ hostname: m1, board: rpi4, role: master, {M1}, {one} }}, {{ hostname: w1, board: rpi4, {W1} }}]"
    );
    says("nobody-may-log-in", "nodes[1].users", &text);
    quiet(&text.replace(&format!("{W1} }}"), &format!("{W1}, {one} }}")));
}

#[test]
fn a_rule_is_overruled_by_its_name_and_that_is_said() {
    let text = worker("address: 192.168.1.255/24");
    let allowed =
        text.replace("address: 192.168.1.255/24", "address: 192.168.1.255/24, allow: [address-special]");
    let [notice] = &findings(&allowed)[..] else { panic!("{:?}", findings(&allowed)) };
    assert_eq!(notice.severity, Severity::Notice);
    assert_eq!(
        notice.to_string(),
        "nodes[1].address: overruled by `allow`: 192.168.1.255 of 192.168.1.0/24 means everybody in the network; \
         give the node an address of its own"
    );
    assert_eq!(findings(&format!("allow: [address-special]\n{text}")), findings(&allowed));
    let elsewhere = allowed
        .replace(", allow: [address-special]", "")
        .replace(M1, &format!("{M1}, allow: [address-special]"));
    says("address-special", "nodes[1].address", &elsewhere);
    assert_eq!(findings(&elsewhere)[0].severity, Severity::Error);
    says("unknown-rule", "allow[0]", &format!("allow: [adress-special]\n{text}"));
    // That one is about plans, which are made later.
    assert_eq!(findings(&format!("allow: [known-password, address-special]\n{text}")), findings(&allowed));
    let disk = "mounts: [{ source: /dev/sda1, target: /mnt/a }]";
    quiet(&master(&format!("{disk}, allow: [unstable-disk-name]")));
}

#[test]
fn a_board_without_wired_network_is_told_until_it_has_an_adapter() {
    let text = top("").replace("hostname: w1, board: rk3328", "hostname: w1, board: rpi-zero2w");
    let text = text.replace("hostname: w1, board: rpi4", "hostname: w1, board: rpi-zero2w");
    says("no-wired-network", "nodes[1].board", &text);
    let allowed = text.replace("board: rpi-zero2w", "board: rpi-zero2w, allow: [no-wired-network]");
    assert!(findings(&allowed).iter().all(|finding| finding.severity == Severity::Notice));
    let wifi = "wifi: {ssid: home, passphrase: eight888, country: DE}";
    let joined = text.replace("board: rpi-zero2w", &format!("board: rpi-zero2w, {wifi}"));
    says("wireless-address", "nodes[1].address", &joined);
    let by_dhcp = joined.replace(", address: 192.168.1.11/24", "");
    assert_ne!(by_dhcp, joined);
    assert!(findings(&by_dhcp).iter().all(|finding| finding.severity == Severity::Notice));
}

#[test]
fn a_node_without_kubernetes_has_no_settings_of_it() {
    let base = |text: &str| worker(&format!("{W1}, role: base{text}"));
    quiet(&base(", packages: [vim]"));
    for setting in
        ["labels: { a.example/b: c }", "taints: []", "kubelet: { maxPods: 5 }", "performance: slow"]
    {
        let (name, _) = setting.split_once(':').unwrap();
        says("unused-setting", &format!("nodes[1].{name}"), &base(&format!(", {setting}")));
    }
}
