//! Names of feature gates: a program ends at one that it does not know, also at one that it knew a few releases ago.

use serde_yaml::Value;

use super::{
    Context, Found, Rule,
    extra_args::{path, programs},
    options::{is_among, is_off, is_switch},
    texts::entries,
};
use crate::{cluster::Fields, version::Version};

pub const RULES: &[Rule] = &[
    Rule::notice("unknown-gate", "feature gates are ones that the programs know", unknown_gate),
    Rule::error(
        "locked-gate",
        "no feature gate is switched that the release has on, or off, for good",
        locked_gate,
    ),
];

/// Of Kubernetes 1.36: <https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/>.
const KUBERNETES: &str = "
    APIResponseCompression APIServerIdentity APIServerTracing APIServingWithRoutine
    AggregatedDiscoveryRemoveBetaType AllAlpha AllBeta AllowDNSOnlyNodeCSR
    AllowInsecureKubeletCertificateSigningRequests AllowOverwriteTerminationGracePeriodSeconds
    AllowParsingUserUIDFromCertAuth AllowServiceExternalIPs AllowUnsafeMalformedObjectDeletion
    AnonymousAuthConfigurableEndpoints AnyVolumeDataSource AtomicFIFO AuthorizeNodeWithSelectors
    AuthorizePodWebsocketUpgradeCreatePermission AuthorizeWithSelectors BtreeWatchCache CBORServingAndStorage
    CPUManagerPolicyAlphaOptions CPUManagerPolicyBetaOptions CPUManagerPolicyOptions
    CRDObservedGenerationTracking CRDValidationRatcheting CRIListStreaming CSIServiceAccountTokenSecrets
    CSIVolumeHealth ChangeContainerStatusOnKubeletRestart ClearingNominatedNodeNameAfterBinding
    ClientsAllowCARotation ClientsAllowCBOR ClientsAllowTLSCacheGC ClientsPreferCBOR
    CloudControllerManagerWatchBasedRoutesReconciliation CloudControllerManagerWebhook ClusterTrustBundle
    ClusterTrustBundleProjection ComponentFlagz ComponentStatusz ConcurrentWatchObjectDecode
    ConsistentListFromCache ConstrainedImpersonation ContainerCheckpoint ContainerRestartRules
    ContainerStopSignals ContextualLogging ControllerManagerReleaseLeaderElectionLockOnExit
    CoordinatedLeaderElection CrossNamespaceVolumeDataSource CustomCPUCFSQuotaPeriod
    CustomResourceFieldSelectors DRAAdminAccess DRAConsumableCapacity DRADeviceBindingConditions
    DRADeviceTaintRules DRADeviceTaints DRAExtendedResource DRAListTypeAttributes DRANodeAllocatableResources
    DRAPartitionableDevices DRAPrioritizedList DRAResourceClaimDeviceStatus
    DRAResourceClaimGranularStatusAuthorization DRAResourcePoolStatus DRASchedulerFilterTimeout
    DRAWorkloadResourceClaims DeclarativeValidation DeclarativeValidationBeta DeclarativeValidationTakeover
    DeploymentReplicaSetTerminatingReplicas DetectCacheInconsistency DisableAllocatorDualWrite
    DisableCPUQuotaWithExclusiveCPUs DisableNodeKubeProxyVersion DynamicResourceAllocation EnvFiles
    EventedPLEG ExecProbeTimeout ExtendWebSocketsToKubelet ExternalServiceAccountTokenSigner GangScheduling
    GenericWorkload GitRepoVolumeDriver GracefulNodeShutdown GracefulNodeShutdownBasedOnPodPriority
    HPAConfigurableTolerance HPAScaleToZero HostnameOverride ImageMaximumGCAge ImageVolume
    ImageVolumeWithDigest InOrderInformers InOrderInformersBatchProcess
    InPlacePodLevelResourcesVerticalScaling InPlacePodVerticalScaling InPlacePodVerticalScalingExclusiveCPUs
    InPlacePodVerticalScalingExclusiveMemory InPlacePodVerticalScalingInitContainers InformerResourceVersion
    JobBackoffLimitPerIndex JobManagedBy JobPodReplacementPolicy JobSuccessPolicy KMSv1
    KubeletCgroupDriverFromCRI KubeletCrashLoopBackOffMax KubeletEnsureSecretPulledImages
    KubeletFineGrainedAuthz KubeletInUserNamespace KubeletPSI KubeletPodResourcesDynamicResources
    KubeletPodResourcesGet KubeletPodResourcesListUseActivePods KubeletRegistrationGetOnExistsOnly
    KubeletSeparateDiskGC KubeletServiceAccountTokenForCredentialProviders KubeletTracing
    ListFromCacheSnapshot LocalStorageCapacityIsolationFSQuotaMonitoring LogarithmicScaleDown
    LoggingAlphaOptions LoggingBetaOptions LoggingStableOptions ManifestBasedAdmissionControlConfig
    MatchLabelKeysInPodAffinity MatchLabelKeysInPodTopologySpread
    MatchLabelKeysInPodTopologySpreadSelectorMerge MaxUnavailableStatefulSet MemoryQoS
    MultiCIDRServiceAllocator MutableCSINodeAllocatableCount MutablePVNodeAffinity
    MutablePodResourcesForSuspendedJobs MutableSchedulingDirectivesForSuspendedJobs MutatingAdmissionPolicy
    NFTablesProxyMode NativeHistograms NodeDeclaredFeatures NodeInclusionPolicyInPodTopologySpread
    NodeLogQuery NodeSwap NominatedNodeNameForExpectation OpenAPIEnums OpportunisticBatching
    OrderedNamespaceDeletion PLEGOnDemandRelist PersistentVolumeClaimUnusedSinceTime
    PodAndContainerStatsFromCRI PodCertificateRequest PodDeletionCost PodLevelResourceManagers
    PodLevelResources PodLifecycleSleepAction PodLifecycleSleepActionAllowZero PodLogsQuerySplitStreams
    PodObservedGenerationTracking PodReadyToStartContainersCondition PodSchedulingReadiness
    PodTopologyLabelsAdmission PodsAPI PortForwardWebsockets PreferSameTrafficDistribution
    PreventStaticPodAPIReferences ProcMountType QOSReserved RecoverVolumeExpansionFailure
    RecursiveReadOnlyMounts ReduceDefaultCrashLoopBackOffDecay RelaxedDNSSearchValidation
    RelaxedEnvironmentVariableValidation RelaxedServiceNameValidation ReloadKubeletClientCAFile
    ReloadKubeletServerCertificateFile RemoteRequestHeaderUID ResilientWatchCacheInitialization
    ResourceHealthStatus ResourceHealthStatusMessage RestartAllContainersOnContainerExits RetryGenerateName
    RotateKubeletServerCertificate RuntimeClassInImageCriApi SELinuxChangePolicy SELinuxMount
    SELinuxMountReadWriteOncePod SchedulerAsyncAPICalls SchedulerAsyncPreemption SchedulerPopFromBackoffQ
    SchedulerQueueingHints SeparateCacheWatchRPC SeparateTaintEvictionController
    ServiceAccountNodeAudienceRestriction ServiceAccountTokenJTI ServiceAccountTokenNodeBinding
    ServiceAccountTokenNodeBindingValidation ServiceAccountTokenPodNodeInfo ServiceCIDRStatusFieldWiping
    ShardedListAndWatch SidecarContainers SizeBasedListCostEstimate StaleControllerConsistencyDaemonSet
    StaleControllerConsistencyJob StaleControllerConsistencyReplicaSet StaleControllerConsistencyStatefulSet
    StatefulSetSemanticRevisionComparison StorageCapacityScoring StorageNamespaceIndex StorageVersionAPI
    StorageVersionHash StorageVersionMigrator StreamingCollectionEncodingToJSON
    StreamingCollectionEncodingToProtobuf StrictIPCIDRValidation StructuredAuthenticationConfiguration
    StructuredAuthenticationConfigurationEgressSelector StructuredAuthenticationConfigurationJWKSMetrics
    SupplementalGroupsPolicy SystemdWatchdog TaintTolerationComparisonOperators
    TokenRequestServiceAccountUIDValidation TopologyAwareWorkloadScheduling TopologyManagerPolicyAlphaOptions
    TopologyManagerPolicyBetaOptions TopologyManagerPolicyOptions TranslateStreamCloseWebsocketRequests
    UnauthenticatedHTTP2DOSMitigation UnknownVersionInteroperabilityProxy UnlockWhileProcessingFIFO
    UserNamespacesHostNetworkSupport UserNamespacesSupport VolumeAttributesClass VolumeLimitScaling
    WatchCacheInitializationPostStartHook WatchList WatchListClient WinDSR WinOverlay
    WindowsCPUAndMemoryAffinity WindowsGracefulNodeShutdown WindowsHostNetwork WorkloadAwarePreemption
    WorkloadWithJob";

/// Those that are on for good, since these minor releases.
const LOCKED: [(u16, &str); 7] = [
    (
        30,
        "
        PodSchedulingReadiness",
    ),
    (
        31,
        "
        LogarithmicScaleDown",
    ),
    (
        32,
        "
        CustomResourceFieldSelectors RetryGenerateName ServiceAccountTokenJTI
        ServiceAccountTokenNodeBindingValidation ServiceAccountTokenPodNodeInfo TopologyManagerPolicyOptions",
    ),
    (
        33,
        "
        AnyVolumeDataSource BtreeWatchCache CPUManagerPolicyOptions CRDValidationRatcheting
        JobBackoffLimitPerIndex JobSuccessPolicy MatchLabelKeysInPodAffinity NFTablesProxyMode
        NodeInclusionPolicyInPodTopologySpread RecursiveReadOnlyMounts ServiceAccountTokenNodeBinding
        SidecarContainers",
    ),
    (
        34,
        "
        APIServerTracing AnonymousAuthConfigurableEndpoints AuthorizeNodeWithSelectors AuthorizeWithSelectors
        ConsistentListFromCache JobPodReplacementPolicy KubeletCgroupDriverFromCRI KubeletTracing
        MultiCIDRServiceAllocator NodeSwap OrderedNamespaceDeletion PodLifecycleSleepAction
        PodLifecycleSleepActionAllowZero RecoverVolumeExpansionFailure RelaxedDNSSearchValidation
        RelaxedEnvironmentVariableValidation ResilientWatchCacheInitialization SchedulerQueueingHints
        SeparateTaintEvictionController StreamingCollectionEncodingToJSON
        StreamingCollectionEncodingToProtobuf StructuredAuthenticationConfiguration WinDSR WinOverlay",
    ),
    (
        35,
        "
        AggregatedDiscoveryRemoveBetaType DisableAllocatorDualWrite DynamicResourceAllocation ExecProbeTimeout
        ImageMaximumGCAge InPlacePodVerticalScaling JobManagedBy PodObservedGenerationTracking
        PreferSameTrafficDistribution SupplementalGroupsPolicy SystemdWatchdog",
    ),
    (
        36,
        "
        CSIServiceAccountTokenSecrets DRAAdminAccess DeclarativeValidation DisableNodeKubeProxyVersion
        ExternalServiceAccountTokenSigner ImageVolume InOrderInformers KubeletFineGrainedAuthz KubeletPSI
        KubeletPodResourcesDynamicResources KubeletPodResourcesGet MutableCSINodeAllocatableCount NodeLogQuery
        ProcMountType SELinuxChangePolicy SELinuxMountReadWriteOncePod UserNamespacesSupport
        VolumeAttributesClass",
    ),
];

/// Those that are off for good.
const LOCKED_OFF: [(u16, &str); 2] =
    [(35, "AllowOverwriteTerminationGracePeriodSeconds"), (36, "GitRepoVolumeDriver SeparateCacheWatchRPC")];

/// Of kubeadm 1.36.
const KUBEADM: &str = "NodeLocalCRISocket PublicKeysECDSA RootlessControlPlane";

/// Of kubeadm, with those that earlier releases had: <https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init/>.
const EARLIER_KUBEADM: &str = "
    ControlPlaneKubeletLocalMode EtcdLearnerMode IPv6DualStack NodeLocalCRISocket PublicKeysECDSA
    RootlessControlPlane UnversionedKubeletConfigMap UpgradeAddonsBeforeControlPlane
    WaitForAllControlPlaneComponents";

/// Of etcd 3.6 and 3.7: <https://etcd.io/docs/latest/feature-gates/>.
const ETCD: &str = "
    AllAlpha AllBeta CompactHashCheck InitialCorruptCheck LeaseCheckpoint LeaseCheckpointPersist
    PriorityRequest SetMemberLocalAddr StopGRPCServiceOnDefrag TxnModeWriteWithSharedBuffer";

/// A gate where it stands.
struct Gate<'a> {
    setting: String,
    name: &'a str,
    /// What it is to be, where that can be read.
    is_on: Option<bool>,
    /// All that its program knows.
    known: &'static str,
    version: Version,
}

/// All gates that are passed on.
fn gates<'a>(context: &Context<'a>) -> Vec<Gate<'a>> {
    let cluster = context.cluster;
    let of_all = ("kubelet".to_owned(), &cluster.kubelet, KUBERNETES, cluster.kubernetes);
    let known = if cluster.kubernetes.minor >= 36 { KUBEADM } else { EARLIER_KUBEADM };
    let of_kubeadm = ("kubeadm".to_owned(), &cluster.kubeadm, known, cluster.kubernetes);
    let of_nodes = context
        .nodes()
        .map(|at| (at.path("kubelet"), &at.node.kubelet, KUBERNETES, cluster.version_of(at.node)));
    let fields = [of_all, of_kubeadm].into_iter().chain(of_nodes);
    let of_fields = fields.flat_map(|(setting, fields, known, version)| {
        let gate = move |(name, is_on)| Gate {
            setting: format!("{setting}.featureGates"),
            name,
            is_on,
            known,
            version,
        };
        of_configuration(fields).into_iter().map(gate)
    });
    let of_options = programs(cluster).into_iter().flat_map(|(setting, _, component, _)| {
        let known = if setting == "etcd" { ETCD } else { KUBERNETES };
        let gates = component.extra_args.get("feature-gates").into_iter().flat_map(|gates| entries(gates));
        gates.map(move |gate| {
            let (name, value) = gate.split_once('=').unwrap_or((gate, ""));
            let name = name.trim();
            let name = name.strip_prefix("kube:").unwrap_or(name);
            let setting = path(setting, "feature-gates");
            let value = value.trim();
            let is_on = is_switch(value).then(|| !is_off(value));
            Gate { setting, name, is_on, known, version: cluster.kubernetes }
        })
    });
    of_fields.chain(of_options).collect()
}

/// The gates of a configuration, and whether they are on.
fn of_configuration(fields: &Fields) -> Vec<(&str, Option<bool>)> {
    let gates = fields.0.get("featureGates").and_then(Value::as_mapping);
    let mut found = Vec::new();
    for (name, value) in gates.into_iter().flatten() {
        found.extend(name.as_str().map(|name| (name, value.as_bool())));
    }
    found
}

fn unknown_gate(context: &Context<'_>) -> Vec<Found> {
    let unknown = gates(context).into_iter().filter(|gate| !is_among(gate.name, gate.known));
    unknown
        .map(|Gate { setting, name, .. }| {
            let name = name.escape_debug();
            let message = format!(
                "`{name}` is no feature gate that is known here, of 1.36: a program ends at one that it does not know"
            );
            Found::new(setting, message).suggest("remove it if what it was for is on, or gone, by now")
        })
        .collect()
}

fn locked_gate(context: &Context<'_>) -> Vec<Found> {
    let locked = |Gate { setting, name, is_on, known, version }: Gate<'_>| {
        let (locked, word, other) = match is_on? {
            false => (&LOCKED[..], "on", "off"),
            true => (&LOCKED_OFF[..], "off", "on"),
        };
        let (since, _) = locked.iter().find(|(_, names)| is_among(name, names))?;
        (known == KUBERNETES && version.minor >= *since).then(|| {
            let message = format!(
                "`{name}` is {word} for good since 1.{since}: a program that is to switch it {other} ends"
            );
            Found::new(setting, message).suggest("remove it")
        })
    };
    gates(context).into_iter().filter_map(locked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_for_good_is_known() {
        let locked = LOCKED.iter().chain(&LOCKED_OFF).flat_map(|(_, names)| names.split_whitespace());
        assert_eq!(locked.filter(|name| !is_among(name, KUBERNETES)).collect::<Vec<_>>(), [""; 0]);
    }
}
