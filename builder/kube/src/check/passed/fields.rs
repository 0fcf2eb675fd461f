//! Fields of the configurations that settings are passed on to, and what they hold. An unknown one is read over by Kubernetes
//! without a word that anybody sees; a value of another kind ends the kubelet, or kubeadm.

use super::shape::{Field, Shape};

/// Go's int32, from zero.
const COUNT: Shape = Shape::Whole(0, i32::MAX as i64);
/// In nanoseconds.
const SECOND: i128 = 1_000_000_000;
const PERCENT: Shape = Shape::Whole(0, 100);
/// 0 is nobody listening, or the usual port.
const PORT: Shape = Shape::Whole(0, 65535);

/// What the kubelet watches: <https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/>.
const SIGNALS: [&str; 9] = [
    "allocatableMemory.available",
    "containerfs.available",
    "containerfs.inodesFree",
    "imagefs.available",
    "imagefs.inodesFree",
    "memory.available",
    "nodefs.available",
    "nodefs.inodesFree",
    "pid.available",
];

/// What can be kept from pods: <https://kubernetes.io/docs/tasks/administer-cluster/reserve-compute-resources/>.
const RESOURCES: [&str; 4] = ["cpu", "memory", "ephemeral-storage", "pid"];
const ENFORCED: [&str; 6] = [
    "none",
    "pods",
    "system-reserved",
    "system-reserved-compressible",
    "kube-reserved",
    "kube-reserved-compressible",
];

/// Of a KubeletConfiguration, as of Kubernetes 1.36: <https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/>.
pub(super) const KUBELET: [Field; 125] = [
    ("address", Shape::Text),
    ("allowedUnsafeSysctls", Shape::List(&Shape::Text)),
    (
        "authentication",
        Shape::Fields(&[
            ("anonymous", Shape::Fields(&[("enabled", Shape::Switch)])),
            ("webhook", Shape::Fields(&[("enabled", Shape::Switch), ("cacheTTL", Shape::Duration)])),
            ("x509", Shape::Fields(&[("clientCAFile", Shape::Text)])),
        ]),
    ),
    (
        "authorization",
        Shape::Fields(&[
            ("mode", Shape::OneOf(&["AlwaysAllow", "Webhook"])),
            (
                "webhook",
                Shape::Fields(&[
                    ("cacheAuthorizedTTL", Shape::Duration),
                    ("cacheUnauthorizedTTL", Shape::Duration),
                ]),
            ),
        ]),
    ),
    ("cgroupDriver", Shape::Text),
    ("cgroupRoot", Shape::Text),
    ("cgroupsPerQOS", Shape::Switch),
    ("clusterDNS", Shape::List(&Shape::Text)),
    ("clusterDomain", Shape::Text),
    ("configMapAndSecretChangeDetectionStrategy", Shape::OneOf(&["Get", "Cache", "Watch"])),
    ("containerLogMaxFiles", Shape::Whole(2, i32::MAX as i64)),
    ("containerLogMaxSize", Shape::Size),
    ("containerLogMaxWorkers", Shape::Whole(1, i32::MAX as i64)),
    ("containerLogMonitorInterval", Shape::Within("of at least 3 s", 3 * SECOND, i64::MAX as i128)),
    ("containerRuntimeEndpoint", Shape::Text),
    ("contentType", Shape::Text),
    ("cpuCFSQuota", Shape::Switch),
    ("cpuCFSQuotaPeriod", Shape::Within("from 1 ms to 1 s", SECOND / 1000, SECOND)),
    ("cpuManagerPolicy", Shape::OneOf(&["none", "static"])),
    ("cpuManagerPolicyOptions", Shape::Map(&Shape::Text)),
    ("cpuManagerReconcilePeriod", Shape::Duration),
    (
        "crashLoopBackOff",
        Shape::Fields(&[(
            "maxContainerRestartPeriod",
            Shape::Within("from 1 s to 5 min", SECOND, 300 * SECOND),
        )]),
    ),
    ("enableContentionProfiling", Shape::Switch),
    ("enableControllerAttachDetach", Shape::Switch),
    ("enableDebugFlagsHandler", Shape::Switch),
    ("enableDebuggingHandlers", Shape::Switch),
    ("enableProfilingHandler", Shape::Switch),
    ("enableServer", Shape::Switch),
    ("enableSystemLogHandler", Shape::Switch),
    ("enableSystemLogQuery", Shape::Switch),
    ("enforceNodeAllocatable", Shape::List(&Shape::OneOf(&ENFORCED))),
    ("eventBurst", COUNT),
    ("eventRecordQPS", COUNT),
    ("evictionHard", Shape::Among(&SIGNALS, &Shape::Threshold)),
    ("evictionMaxPodGracePeriod", Shape::Whole(-1, i32::MAX as i64)),
    ("evictionMinimumReclaim", Shape::Among(&SIGNALS, &Shape::Reclaim)),
    ("evictionPressureTransitionPeriod", Shape::Duration),
    ("evictionSoft", Shape::Among(&SIGNALS, &Shape::Threshold)),
    ("evictionSoftGracePeriod", Shape::Among(&SIGNALS, &Shape::Duration)),
    ("failCgroupV1", Shape::Switch),
    ("failSwapOn", Shape::Switch),
    ("featureGates", Shape::Map(&Shape::Switch)),
    ("fileCheckFrequency", Shape::Duration),
    ("hairpinMode", Shape::OneOf(&["none", "hairpin-veth", "promiscuous-bridge"])),
    ("healthzBindAddress", Shape::Text),
    ("healthzPort", PORT),
    ("httpCheckFrequency", Shape::Duration),
    ("imageGCHighThresholdPercent", PERCENT),
    ("imageGCLowThresholdPercent", PERCENT),
    ("imageMaximumGCAge", Shape::Duration),
    ("imageMinimumGCAge", Shape::Duration),
    (
        "imagePullCredentialsVerificationPolicy",
        Shape::OneOf(&[
            "NeverVerify",
            "NeverVerifyPreloadedImages",
            "NeverVerifyAllowlistedImages",
            "AlwaysVerify",
        ]),
    ),
    ("imageServiceEndpoint", Shape::Text),
    ("iptablesDropBit", Shape::Whole(0, 31)),
    ("iptablesMasqueradeBit", Shape::Whole(0, 31)),
    ("kernelMemcgNotification", Shape::Switch),
    ("kubeAPIBurst", COUNT),
    ("kubeAPIQPS", COUNT),
    ("kubeReserved", Shape::Among(&RESOURCES, &Shape::Quantity)),
    ("kubeReservedCgroup", Shape::Text),
    ("kubeletCgroups", Shape::Text),
    ("localStorageCapacityIsolation", Shape::Switch),
    (
        "logging",
        Shape::Fields(&[
            ("format", Shape::OneOf(&["text", "json"])),
            ("flushFrequency", Shape::Any),
            ("verbosity", COUNT),
            ("vmodule", Shape::List(&Shape::Fields(&[("filePattern", Shape::Text), ("verbosity", COUNT)]))),
            ("options", Shape::Any),
        ]),
    ),
    ("makeIPTablesUtilChains", Shape::Switch),
    ("maxOpenFiles", Shape::Whole(0, i64::MAX)),
    ("maxParallelImagePulls", Shape::Whole(1, i32::MAX as i64)),
    ("maxPods", COUNT),
    ("memoryManagerPolicy", Shape::OneOf(&["None", "Static"])),
    ("memoryReservationPolicy", Shape::OneOf(&["None", "TieredReservation"])),
    ("memorySwap", Shape::Fields(&[("swapBehavior", Shape::OneOf(&["NoSwap", "LimitedSwap"]))])),
    ("memoryThrottlingFactor", Shape::Share),
    ("mergeDefaultEvictionSettings", Shape::Switch),
    ("nodeLeaseDurationSeconds", COUNT),
    ("nodeStatusMaxImages", Shape::Whole(-1, i32::MAX as i64)),
    ("nodeStatusReportFrequency", Shape::Duration),
    ("nodeStatusUpdateFrequency", Shape::Duration),
    ("oomScoreAdj", Shape::Whole(-1000, 1000)),
    ("podCIDR", Shape::Text),
    ("podLogsDir", Shape::Path),
    ("podPidsLimit", Shape::Whole(i64::MIN, i64::MAX)),
    ("podsPerCore", COUNT),
    ("port", PORT),
    ("preloadedImagesVerificationAllowlist", Shape::List(&Shape::Text)),
    ("protectKernelDefaults", Shape::Switch),
    ("providerID", Shape::Text),
    ("qosReserved", Shape::Map(&Shape::Text)),
    ("readOnlyPort", PORT),
    ("registerNode", Shape::Switch),
    (
        "registerWithTaints",
        Shape::List(&Shape::Fields(&[("effect", Shape::Text), ("key", Shape::Text), ("value", Shape::Text)])),
    ),
    ("registryBurst", COUNT),
    ("registryPullQPS", COUNT),
    (
        "reservedMemory",
        Shape::List(&Shape::Fields(&[("limits", Shape::Map(&Shape::Any)), ("numaNode", COUNT)])),
    ),
    ("reservedSystemCPUs", Shape::Cores),
    ("resolvConf", Shape::Text),
    ("rotateCertificates", Shape::Switch),
    ("runOnce", Shape::Switch),
    ("runtimeRequestTimeout", Shape::Duration),
    ("seccompDefault", Shape::Switch),
    ("serializeImagePulls", Shape::Switch),
    ("serverTLSBootstrap", Shape::Switch),
    ("showHiddenMetricsForVersion", Shape::Text),
    ("shutdownGracePeriod", Shape::Duration),
    (
        "shutdownGracePeriodByPodPriority",
        Shape::List(&Shape::Fields(&[
            ("priority", Shape::Whole(i32::MIN as i64, i32::MAX as i64)),
            ("shutdownGracePeriodSeconds", COUNT),
        ])),
    ),
    ("shutdownGracePeriodCriticalPods", Shape::Duration),
    ("singleProcessOOMKill", Shape::Switch),
    ("staticPodPath", Shape::Text),
    ("staticPodURL", Shape::Text),
    ("staticPodURLHeader", Shape::Map(&Shape::List(&Shape::Text))),
    ("streamingConnectionIdleTimeout", Shape::Duration),
    ("syncFrequency", Shape::Duration),
    ("systemCgroups", Shape::Text),
    ("systemReserved", Shape::Among(&RESOURCES, &Shape::Quantity)),
    ("systemReservedCgroup", Shape::Text),
    ("tlsCertFile", Shape::Text),
    ("tlsCipherSuites", Shape::List(&Shape::Suite)),
    ("tlsCurvePreferences", Shape::List(&Shape::Whole(0, i32::MAX as i64))),
    ("tlsMinVersion", Shape::OneOf(&["VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"])),
    ("tlsPrivateKeyFile", Shape::Text),
    ("topologyManagerPolicy", Shape::OneOf(&["none", "best-effort", "restricted", "single-numa-node"])),
    ("topologyManagerPolicyOptions", Shape::Map(&Shape::Text)),
    ("topologyManagerScope", Shape::OneOf(&["container", "pod"])),
    (
        "tracing",
        Shape::Fields(&[("endpoint", Shape::Text), ("samplingRatePerMillion", Shape::Whole(0, 1_000_000))]),
    ),
    ("userNamespaces", Shape::Fields(&[("idsPerPod", COUNT)])),
    ("volumePluginDir", Shape::Text),
    ("volumeStatsAggPeriod", Shape::Duration),
];

const ENVIRONMENT: Shape = Shape::List(&Shape::Record(
    &["name"],
    &[("name", Shape::Text), ("value", Shape::Text), ("valueFrom", Shape::Any)],
));
const VOLUMES: Shape = Shape::List(&Shape::Record(
    &["hostPath", "mountPath", "name"],
    &[
        ("hostPath", Shape::Text),
        ("mountPath", Shape::Text),
        ("name", Shape::Text),
        (
            "pathType",
            Shape::OneOf(&[
                "DirectoryOrCreate",
                "Directory",
                "FileOrCreate",
                "File",
                "Socket",
                "CharDevice",
                "BlockDevice",
            ]),
        ),
        ("readOnly", Shape::Switch),
    ],
));
const MACHINES: Shape = Shape::List(&Shape::Machine);
const COMPONENT: Shape =
    Shape::Fields(&[("extraArgs", Shape::Any), ("extraEnvs", ENVIRONMENT), ("extraVolumes", VOLUMES)]);
const MEMBER: Shape = Shape::Fields(&[
    ("dataDir", Shape::Text),
    ("extraArgs", Shape::Any),
    ("extraEnvs", ENVIRONMENT),
    ("imageRepository", Shape::Text),
    ("imageTag", Shape::Text),
    ("peerCertSANs", MACHINES),
    ("serverCertSANs", MACHINES),
]);

/// Of a ClusterConfiguration: <https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/>.
pub(super) const KUBEADM: [Field; 16] = [
    (
        "apiServer",
        Shape::Fields(&[
            ("certSANs", MACHINES),
            ("extraArgs", Shape::Any),
            ("extraEnvs", ENVIRONMENT),
            ("extraVolumes", VOLUMES),
            ("timeoutForControlPlane", Shape::Duration),
        ]),
    ),
    ("caCertificateValidityPeriod", Shape::Duration),
    ("certificateValidityPeriod", Shape::Duration),
    ("certificatesDir", Shape::Text),
    ("clusterName", Shape::Text),
    ("controlPlaneEndpoint", Shape::Text),
    ("controllerManager", COMPONENT),
    (
        "dns",
        Shape::Fields(&[
            ("disabled", Shape::Switch),
            ("imageRepository", Shape::Text),
            ("imageTag", Shape::Text),
        ]),
    ),
    ("encryptionAlgorithm", Shape::OneOf(&["RSA-2048", "RSA-3072", "RSA-4096", "ECDSA-P256", "ECDSA-P384"])),
    ("etcd", Shape::Fields(&[("external", Shape::Any), ("local", MEMBER)])),
    ("featureGates", Shape::Map(&Shape::Switch)),
    ("imageRepository", Shape::Text),
    ("kubernetesVersion", Shape::Text),
    ("networking", Shape::Any),
    ("proxy", Shape::Fields(&[("disabled", Shape::Switch)])),
    ("scheduler", COMPONENT),
];
