//! Which of Kubernetes' controllers run.

use super::{Flaw, Options, is_among};

/// Those of 1.36, by their names and by those of before.
/// <https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/>
const CONTROLLERS: &str = "
    attachdetach bootstrap-signer-controller bootstrapsigner certificatesigningrequest-approving-controller
    certificatesigningrequest-cleaner-controller certificatesigningrequest-signing-controller cloud-node-
    lifecycle cloud-node-lifecycle-controller clusterrole-aggregation clusterrole-aggregation-controller
    cronjob cronjob-controller csrapproving csrcleaner csrsigning daemonset daemonset-controller deployment
    deployment-controller device-taint-eviction-controller disruption disruption-controller endpoint
    endpoints-controller endpointslice endpointslice-controller endpointslice-mirroring-controller
    endpointslicemirroring ephemeral-volume ephemeral-volume-controller garbage-collector-controller
    garbagecollector horizontal-pod-autoscaler-controller horizontalpodautoscaling job job-controller kube-
    apiserver-serving-clustertrustbundle-publisher-controller legacy-service-account-token-cleaner legacy-
    serviceaccount-token-cleaner-controller namespace namespace-controller node-ipam-controller node-
    lifecycle-controller node-route-controller nodeipam nodelifecycle persistentvolume-attach-detach-
    controller persistentvolume-binder persistentvolume-binder-controller persistentvolume-expander
    persistentvolume-expander-controller persistentvolume-protection-controller persistentvolumeclaim-
    protection-controller pod-garbage-collector-controller podcertificaterequest-cleaner-controller podgc
    podgroup-protection-controller pv-protection pvc-protection replicaset replicaset-controller
    replicationcontroller replicationcontroller-controller resource-claim-controller resourceclaim-controller
    resourcepoolstatusrequest-controller resourcequota resourcequota-controller root-ca-cert-publisher root-
    ca-certificate-publisher-controller route selinux-warning-controller service service-cidr-controller
    service-lb-controller serviceaccount serviceaccount-controller serviceaccount-token serviceaccount-token-
    controller statefulset statefulset-controller storage-version-gc storage-version-migrator-controller
    storageversion-garbage-collector-controller svm taint-eviction-controller token-cleaner-controller
    tokencleaner ttl ttl-after-finished ttl-after-finished-controller ttl-controller
    validatingadmissionpolicy-status-controller volumeattributesclass-protection-controller";

/// A controller that a cluster of kubeadm's needs.
struct Needed {
    names: [&'static str; 2],
    /// Whether `*` starts it.
    is_on: bool,
    /// What is without it.
    without: &'static str,
}

const NEEDED: [Needed; 6] = [
    Needed {
        names: ["bootstrapsigner", "bootstrap-signer-controller"],
        is_on: false,
        without: "nodes join by what it signs: none would",
    },
    Needed {
        names: ["csrapproving", "certificatesigningrequest-approving-controller"],
        is_on: true,
        without: "no kubelet would get a certificate",
    },
    Needed {
        names: ["csrsigning", "certificatesigningrequest-signing-controller"],
        is_on: true,
        without: "no kubelet would get a certificate",
    },
    Needed {
        names: ["daemonset", "daemonset-controller"],
        is_on: true,
        without: "no node would have kube-proxy",
    },
    Needed {
        names: ["deployment", "deployment-controller"],
        is_on: true,
        without: "there would be no CoreDNS",
    },
    Needed {
        names: ["replicaset", "replicaset-controller"],
        is_on: true,
        without: "there would be no CoreDNS",
    },
];

/// kubeadm gives `*,bootstrapsigner,tokencleaner`; who gives others gives all.
pub(super) fn flaw(told: &Options) -> Option<Flaw> {
    let text = told.get("controllers")?;
    let controllers: Vec<&str> = text.split(',').collect();
    let suggestion = "begin with `*,bootstrapsigner,tokencleaner`, which kubeadm gives";
    let name = |entry: &str| entry.strip_prefix('-').unwrap_or(entry).to_owned();
    let is_known = |entry: &&&str| **entry == "*" || is_among(&name(entry), CONTROLLERS);
    let strange = controllers.iter().find(|entry| !is_known(entry));
    let message = if let Some(strange) = strange {
        let shown = strange.escape_debug();
        format!("`{shown}` is no controller, spaces included: kube-controller-manager would end")
    } else {
        let Needed { names: [name, _], without, .. } =
            NEEDED.iter().find(|needed| !is_started(needed, &controllers))?;
        format!("`{name}` is not started: {without}")
    };
    Some(Flaw::new("controllers", message, suggestion))
}

/// Where a controller is named first is what counts.
fn is_started(Needed { names, is_on, .. }: &Needed, controllers: &[&str]) -> bool {
    let named = controllers.iter().find_map(|entry| match entry.strip_prefix('-') {
        Some(off) if names.contains(&off) => Some(false),
        None if names.contains(entry) => Some(true),
        _ => None,
    });
    named.unwrap_or(*is_on && controllers.contains(&"*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(controllers: &str) -> Option<String> {
        let told = Options::from([("controllers".to_owned(), controllers.to_owned())]);
        flaw(&told).map(|flaw| flaw.message)
    }

    #[test]
    fn those_that_a_cluster_needs_are_started() {
        assert_eq!(said("*,bootstrapsigner,tokencleaner,-ttl"), None);
        assert_eq!(said("*,bootstrap-signer-controller"), None);
        let all = "bootstrapsigner,csrapproving,csrsigning,daemonset,deployment,replicaset";
        assert_eq!(said(all), None);
        for (controllers, expected) in [
            ("*", "`bootstrapsigner` is not started: nodes join by what it signs: none would"),
            ("*,-bootstrapsigner,bootstrapsigner", "`bootstrapsigner` is not started"),
            (
                "*,bootstrapsigner,-csrsigning",
                "`csrsigning` is not started: no kubelet would get a certificate",
            ),
            ("bootstrapsigner,tokencleaner", "`csrapproving` is not started"),
            ("*,bootstrapsigner, tokencleaner", "` tokencleaner` is no controller"),
            ("*,bootstrapsigner,-foo", "`-foo` is no controller"),
        ] {
            let said = said(controllers).unwrap_or_default();
            assert!(said.starts_with(expected), "{controllers}: {said}");
        }
    }
}
