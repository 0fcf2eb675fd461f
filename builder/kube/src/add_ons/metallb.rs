//! MetalLB's settings. <https://metallb.io/configuration/>

use serde::Serialize;

use super::{Error, Manifest, once};
use crate::{
    cluster::{AddressRange, Cluster, Node},
    yaml,
};

/// Applied after MetalLB itself.
pub const FILE: &str = "90-addresses.yaml";

/// The manifest, so that MetalLB works where masters do the work of workers.
///
/// kubeadm labels every master as none of an outside load balancer's, and a speaker on such a node announces nothing
/// unless it is told to (`--ignore-exclude-lb`). And its controller, without which no settings are taken, has no place
/// to run as long as a tainted master is alone.
pub fn adapted(manifest: &Manifest, text: &str, cluster: &Cluster) -> Result<String, Error> {
    const SPEAKER: &str = "kind: DaemonSet\n";
    const CONTROLLER: &str = "kind: Deployment\n";
    const ARGUMENTS: &str = "\n      - args:\n";
    const VOLUMES: &str = "\n      volumes:\n";
    let (rest, speaker) = once(manifest, text, SPEAKER)?;
    let (before, controller) = once(manifest, rest, CONTROLLER)?;
    let (controller, volumes) = once(manifest, controller, VOLUMES)?;
    let (speaker, arguments) = once(manifest, speaker, ARGUMENTS)?;
    let ignore =
        if cluster.masters().any(Node::is_schedulable) { "        - --ignore-exclude-lb\n" } else { "" };
    Ok(format!(
        "{before}{CONTROLLER}{controller}{TOLERATIONS}{VOLUMES}{volumes}{SPEAKER}{speaker}{ARGUMENTS}{ignore}{arguments}"
    ))
}

/// Of masters' taints, the one that kubeadm gives before 1.25 too.
const TOLERATIONS: &str = "
      tolerations:
      - effect: NoSchedule
        key: node-role.kubernetes.io/master
        operator: Exists
      - effect: NoSchedule
        key: node-role.kubernetes.io/control-plane
        operator: Exists";

/// An object of Kubernetes with the few fields that are needed here.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<S> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: S,
}

#[derive(Serialize)]
struct Metadata {
    name: &'static str,
    namespace: &'static str,
}

#[derive(Serialize)]
struct PoolSpec<'a> {
    addresses: &'a [AddressRange],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AdvertisementSpec {
    ip_address_pools: [&'static str; 1],
}

/// The pool of addresses, announced by ARP.
pub fn address_pool(addresses: &[AddressRange]) -> Result<String, Error> {
    const API: &str = "metallb.io/v1beta1";
    const POOL: &str = "home-network";
    let metadata = || Metadata { name: POOL, namespace: "metallb-system" };
    let pool = Object {
        api_version: API,
        kind: "IPAddressPool",
        metadata: metadata(),
        spec: PoolSpec { addresses },
    };
    let advertisement = Object {
        api_version: API,
        kind: "L2Advertisement",
        metadata: metadata(),
        spec: AdvertisementSpec { ip_address_pools: [POOL] },
    };
    let texts = yaml::to_string(&pool).and_then(|pool| Ok((pool, yaml::to_string(&advertisement)?)));
    let (pool, advertisement) =
        texts.map_err(|error| Error::Write { name: FILE, reason: error.to_string() })?;
    Ok(format!("{pool}---\n{advertisement}"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_yaml::{Deserializer, Value};

    use super::*;

    /// What of the published manifest is looked at.
    const PUBLISHED: &str = "\
kind: Deployment
spec:
  template:
    spec:
      containers:
      - args:
        - --port=9120
        name: controller
      terminationGracePeriodSeconds: 0
      volumes:
      - name: cert
---
kind: DaemonSet
spec:
  template:
    spec:
      containers:
      - args:
        - --port=9120
        name: speaker
      tolerations:
      - effect: NoSchedule
      volumes:
      - name: memberlist
";

    fn adapted_for(nodes: &str) -> Result<Vec<Value>, Error> {
        let cluster: Cluster = serde_yaml::from_str(&format!("nodes: [{nodes}]")).unwrap();
        let manifest = "{ name: metallb, version: v1, url: https://metallb.example/v1.yml, sha256: SUM }"
            .replace("SUM", &"0".repeat(64));
        let text = adapted(&serde_yaml::from_str(&manifest).unwrap(), PUBLISHED, &cluster)?;
        Ok(Deserializer::from_str(&text).map(|object| Value::deserialize(object).unwrap()).collect())
    }

    #[test]
    fn speakers_announce_from_masters_that_do_the_work_of_workers() {
        let arguments = |nodes: &str| {
            let objects = adapted_for(nodes).unwrap();
            serde_yaml::to_string(&objects[1]["spec"]["template"]["spec"]["containers"][0]["args"]).unwrap()
        };
        assert_eq!(
            arguments("{ hostname: m, board: b, role: master, taints: [] }"),
            "- --ignore-exclude-lb\n- --port=9120\n"
        );
        assert_eq!(
            arguments("{ hostname: m, board: b, role: master }, { hostname: w, board: b }"),
            "- --port=9120\n"
        );
    }

    #[test]
    fn the_controller_runs_on_a_master_that_is_still_alone() {
        let objects = adapted_for("{ hostname: m, board: b, role: master }").unwrap();
        let pod = &objects[0]["spec"]["template"]["spec"];
        assert_eq!(pod["tolerations"][1]["key"], "node-role.kubernetes.io/control-plane");
        assert_eq!(pod["volumes"][0]["name"], "cert");
        assert_eq!(objects[1]["spec"]["template"]["spec"]["tolerations"][0]["effect"], "NoSchedule");
    }

    #[test]
    fn the_pool_has_the_addresses_of_the_file() {
        let range = "192.168.1.240-192.168.1.250".parse().unwrap();
        assert_eq!(
            address_pool(&[range]).unwrap(),
            "apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: home-network
  namespace: metallb-system
spec:
  addresses:
  - 192.168.1.240-192.168.1.250
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata:
  name: home-network
  namespace: metallb-system
spec:
  ipAddressPools:
  - home-network
"
        );
    }
}
