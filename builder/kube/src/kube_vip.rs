//! kube-vip: the masters hold the address of the control plane among themselves.
//! <https://kube-vip.io/docs/about/architecture/>
//!
//! It runs as a static pod from before `kubeadm init` is through. kubeadm's own kubeconfig would not do: since 1.29
//! it has no rights until late in `init`, and the first master needs another file than the rest (kube-vip#684). So
//! kube-vip has an identity of its own, signed by the cluster's authority when the secrets were made.

use crate::{images::names, kubeconfig::Kubeconfig, member::Member, pki::Secrets};

/// The kubeconfig: it talks to its own node, as the virtual address may be nobody's yet. kube-vip replaces the host's
/// name by `kubernetes`, which the pod resolves to the node itself.
pub fn kubeconfig(secrets: &Secrets) -> Kubeconfig {
    Kubeconfig::new(
        &secrets.cluster,
        "kubernetes:6443",
        &secrets.ca.certificate,
        "kube-vip",
        &secrets.kube_vip,
    )
}

/// The static pod, with the kubeconfig that lies at `kubeconfig` on the node. The interface is not named: boards call it eth0, end0 or enx…; kube-vip takes that of the default
/// route.
pub fn pod(member: &Member<'_>, kubeconfig: &str) -> String {
    let (address, image) = (&member.endpoint.host, &names().kube_vip);
    let port = member.endpoint.port;
    let prefix = if address.contains(':') { 128 } else { 32 };
    let lease = member.slowest_master.patience().lease;
    let (renew, retry) = (lease / 3 * 2, lease * 2 / 15);
    format!(
        r#"# Made by imgforge: holds {address} for the control plane.
apiVersion: v1
kind: Pod
metadata:
  name: kube-vip
  namespace: kube-system
spec:
  hostNetwork: true
  hostAliases:
    - ip: 127.0.0.1
      hostnames: [kubernetes]
  priorityClassName: system-node-critical
  containers:
    - name: kube-vip
      image: {image}
      imagePullPolicy: IfNotPresent
      args: [manager]
      env:
        - {{ name: address, value: "{address}" }}
        - {{ name: port, value: "{port}" }}
        - {{ name: vip_subnet, value: "{prefix}" }}
        - {{ name: vip_arp, value: "true" }}
        - {{ name: cp_enable, value: "true" }}
        - {{ name: cp_namespace, value: kube-system }}
        - {{ name: vip_leaderelection, value: "true" }}
        - {{ name: vip_leasename, value: plndr-cp-lock }}
        - {{ name: vip_leaseduration, value: "{lease}" }}
        - {{ name: vip_renewdeadline, value: "{renew}" }}
        - {{ name: vip_retryperiod, value: "{retry}" }}
        - name: vip_nodename
          valueFrom: {{ fieldRef: {{ fieldPath: spec.nodeName }} }}
      securityContext:
        capabilities:
          drop: [ALL]
          add: [NET_ADMIN, NET_RAW]
      volumeMounts:
        - {{ name: kubeconfig, mountPath: /etc/kubernetes/admin.conf, readOnly: true }}
  volumes:
    - name: kubeconfig
      hostPath: {{ path: {kubeconfig}, type: File }}
"#
    )
}
