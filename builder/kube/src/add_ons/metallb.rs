//! MetalLB's settings. <https://metallb.io/configuration/>

use serde::Serialize;

use super::Error;
use crate::{cluster::AddressRange, yaml};

/// Applied after MetalLB itself.
pub const FILE: &str = "90-addresses.yaml";

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
    use super::*;

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
