//! Options of the control plane's programs, by what they take: a program ends at an option that it does not know, and at a value
//! that it cannot read. As of Kubernetes 1.36 and etcd 3.5 to 3.7, with those that earlier releases had.
//! <https://kubernetes.io/docs/reference/command-line-tools-reference/>, <https://etcd.io/docs/latest/op-guide/configuration/>

use crate::version::Version;

/// Options of a program: names between spaces.
#[derive(Debug)]
pub(super) struct Options {
    /// Of a duration, as Go writes it.
    pub durations: &'static str,
    /// Of `true` or `false`.
    pub switches: &'static str,
    /// Of a number.
    pub numbers: &'static str,
    /// Of anything else.
    pub others: &'static str,
}

impl Options {
    /// Whether `name` is among them.
    pub fn has(&self, name: &str) -> bool {
        let Self { durations, switches, numbers, others } = self;
        [durations, switches, numbers, others].iter().any(|names| is_among(name, names))
    }
}

/// Whether `value` is one of a switch, as Go reads it (strconv.ParseBool).
pub(super) fn is_switch(value: &str) -> bool {
    let switches = "1 t T TRUE true True 0 f F FALSE false False";
    is_among(value, switches)
}

/// Whether `value` switches off.
pub(super) fn is_off(value: &str) -> bool {
    is_switch(value) && value.starts_with(['0', 'f', 'F'])
}

/// Whether `name` is one of `names`.
pub(super) fn is_among(name: &str, names: &str) -> bool {
    names.split_whitespace().any(|other| other == name)
}

/// Of kube-apiserver.
pub(super) const API_SERVER: Options = Options {
    durations: "
        audit-log-batch-max-wait audit-webhook-batch-initial-backoff audit-webhook-batch-max-wait
        audit-webhook-initial-backoff authentication-token-webhook-cache-ttl
        authorization-webhook-cache-authorized-ttl authorization-webhook-cache-unauthorized-ttl
        coordinated-leadership-lease-duration coordinated-leadership-renew-deadline
        coordinated-leadership-retry-period etcd-compaction-interval etcd-count-metric-poll-period
        etcd-db-metric-poll-interval etcd-healthcheck-timeout etcd-readycheck-timeout event-ttl
        kubelet-timeout livez-grace-period log-flush-frequency request-timeout
        service-account-max-token-expiration shutdown-delay-duration shutdown-watch-termination-grace-period
        storage-initialization-timeout",
    switches: "
        aggregator-reject-forwarding-redirect allow-privileged anonymous-auth
        audit-log-batch-throttle-enable audit-log-compress audit-log-truncate-enabled
        audit-webhook-batch-throttle-enable audit-webhook-truncate-enabled contention-profiling
        disable-http2-serving emulation-forward-compatible enable-aggregator-routing
        enable-bootstrap-token-auth enable-garbage-collector enable-logs-handler
        enable-priority-and-fairness encryption-provider-config-automatic-reload log-json-split-stream log-text-split-stream
        permit-address-sharing permit-port-sharing profiling runtime-config-emulation-forward-compatible
        send-retry-after-while-not-ready-once service-account-extend-token-expiration service-account-lookup
        shutdown-send-retry-after watch-cache",
    numbers: "
        apiserver-count audit-log-batch-buffer-size audit-log-batch-max-size audit-log-batch-throttle-burst
        audit-log-batch-throttle-qps audit-log-maxage audit-log-maxbackup audit-log-maxsize
        audit-log-truncate-max-batch-size audit-log-truncate-max-event-size audit-webhook-batch-buffer-size
        audit-webhook-batch-max-size audit-webhook-batch-throttle-burst audit-webhook-batch-throttle-qps
        audit-webhook-truncate-max-batch-size audit-webhook-truncate-max-event-size
        default-not-ready-toleration-seconds default-unreachable-toleration-seconds default-watch-cache-size
        delete-collection-workers goaway-chance http2-max-streams-per-connection kubelet-port
        kubelet-read-only-port kubernetes-service-node-port lease-reuse-duration-seconds
        max-connection-bytes-per-sec max-mutating-requests-inflight max-requests-inflight
        min-request-timeout secure-port v",
    others: "
        add-dir-header admission-control admission-control-config-file advertise-address allow-metric-labels
        allow-metric-labels-manifest alsologtostderr api-audiences audit-log-format audit-log-mode
        audit-log-path audit-log-version audit-policy-file audit-webhook-config-file audit-webhook-mode
        audit-webhook-version authentication-config authentication-token-webhook-config-file
        authentication-token-webhook-version authorization-config authorization-mode
        authorization-policy-file authorization-webhook-config-file authorization-webhook-version
        bind-address cert-dir client-ca-file cloud-config cloud-provider cloud-provider-gce-l7lb-src-cidrs
        cloud-provider-gce-lb-src-cidrs cors-allowed-origins debug-socket-path deserialization-cache-size
        disable-admission-plugins disabled-metrics egress-selector-config-file emulated-version
        enable-admission-plugins enable-swagger-ui encryption-provider-config endpoint-reconciler-type
        etcd-cafile etcd-certfile etcd-keyfile etcd-prefix etcd-servers etcd-servers-overrides
        experimental-encryption-provider-config experimental-logging-sanitization external-hostname
        feature-gates insecure-bind-address insecure-port kubelet-certificate-authority
        kubelet-client-certificate kubelet-client-key kubelet-https kubelet-preferred-address-types
        log-backtrace-at log-dir log-file log-file-max-size log-json-info-buffer-size log-text-info-buffer-size logging-format
        logtostderr master-service-namespace min-compatibility-version oidc-ca-file oidc-client-id
        oidc-groups-claim oidc-groups-prefix oidc-issuer-url oidc-required-claim oidc-signing-algs
        oidc-username-claim oidc-username-prefix one-output peer-advertise-ip peer-advertise-port
        peer-ca-file proxy-client-cert-file proxy-client-key-file requestheader-allowed-names
        requestheader-client-ca-file requestheader-extra-headers-prefix requestheader-group-headers
        requestheader-uid-headers requestheader-username-headers runtime-config
        service-account-api-audiences service-account-issuer service-account-jwks-uri
        service-account-key-file service-account-signing-endpoint service-account-signing-key-file
        service-cluster-ip-range service-node-port-range show-hidden-metrics-for-version skip-headers
        skip-log-headers stderrthreshold storage-backend storage-media-type
        strict-transport-security-directives target-ram-mb tls-cert-file tls-cipher-suites
        tls-curve-preferences tls-min-version tls-private-key-file tls-sni-cert-key token-auth-file
        tracing-config-file vmodule watch-cache-sizes",
};

/// Of kube-controller-manager.
pub(super) const CONTROLLER_MANAGER: Options = Options {
    durations: "
        attach-detach-reconcile-sync-period authentication-token-webhook-cache-ttl
        authorization-webhook-cache-authorized-ttl authorization-webhook-cache-unauthorized-ttl
        cluster-signing-duration controller-shutdown-timeout controller-start-interval
        endpoint-updates-batch-period endpointslice-updates-batch-period
        horizontal-pod-autoscaler-cpu-initialization-period
        horizontal-pod-autoscaler-downscale-stabilization horizontal-pod-autoscaler-initial-readiness-delay
        horizontal-pod-autoscaler-sync-period leader-elect-lease-duration leader-elect-renew-deadline
        leader-elect-retry-period legacy-service-account-token-clean-up-period log-flush-frequency
        min-resync-period mirroring-endpointslice-updates-batch-period namespace-sync-period
        node-monitor-grace-period node-monitor-period node-startup-grace-period node-sync-period
        pvclaimbinder-sync-period resource-quota-sync-period route-reconciliation-period",
    switches: "
        allocate-node-cidrs allow-untagged-cloud authentication-skip-lookup
        authentication-tolerate-lookup-failure configure-cloud-routes contention-profiling
        disable-attach-detach-reconcile-sync disable-force-detach-on-timeout disable-http2-serving
        enable-dynamic-provisioning enable-garbage-collector enable-hostpath-provisioner
        enable-leader-migration leader-elect log-json-split-stream log-text-split-stream permit-address-sharing
        permit-port-sharing profiling use-service-account-credentials",
    numbers: "
        concurrent-cron-job-syncs concurrent-daemonset-syncs concurrent-deployment-syncs
        concurrent-device-taint-eviction-syncs concurrent-endpoint-syncs concurrent-ephemeralvolume-syncs
        concurrent-gc-syncs concurrent-horizontal-pod-autoscaler-syncs concurrent-job-syncs
        concurrent-namespace-syncs concurrent-replicaset-syncs concurrent-resource-quota-syncs
        concurrent-resourceclaim-syncs concurrent-service-endpoint-syncs concurrent-service-syncs
        concurrent-serviceaccount-token-syncs concurrent-statefulset-syncs
        concurrent-ttl-after-finished-syncs concurrent-validating-admission-policy-status-syncs
        concurrent-rc-syncs horizontal-pod-autoscaler-tolerance http2-max-streams-per-connection
        kube-api-burst kube-api-qps large-cluster-size-threshold max-endpoints-per-slice
        mirroring-concurrent-service-endpoint-syncs mirroring-max-endpoints-per-subset node-cidr-mask-size
        node-cidr-mask-size-ipv4 node-cidr-mask-size-ipv6 node-eviction-rate
        pv-recycler-increment-timeout-nfs pv-recycler-minimum-timeout-hostpath
        pv-recycler-minimum-timeout-nfs pv-recycler-timeout-increment-hostpath secondary-node-eviction-rate
        secure-port terminated-pod-gc-threshold unhealthy-zone-threshold v",
    others: "
        add-dir-header address allow-metric-labels allow-metric-labels-manifest alsologtostderr
        authentication-kubeconfig authorization-always-allow-paths authorization-kubeconfig bind-address
        cert-dir cidr-allocator-type client-ca-file cloud-config cloud-provider cluster-cidr cluster-name
        cluster-signing-cert-file cluster-signing-key-file cluster-signing-kube-apiserver-client-cert-file
        cluster-signing-kube-apiserver-client-key-file cluster-signing-kubelet-client-cert-file
        cluster-signing-kubelet-client-key-file cluster-signing-kubelet-serving-cert-file
        cluster-signing-kubelet-serving-key-file cluster-signing-legacy-unknown-cert-file
        cluster-signing-legacy-unknown-key-file controllers deleting-pods-burst deleting-pods-qps
        disabled-metrics emulated-version enable-taint-manager experimental-cluster-signing-duration
        experimental-logging-sanitization external-cloud-volume-plugin feature-gates flex-volume-plugin-dir
        horizontal-pod-autoscaler-use-rest-clients kube-api-content-type kubeconfig
        leader-elect-resource-lock leader-elect-resource-name leader-elect-resource-namespace
        leader-migration-config log-backtrace-at log-dir log-file log-file-max-size
        log-json-info-buffer-size log-text-info-buffer-size logging-format logtostderr master min-compatibility-version one-output
        pod-eviction-timeout port pv-recycler-pod-template-filepath-hostpath
        pv-recycler-pod-template-filepath-nfs register-retry-count requestheader-allowed-names
        requestheader-client-ca-file requestheader-extra-headers-prefix requestheader-group-headers
        requestheader-uid-headers requestheader-username-headers root-ca-file
        service-account-private-key-file service-cluster-ip-range service-sync-period
        show-hidden-metrics-for-version skip-headers skip-log-headers stderrthreshold tls-cert-file
        tls-cipher-suites tls-curve-preferences tls-min-version tls-private-key-file tls-sni-cert-key
        vmodule volume-host-allow-local-loopback volume-host-cidr-denylist",
};

/// Of kube-scheduler.
pub(super) const SCHEDULER: Options = Options {
    durations: "
        authentication-token-webhook-cache-ttl authorization-webhook-cache-authorized-ttl
        authorization-webhook-cache-unauthorized-ttl leader-elect-lease-duration leader-elect-renew-deadline
        leader-elect-retry-period log-flush-frequency pod-max-in-unschedulable-pods-duration",
    switches: "
        authentication-skip-lookup authentication-tolerate-lookup-failure contention-profiling
        disable-http2-serving leader-elect log-json-split-stream log-text-split-stream permit-address-sharing permit-port-sharing
        profiling",
    numbers: "http2-max-streams-per-connection kube-api-burst kube-api-qps secure-port v",
    others: "
        add-dir-header address algorithm-provider allow-metric-labels allow-metric-labels-manifest
        alsologtostderr authentication-kubeconfig authorization-always-allow-paths authorization-kubeconfig
        bind-address cert-dir client-ca-file config disabled-metrics emulated-version
        experimental-logging-sanitization failure-domains feature-gates hard-pod-affinity-symmetric-weight
        kube-api-content-type kubeconfig leader-elect-resource-lock leader-elect-resource-name
        leader-elect-resource-namespace lock-object-name lock-object-namespace log-backtrace-at log-dir
        log-file log-file-max-size log-json-info-buffer-size log-text-info-buffer-size logging-format logtostderr master
        min-compatibility-version one-output policy-config-file policy-configmap policy-configmap-namespace
        port requestheader-allowed-names requestheader-client-ca-file requestheader-extra-headers-prefix
        requestheader-group-headers requestheader-uid-headers requestheader-username-headers scheduler-name
        show-hidden-metrics-for-version skip-headers skip-log-headers stderrthreshold tls-cert-file
        tls-cipher-suites tls-curve-preferences tls-min-version tls-private-key-file tls-sni-cert-key
        use-legacy-policy-config vmodule write-config-to",
};

/// Of etcd.
pub(super) const ETCD: Options = Options {
    durations: "
        backend-batch-interval compact-hash-check-time compaction-sleep-interval corrupt-check-time
        discovery-dial-timeout discovery-keepalive-time discovery-keepalive-timeout
        discovery-request-timeout downgrade-check-time experimental-compact-hash-check-time
        experimental-compaction-sleep-interval experimental-corrupt-check-time
        experimental-downgrade-check-time experimental-warning-apply-duration
        experimental-warning-unary-request-duration experimental-watch-progress-notify-interval
        grpc-keepalive-interval grpc-keepalive-min-time grpc-keepalive-timeout raft-read-timeout
        raft-write-timeout warning-apply-duration warning-unary-request-duration
        watch-progress-notify-interval",
    switches: "
        auto-tls client-cert-auth discovery-insecure-skip-tls-verify discovery-insecure-transport
        enable-distributed-tracing enable-grpc-gateway enable-log-rotation enable-pprof enable-v2
        experimental-compact-hash-check-enabled experimental-enable-distributed-tracing
        experimental-enable-lease-checkpoint experimental-enable-lease-checkpoint-persist
        experimental-initial-corrupt-check experimental-memory-mlock
        experimental-peer-skip-client-san-verification experimental-stop-grpc-service-on-defrag
        experimental-txn-mode-write-with-shared-buffer force-new-cluster initial-election-tick-advance
        memory-mlock peer-auto-tls peer-client-cert-auth peer-skip-client-san-verification pre-vote
        socket-reuse-address socket-reuse-port strict-reconfig-check unsafe-no-fsync",
    numbers: "
        auth-token-ttl backend-batch-limit bcrypt-cost bootstrap-defrag-threshold-megabytes
        compaction-batch-limit distributed-tracing-sampling-rate election-timeout
        experimental-bootstrap-defrag-threshold-megabytes experimental-compaction-batch-limit
        experimental-distributed-tracing-sampling-rate experimental-snapshot-catchup-entries
        heartbeat-interval max-learners max-request-bytes max-snapshots max-txn-ops max-wals
        proxy-dial-timeout proxy-failure-wait proxy-read-timeout proxy-refresh-interval proxy-write-timeout
        quota-backend-bytes self-signed-cert-validity snapshot-catchup-entries snapshot-count",
    others: "
        advertise-client-urls auth-token auto-compaction-mode auto-compaction-retention
        backend-bbolt-freelist-type cert-file cipher-suites client-cert-allowed-hostname client-cert-file
        client-crl-file client-key-file config-file cors data-dir discovery discovery-cacert discovery-cert
        discovery-endpoints discovery-fallback discovery-key discovery-password discovery-proxy
        discovery-srv discovery-srv-name discovery-token discovery-user distributed-tracing-address
        distributed-tracing-instance-id distributed-tracing-service-name
        experimental-distributed-tracing-address experimental-distributed-tracing-instance-id
        experimental-distributed-tracing-service-name experimental-enable-v2v3 feature-gates host-whitelist
        initial-advertise-peer-urls initial-cluster initial-cluster-state initial-cluster-token key-file
        listen-metrics-urls listen-peer-urls log-format log-level log-outputs log-rotation-config-json
        logger max-concurrent-streams metrics name peer-cert-allowed-cn peer-cert-allowed-hostname
        peer-cert-file peer-client-cert-file peer-client-key-file peer-crl-file peer-key-file
        peer-trusted-ca-file proxy tls-max-version tls-min-version trusted-ca-file v2-deprecation
        wal-dir",
};

/// Numbers that need not be whole.
pub(super) const FRACTIONS: &str = "
    audit-log-batch-throttle-qps audit-webhook-batch-throttle-qps goaway-chance
    horizontal-pod-autoscaler-tolerance kube-api-qps node-eviction-rate secondary-node-eviction-rate
    unhealthy-zone-threshold";

/// Options that are gone, by the setting that would pass them on, since these minor releases at the latest.
const GONE: [(&str, u16, &str); 10] = [
    ("api-server", 24, "insecure-bind-address insecure-port"),
    ("api-server", 26, LOGGING),
    (
        "api-server",
        36,
        "cloud-config cloud-provider cloud-provider-gce-l7lb-src-cidrs cloud-provider-gce-lb-src-cidrs
        deserialization-cache-size enable-swagger-ui experimental-encryption-provider-config
        experimental-logging-sanitization kubelet-https master-service-namespace
        service-account-api-audiences target-ram-mb",
    ),
    ("controller-manager", 24, "address port"),
    ("controller-manager", 26, LOGGING),
    (
        "controller-manager",
        36,
        "deleting-pods-burst deleting-pods-qps enable-taint-manager experimental-cluster-signing-duration
        experimental-logging-sanitization horizontal-pod-autoscaler-use-rest-clients pod-eviction-timeout
        register-retry-count service-sync-period volume-host-allow-local-loopback volume-host-cidr-denylist",
    ),
    ("scheduler", 24, "address port"),
    ("scheduler", 26, LOGGING),
    (
        "scheduler",
        36,
        "algorithm-provider experimental-logging-sanitization failure-domains
        hard-pod-affinity-symmetric-weight lock-object-name lock-object-namespace policy-config-file
        policy-configmap policy-configmap-namespace scheduler-name use-legacy-policy-config",
    ),
    // With etcd 3.6.
    (
        "etcd",
        34,
        "enable-v2 experimental-enable-v2v3 proxy proxy-dial-timeout proxy-failure-wait proxy-read-timeout
        proxy-refresh-interval proxy-write-timeout",
    ),
];

const LOGGING: &str = "
    add-dir-header alsologtostderr log-backtrace-at log-dir log-file log-file-max-size logtostderr one-output
    skip-headers skip-log-headers stderrthreshold";

/// The minor release without the option, if `version` is that or a later one.
pub(super) fn gone_since(setting: &str, name: &str, version: Version) -> Option<u16> {
    let mut gone = GONE.iter().filter(|(of, since, _)| *of == setting && version.minor >= *since);
    gone.find(|(_, _, names)| is_among(name, names)).map(|(_, since, _)| *since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_takes_one_thing() {
        for Options { durations, switches, numbers, others } in
            [API_SERVER, CONTROLLER_MANAGER, SCHEDULER, ETCD]
        {
            let mut names: Vec<_> = [durations, switches, numbers, others]
                .iter()
                .flat_map(|names| names.split_whitespace())
                .collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
