//! The new cluster file, with what a person wants to know of each part.

use std::fmt::Write as _;

use imgforge_kube::engine::Engine;
use imgforge_spec::Role;

use super::{Draft, Node};
use crate::catalogue::limits::Abilities;

impl Draft<'_> {
    /// The file.
    pub(super) fn text(&self) -> String {
        let parts = [
            self.head(),
            self.kubernetes(),
            self.network(),
            self.add_ons(),
            self.people(),
            self.system(),
            self.nodes(),
        ];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }

    fn head(&self) -> String {
        let count = self.nodes.len();
        let boards = if count == 1 { "board" } else { "boards" };
        format!(
            "# A cluster of {count} {boards}. `imgforge schema cluster` has every setting, `imgforge cluster check` says what is wrong.\nname: {}\n",
            self.name
        )
    }

    fn kubernetes(&self) -> String {
        let mut text = String::from("# The newest release that every board runs.");
        if let Some(profile) = self.held_back_by.first() {
            let names: Vec<_> = self.held_back_by.iter().map(|profile| profile.board.to_string()).collect();
            let _ = write!(text, " Without {} it could be newer", names.join(" and "));
            match Abilities::of(self.engine, profile).reasons.first() {
                Some(reason) => {
                    let _ = write!(text, ":\n# {reason}");
                }
                None => text.push('.'),
            }
        }
        if let Some((engine, version)) = self.newer {
            let _ = write!(
                text,
                "\n# All of them run {version} with `engine: {}` (`--engine {}`).",
                engine.name(),
                engine.name()
            );
        }
        let engine = match self.engine {
            Engine::Kubeadm => String::new(),
            other => format!("engine: {}\n\n", other.name()),
        };
        format!("{engine}{text}\nkubernetes: {}\n", self.kubernetes)
    }

    fn network(&self) -> String {
        let Some(lan) = &self.lan else { return String::new() };
        let dns = lan.dns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let mut text = format!(
            "# The network that the boards stand in, for those with an address of their own.\nlan:\n  gateway: {}\n  dns: [{dns}]\n",
            lan.gateway
        );
        if let Some(address) = self.endpoint {
            let _ = write!(
                text,
                "\n# Where the masters are found: an address that one of those that live holds. Nobody else may have it.\nendpoint: {{ host: {address}, virtual: true }}\n"
            );
        }
        text
    }

    fn add_ons(&self) -> String {
        let last: Vec<_> = self.lan.iter().flat_map(|lan| lan.last(11)).collect();
        let range = match (last.first(), last.last()) {
            (Some(first), Some(last)) => format!("{first}-{last}"),
            _ => "192.168.1.240-192.168.1.250".into(),
        };
        format!(
            "add-ons:\n  network: flannel\n  # Addresses for Services of type LoadBalancer, which the router must not hand out:\n  # load-balancer:\n  #   addresses: [{range}]\n"
        )
    }

    fn people(&self) -> String {
        let mut text = format!("# Who may log in to every node.\nusers:\n  - name: {}\n", self.user.name);
        if self.user.ssh_keys.is_empty() {
            text.push_str("    # Your public key, the line in ~/.ssh/id_ed25519.pub:\n    ssh-keys: []\n");
        } else {
            text.push_str("    ssh-keys:\n");
            for key in &self.user.ssh_keys {
                let _ = writeln!(text, "      - {}", serde_json::Value::from(key.as_str()));
            }
        }
        text + "    sudo: true\n"
    }

    fn system(&self) -> String {
        let zone = self.zone.iter();
        zone.map(|zone| format!("# Of every node, as of this machine.\nsystem:\n  time-zone: {zone}\n"))
            .collect()
    }

    fn nodes(&self) -> String {
        let is_alone = self.nodes.iter().all(|node| node.role == Role::Master);
        let prefix = self.lan.as_ref().map_or(0, |lan| lan.prefix);
        let nodes = self.nodes.iter().map(|node| node.text(prefix, is_alone));
        format!("nodes:\n{}", nodes.collect::<Vec<_>>().join("\n"))
    }
}

impl Node<'_> {
    fn text(&self, prefix: u8, is_alone: bool) -> String {
        let Self { hostname, profile, role, address } = self;
        let mut text = format!(
            "  # {}\n  - hostname: {hostname}\n    board: {}\n    role: {}\n",
            profile.name,
            profile.board,
            role.name()
        );
        let memory = profile.memory;
        let _ = writeln!(text, "    # memory: {} # in MiB, if this one has more than {memory}", memory * 2);
        if let Some(address) = address {
            let _ = writeln!(text, "    address: {address}/{prefix} # one that the router does not hand out");
        }
        if *role == Role::Master && is_alone {
            text.push_str("    taints: [] # pods run here as well\n");
        }
        text
    }
}
