//! What Kubernetes and the node's network need of the kernels that the base brings.

use imgforge_kube::{check::Found, cluster::NetworkPlugin};
use imgforge_spec::{Layer, Medium, Mount};

use super::{Context, Rule};
use crate::image::survey::Kernel;

pub(crate) const RULES: &[Rule] = &[Rule::error(
    "kernel-modules",
    "the base's kernels have the modules that Kubernetes, the node's network and its disks need",
    kernel_modules,
)];

/// Modules of which one is needed, and what for.
type Need = (&'static [&'static str], &'static str);

/// What each node that runs pods needs.
const NEEDS: [Need; 5] = [
    (&["overlay"], "layers of containers"),
    (&["br_netfilter"], "packets between pods of one node"),
    (&["veth"], "pods' network cards"),
    (&["nf_conntrack"], "Services"),
    (&["ip_tables", "nf_tables"], "Services"),
];

const FLANNEL: Need = (&["vxlan"], "flannel, between nodes");
const FIREWALL: [Need; 2] = [(&["nf_tables"], "the firewall"), (&["nft_ct"], "the firewall")];
const RAID: Need = (&["md_mod"], "the RAID that is mounted");
const VOLUMES: Need = (&["dm_mod"], "the logical volume that is mounted");
const VLAN: Need = (&["8021q"], "its VLAN");

fn kernel_modules(context: &Context<'_>) -> Vec<Found> {
    let request = context.request;
    let network = request.membership.as_ref().map(|member| member.network());
    let flannel = (network == Some(NetworkPlugin::Flannel)).then_some(FLANNEL);
    let of_kubernetes = NEEDS.into_iter().chain(flannel).filter(|_| request.role.runs_kubernetes());
    let of_networks = request.node.networks.iter().map(|network| network.vlan);
    let vlans = request.node.address.iter().map(|address| address.vlan).chain(of_networks);
    let in_vlan = vlans.flatten().next().is_some();
    let of_firewall = FIREWALL.into_iter().filter(|_| request.node.firewall.is_some());
    let of_disks = request.node.mounts.iter().filter_map(Mount::layer).map(|layer| match layer {
        Layer::Raid => RAID,
        Layer::Volumes => VOLUMES,
    });
    let needs: Vec<Need> =
        of_kubernetes.chain(in_vlan.then_some(VLAN)).chain(of_firewall).chain(of_disks).collect();
    let missing = context.survey.kernels.iter().filter_map(|kernel| missing(kernel, &needs));
    let kept_out = kept_out(&request.node.kernel_arguments, &needs);
    missing.chain(kept_out).chain(unknown_file_systems(context)).collect()
}

/// Types of file systems whose module has another name.
const MODULES: [(&str, &str); 6] = [
    ("ext2", "ext4"),
    ("ext3", "ext4"),
    ("ntfs", "ntfs3"),
    ("nfs4", "nfs"),
    ("smb3", "cifs"),
    ("iso9660", "isofs"),
];

/// Those of the network that the kernel itself mounts.
const SHARES: [&str; 6] = ["9p", "ceph", "cifs", "nfs", "nfs4", "smb3"];

/// The mounts whose file system the kernel does not know; one that a program mounts (`mount.ntfs`) is that program's.
fn unknown_file_systems(context: &Context<'_>) -> Vec<Found> {
    let is_kernels = |mount: &Mount| match mount.medium() {
        Medium::Disk
            if matches!(&*mount.kind, "auto" | "none" | "swap") || mount.kind.starts_with("fuse") =>
        {
            false
        }
        Medium::Disk => context.survey.has_command(&format!("mount.{}", mount.kind)) != Some(true),
        Medium::Network => SHARES.contains(&&*mount.kind),
        Medium::Memory => false,
    };
    let mut found = Vec::new();
    for (index, mount) in
        context.request.node.mounts.iter().enumerate().filter(|(_, mount)| is_kernels(mount))
    {
        let kind = &*mount.kind;
        let module = MODULES.iter().find(|(other, _)| *other == kind).map_or(kind, |(_, module)| module);
        let lacking = context.survey.kernels.iter().find(|kernel| kernel.has(module) == Some(false));
        found.extend(lacking.map(|kernel| {
            let message = format!("kernel {} knows no {kind} (no module {module})", kernel.version);
            Found::new(format!("mounts[{index}].type"), message)
                .suggest("take another file system, or a base or package with a kernel that knows it")
        }));
    }
    found
}

/// The words among `arguments` that keep a module of `needs` from being loaded.
fn kept_out(arguments: &[String], needs: &[Need]) -> Vec<Found> {
    let mut found = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        let Some(("module_blacklist" | "modprobe.blacklist", names)) = argument.split_once('=') else {
            continue;
        };
        let names: Vec<&str> = names.split(',').collect();
        let need = needs.iter().find(|(modules, _)| modules.iter().all(|module| names.contains(module)));
        found.extend(need.map(|(modules, purpose)| {
            let message =
                format!("`{argument}` keeps {} out, which is there for {purpose}", modules.join(" and "));
            Found::new(format!("kernel-arguments[{index}]"), message).suggest("remove it")
        }));
    }
    found
}

/// What `kernel` lacks of `needs`; a kernel that does not tell what it has lacks nothing.
fn missing(kernel: &Kernel, needs: &[Need]) -> Option<Found> {
    let lacks = |modules: &[&str]| modules.iter().all(|module| kernel.has(module) == Some(false));
    let missing: Vec<String> = needs
        .iter()
        .filter(|(modules, _)| lacks(modules))
        .map(|(modules, purpose)| format!("{} ({purpose})", modules.join(" or ")))
        .collect();
    let message = format!("kernel {} has no {}", kernel.version, missing.join(", no "));
    let suggestion = "take a base whose kernel has them, or add a package with another kernel (`packages`)";
    let place = format!("/lib/modules/{}", kernel.version);
    (!missing.is_empty()).then(|| Found::new(place, message).suggest(suggestion))
}

#[cfg(test)]
mod tests {
    use imgforge_spec::Role;

    use crate::rules::stand_in::Node;

    #[test]
    fn a_module_that_an_argument_keeps_out_is_told() {
        let worker =
            |words: &str| Node::of(&format!("kernel-arguments: [quiet, '{words}']")).in_role(Role::Worker);
        assert_eq!(
            worker("module_blacklist=snd,overlay").findings("kernel-modules"),
            [
                "kernel-arguments[1]: `module_blacklist=snd,overlay` keeps overlay out, which is there for layers of containers; remove it"
            ]
        );
        assert!(worker("modprobe.blacklist=ip_tables").findings("kernel-modules").is_empty());
        assert!(worker("modprobe.blacklist=snd").findings("kernel-modules").is_empty());
    }

    #[test]
    fn a_disk_of_a_file_system_that_the_kernel_does_not_know_is_told() {
        let kinds = ["ext3", "xfs", "ntfs", "auto", "fuse.sshfs", "sshfs", "tmpfs"];
        let mounts = kinds.map(|kind| format!("{{ source: LABEL=a, target: /mnt/{kind}, type: {kind} }}"));
        let node =
            |built_in: &str| node_at(&format!("mounts: [{}]", mounts.join(", ")), Role::Base, "", built_in);
        assert_eq!(
            found(&node("kernel/fs/ext4/ext4.ko\nkernel/fs/ntfs3/ntfs3.ko\n")),
            ["mounts[1].type: kernel 6.12.1 knows no xfs (no module xfs); \
              take another file system, or a base or package with a kernel that knows it"]
        );
        assert_eq!(found(&node("")).len(), 3);
        assert_eq!(found(&node("").with("/usr/sbin/mount.ntfs", "ELF")).len(), 2);
        let share = "mounts: [{ source: 'nas:/k8s', target: /mnt/nas, type: nfs }]";
        assert!(found(&node_at(share, Role::Base, "", ""))[0].contains("no module nfs"));
        assert!(found(&Node::of(&format!("mounts: [{}]", mounts.join(", ")))).is_empty());
    }

    const DEP: &str = "kernel/net/bridge/br_netfilter.ko.xz: kernel/net/bridge/bridge.ko.xz\nkernel/drivers/net/veth.ko:\n\
                       kernel/net/netfilter/nf_conntrack.ko:\nkernel/net/netfilter/nf-tables.ko.zst:\n";

    fn node(role: Role, dep: &str, built_in: &str) -> Node {
        node_at("", role, dep, built_in)
    }

    fn node_at(settings: &str, role: Role, dep: &str, built_in: &str) -> Node {
        Node::of(settings)
            .in_role(role)
            .with("/lib/modules/6.12.1/modules.dep", dep)
            .with("/lib/modules/6.12.1/modules.builtin", built_in)
    }

    fn found(node: &Node) -> Vec<String> {
        node.findings("kernel-modules")
    }

    #[test]
    fn a_module_counts_wherever_the_kernel_has_it() {
        assert!(found(&node(Role::Worker, DEP, "kernel/fs/overlayfs/overlay.ko\n")).is_empty());
    }

    #[test]
    fn what_is_missing_is_told_with_the_kernels_version() {
        let found = found(&node(Role::Worker, DEP, ""));
        assert!(
            found[0].starts_with(
                "/lib/modules/6.12.1: kernel 6.12.1 has no overlay (layers of containers); take"
            ),
            "{found:?}"
        );
    }

    #[test]
    fn a_plain_node_needs_none() {
        assert!(found(&node(Role::Base, "", "")).is_empty());
    }

    #[test]
    fn an_address_in_a_vlan_needs_what_makes_one() {
        let address = "address: { address: 192.168.20.10/24, interface: end0, vlan: 20 }";
        let of = |dep: &str| node_at(address, Role::Base, dep, "");
        let lacks = found(&of("kernel/drivers/net/veth.ko:\n"));
        assert!(lacks[0].contains("has no 8021q (its VLAN)"), "{lacks:?}");
        assert!(found(&of("kernel/net/8021q/8021q.ko.xz:\n")).is_empty());
    }

    #[test]
    fn a_disk_that_is_put_together_needs_what_does_it() {
        let on = |source: &str, dep: &str| {
            let settings = format!("mounts: [{{ source: {source}, target: /srv }}]");
            found(&node_at(&settings, Role::Base, &format!("kernel/fs/ext4/ext4.ko:\n{dep}"), ""))
        };
        assert!(on("/dev/md0", "")[0].contains("has no md_mod (the RAID that is mounted)"));
        assert!(on("/dev/vg/data", "")[0].contains("has no dm_mod (the logical volume that is mounted)"));
        assert!(on("/dev/md0", "kernel/drivers/md/md-mod.ko.xz:\n").is_empty());
        assert!(on("LABEL=data", "").is_empty());
    }

    #[test]
    fn a_kernel_that_lists_nothing_is_not_judged() {
        let node = Node::of("").in_role(Role::Worker).with("/lib/modules/6.12.1/kernel/x.ko", "");
        assert!(found(&node).is_empty());
    }
}
