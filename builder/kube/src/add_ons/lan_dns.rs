//! A name server for the home network. It is the CoreDNS that the cluster has anyway, a second time, with the plug-in
//! that names Services by their outside addresses: no further image, and it runs on 32-bit Arm.
//! <https://coredns.io/plugins/k8s_external/>

use std::net::IpAddr;

use super::Error;
use crate::{
    cluster::{Cluster, Family, LanDns},
    images, yaml,
};

/// Applied after the addresses.
pub const FILE: &str = "91-lan-dns.yaml";

/// The manifest.
pub fn manifest(cluster: &Cluster, settings: &LanDns) -> Result<String, Error> {
    let tag = cluster.coredns_tag().ok_or(Error::UnknownImage { version: cluster.kubernetes })?;
    let image = yaml::word(&images::coredns(cluster.kubernetes, tag));
    let upstream = if settings.upstream.is_empty() { &cluster.lan.dns } else { &settings.upstream };
    let upstream = upstream.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ");
    let LanDns { address, domain, .. } = settings;
    // A Service has an address of the cluster's first family unless it asks for another.
    let family = Family::of(*address);
    let families =
        if family == cluster.family() { String::new() } else { format!("\n  ipFamilies: [{family}]") };
    let cluster_domain = &cluster.networking.dns_domain;
    // Other names below the domain are the network's own, from the release on that can pass them on.
    let fallthrough = if passes_on(tag) { " {\n            fallthrough\n        }" } else { "" };
    Ok(format!(
        r#"# Made by imgforge: names of Services below {domain}, everything else asked of {upstream}.
apiVersion: v1
kind: Namespace
metadata: {{ name: lan-dns }}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{ name: lan-dns, namespace: lan-dns }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{ name: lan-dns }}
rules:
  - apiGroups: [""]
    resources: [endpoints, services, pods, namespaces]
    verbs: [list, watch]
  - apiGroups: [discovery.k8s.io]
    resources: [endpointslices]
    verbs: [list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{ name: lan-dns }}
roleRef: {{ apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: lan-dns }}
subjects:
  - {{ kind: ServiceAccount, name: lan-dns, namespace: lan-dns }}
---
apiVersion: v1
kind: ConfigMap
metadata: {{ name: lan-dns, namespace: lan-dns }}
data:
  Corefile: |
    .:53 {{
        errors
        health
        ready
        kubernetes {cluster_domain}
        k8s_external {domain}{fallthrough}
        forward . {upstream}
        cache 30
        loop
    }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: lan-dns, namespace: lan-dns }}
spec:
  selector: {{ matchLabels: {{ app: lan-dns }} }}
  template:
    metadata: {{ labels: {{ app: lan-dns }} }}
    spec:
      serviceAccountName: lan-dns
      dnsPolicy: Default
      containers:
        - name: coredns
          image: {image}
          imagePullPolicy: IfNotPresent
          args: [-conf, /etc/coredns/Corefile]
          ports:
            - {{ name: dns, containerPort: 53, protocol: UDP }}
            - {{ name: dns-tcp, containerPort: 53, protocol: TCP }}
          livenessProbe: {{ httpGet: {{ path: /health, port: 8080 }}, initialDelaySeconds: 60, failureThreshold: 5 }}
          readinessProbe: {{ httpGet: {{ path: /ready, port: 8181 }} }}
          resources: {{ requests: {{ cpu: 20m, memory: 30Mi }}, limits: {{ memory: 128Mi }} }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{ drop: [ALL], add: [NET_BIND_SERVICE] }}
          volumeMounts:
            - {{ name: config, mountPath: /etc/coredns, readOnly: true }}
      volumes:
        - {{ name: config, configMap: {{ name: lan-dns }} }}
---
apiVersion: v1
kind: Service
metadata:
  name: lan-dns
  namespace: lan-dns
  annotations: {{ metallb.io/loadBalancerIPs: "{address}" }}
spec:
  type: LoadBalancer{families}
  selector: {{ app: lan-dns }}
  ports:
    - {{ name: dns, port: 53, protocol: UDP }}
    - {{ name: dns-tcp, port: 53, protocol: TCP }}
"#
    ))
}

/// Whether the CoreDNS of `tag` (`v1.14.2`) has `fallthrough` for names of Services: since 1.11.
fn passes_on(tag: &str) -> bool {
    let mut numbers = tag.trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (1, 11),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_yaml::{Deserializer, Value};

    use super::*;

    fn objects(text: &str) -> Vec<Value> {
        let cluster: Cluster = serde_yaml::from_str(text).unwrap();
        let settings = cluster.add_ons.lan_dns.clone().unwrap();
        let text = manifest(&cluster, &settings).unwrap();
        Deserializer::from_str(&text).map(|object| Value::deserialize(object).unwrap()).collect()
    }

    const SETTINGS: &str = "add-ons: { lan-dns: { address: 192.168.1.240, domain: home.example } }";

    fn object<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
        objects.iter().find(|object| object["kind"] == kind).unwrap()
    }

    #[test]
    fn other_names_are_asked_of_the_home_networks_own_server() {
        let objects = objects(&format!("lan: {{ dns: [192.168.1.1, 192.168.1.2] }}\n{SETTINGS}"));
        let corefile = object(&objects, "ConfigMap")["data"]["Corefile"].as_str().unwrap();
        assert!(corefile.contains("forward . 192.168.1.1 192.168.1.2\n"), "{corefile}");
        assert!(
            corefile.contains("    k8s_external home.example {\n        fallthrough\n    }\n"),
            "{corefile}"
        );
        let service = object(&objects, "Service");
        assert_eq!(service["metadata"]["annotations"]["metallb.io/loadBalancerIPs"], "192.168.1.240");
    }

    #[test]
    fn its_address_may_be_of_the_clusters_second_family() {
        let both = "networking: { pod-subnet: [10.244.0.0/16, 'fd00:10:244::/56'] }";
        let settings = SETTINGS.replace("192.168.1.240", "'fd00:1::f0'");
        let upstream = "lan: { dns: [192.168.1.1] }";
        let objects = objects(&format!("{both}\n{upstream}\n{settings}"));
        assert_eq!(object(&objects, "Service")["spec"]["ipFamilies"][0], "IPv6");
    }

    #[test]
    fn it_runs_the_clusters_own_coredns() {
        let objects = objects(&format!("kubernetes: 1.26.15\nimages: {{ coredns: v1.9.3 }}\n{SETTINGS}"));
        let container = &object(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["image"], "registry.k8s.io/coredns/coredns:v1.9.3");
        let corefile = object(&objects, "ConfigMap")["data"]["Corefile"].as_str().unwrap();
        assert!(!corefile.contains("fallthrough"), "1.9.3 does not know it: {corefile}");
    }
}
