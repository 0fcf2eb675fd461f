//! Clusters of IPv4, of IPv6, and of both: which of them can be, as kubeadm judges them.

mod common;

use common::lab::*;

const V6: &str = "networking: { pod-subnet: 'fd00:10:244::/56', service-subnet: 'fd00:10:96::/112' }\n";
const BOTH: &str = "networking: { pod-subnet: [10.244.0.0/16, 'fd00:10:244::/56'], \
                    service-subnet: [10.96.0.0/12, 'fd00:10:96::/112'] }\n";

#[test]
fn ipv6_alone_and_both_families_work() {
    let lan = "lan: { gateway: 'fd00:1::1', dns: ['fd00:1::1'] }\n";
    let v6 = |networking: &str| {
        lab(&format!("{lan}{networking}"), "address: 'fd00:1::10/64'", "address: 'fd00:1::11/64'")
    };
    quiet(&v6(V6));
    quiet(&format!(
        "endpoint: {{ host: 'fd00:1::9', virtual: true }}\nadd-ons: {{ load-balancer: {{ addresses: ['fd00:1::f0-fd00:1::ff'] }} }}\n{}",
        v6(V6)
    ));
    let both = |master: &str| {
        lab(&format!("{LAN}{BOTH}"), master, &format!("{W1}, second-address: 'fd00:1::11/64'"))
    };
    quiet(&both(&format!("{M1}, second-address: 'fd00:1::10/64'")));
    says("second-address", "nodes[0].second-address", &both(M1));
    says("address-family", "nodes[0].second-address", &both(&format!("{M1}, second-address: 10.9.9.9/24")));
    says("address-family", "nodes[0].second-address", &both("second-address: 'fd00:1::10/64'"));
    says("address-family", "nodes[0].second-address", &master("second-address: 'fd00:1::10/64'"));
    says("address-family", "nodes[0].address", &v6(""));
    says("address-family", "nodes[0].address", &top(V6));
    says("ipv6-master-address", "nodes[0].address", &lab(V6, "taints: []", ""));
}

#[test]
fn subnets_are_as_kubeadm_takes_them() {
    let with = |pods: &str, services: &str| {
        top(&format!("networking: {{ pod-subnet: {pods}, service-subnet: {services} }}"))
    };
    let (pods, services) = ("networking.pod-subnet", "networking.service-subnet");
    quiet(&with("10.244.0.0/16", "10.96.0.0/28"));
    quiet(&with("10.128.0.0/9", "10.96.0.0/12"));
    quiet(&with("10.244.0.0/23", "10.96.0.0/12"));
    for bad in ["10.0.0.0/7", "10.244.0.0/28", "10.244.0.0/24"] {
        says("pod-subnet-size", pods, &with(bad, "172.16.0.0/16"));
    }
    for bad in ["'fd00:10:244::/80'", "'fd00:10:244::/64'", "'fd00::/40'"] {
        says("pod-subnet-size", pods, &with(bad, "'fd00:10:96::/112'"));
    }
    for bad in ["10.0.0.0/8", "10.96.0.0/29"] {
        says("service-subnet-size", services, &with("172.16.0.0/16", bad));
    }
    for bad in ["'fd00:10:96::/64'", "'fd00:10:96::/126'"] {
        says("service-subnet-size", services, &with("'fd00:10:244::/56'", bad));
    }
    says("subnet-families", services, &with("'fd00:10:244::/56'", "10.96.0.0/12"));
    says("subnet-families", services, &with("[10.244.0.0/16, 'fd00:10:244::/56']", "10.96.0.0/12"));
    says(
        "subnet-families",
        services,
        &with("[10.244.0.0/16, 'fd00:10:244::/56']", "['fd00:10:96::/112', 10.96.0.0/12]"),
    );
    says("subnet-families", pods, &with("[10.244.0.0/16, 10.245.0.0/16]", "10.96.0.0/12"));
    says("subnet-special", pods, &with("127.0.0.0/16", "10.96.0.0/12"));
    says("subnet-special", services, &with("10.244.0.0/16", "224.0.0.0/16"));
    says("dual-stack-release", pods, &top(&format!("kubernetes: 1.22.17\n{BOTH}")));
    says("network-plugin-family", "add-ons.network", &top(&format!("add-ons: {{ network: calico }}\n{V6}")));
}
