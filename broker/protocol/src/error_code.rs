//! Kafka's error codes (`org.apache.kafka.common.protocol.Errors`).

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $kafka:literal;)*) => {
        /// What a client is told when a request, or a part of it, is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(i16)]
        pub enum ErrorCode {
            $($(#[$doc])* $name = $code,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code of a number on the wire; `UnknownServerError` for a number that Kafka 4.3 does not have.
            #[must_use]
            pub const fn from_wire(code: i16) -> Self {
                match code {
                    $($code => Self::$name,)*
                    _ => Self::UnknownServerError,
                }
            }

            /// Kafka's name, for example `UNKNOWN_TOPIC_OR_PARTITION`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $kafka,)*
                }
            }
        }
    };
}

codes! {
    /// The broker failed in a way that no other code describes.
    UnknownServerError = -1, "UNKNOWN_SERVER_ERROR";
    /// No error.
    #[default]
    None = 0, "NONE";
    /// The offset lies outside the log.
    OffsetOutOfRange = 1, "OFFSET_OUT_OF_RANGE";
    /// A batch does not match its CRC or has an impossible form.
    CorruptMessage = 2, "CORRUPT_MESSAGE";
    /// No such topic or partition here.
    UnknownTopicOrPartition = 3, "UNKNOWN_TOPIC_OR_PARTITION";
    /// A fetch size below zero.
    InvalidFetchSize = 4, "INVALID_FETCH_SIZE";
    /// The partition has no leader now.
    LeaderNotAvailable = 5, "LEADER_NOT_AVAILABLE";
    /// This broker does not lead, or does not replicate, the partition.
    NotLeaderOrFollower = 6, "NOT_LEADER_OR_FOLLOWER";
    /// The request's timeout passed before it was done.
    RequestTimedOut = 7, "REQUEST_TIMED_OUT";
    /// The broker is not alive.
    BrokerNotAvailable = 8, "BROKER_NOT_AVAILABLE";
    /// A replica is not alive.
    ReplicaNotAvailable = 9, "REPLICA_NOT_AVAILABLE";
    /// A batch is larger than `max.message.bytes`.
    MessageTooLarge = 10, "MESSAGE_TOO_LARGE";
    /// A request of an older controller.
    StaleControllerEpoch = 11, "STALE_CONTROLLER_EPOCH";
    /// The metadata string of an offset commit is too long.
    OffsetMetadataTooLarge = 12, "OFFSET_METADATA_TOO_LARGE";
    /// The connection broke before the answer.
    NetworkException = 13, "NETWORK_EXCEPTION";
    /// The coordinator is still loading its log.
    CoordinatorLoadInProgress = 14, "COORDINATOR_LOAD_IN_PROGRESS";
    /// There is no coordinator now.
    CoordinatorNotAvailable = 15, "COORDINATOR_NOT_AVAILABLE";
    /// This broker does not coordinate the group or transaction.
    NotCoordinator = 16, "NOT_COORDINATOR";
    /// An illegal topic name, or one that clients may not write.
    InvalidTopicException = 17, "INVALID_TOPIC_EXCEPTION";
    /// The batches of a request are larger than a segment.
    RecordListTooLarge = 18, "RECORD_LIST_TOO_LARGE";
    /// Fewer in-sync replicas than `min.insync.replicas`.
    NotEnoughReplicas = 19, "NOT_ENOUGH_REPLICAS";
    /// Appended, but the in-sync replicas fell below `min.insync.replicas` meanwhile.
    NotEnoughReplicasAfterAppend = 20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND";
    /// `acks` is none of -1, 0 and 1.
    InvalidRequiredAcks = 21, "INVALID_REQUIRED_ACKS";
    /// The group is in another generation.
    IllegalGeneration = 22, "ILLEGAL_GENERATION";
    /// The member's protocols do not fit the group's.
    InconsistentGroupProtocol = 23, "INCONSISTENT_GROUP_PROTOCOL";
    /// An empty or illegal group id.
    InvalidGroupId = 24, "INVALID_GROUP_ID";
    /// The group does not have this member.
    UnknownMemberId = 25, "UNKNOWN_MEMBER_ID";
    /// The session timeout is out of bounds.
    InvalidSessionTimeout = 26, "INVALID_SESSION_TIMEOUT";
    /// The group rebalances: join again.
    RebalanceInProgress = 27, "REBALANCE_IN_PROGRESS";
    /// The commit is larger than a record may be.
    InvalidCommitOffsetSize = 28, "INVALID_COMMIT_OFFSET_SIZE";
    /// Not allowed on this topic.
    TopicAuthorizationFailed = 29, "TOPIC_AUTHORIZATION_FAILED";
    /// Not allowed on this group.
    GroupAuthorizationFailed = 30, "GROUP_AUTHORIZATION_FAILED";
    /// Not allowed on the cluster.
    ClusterAuthorizationFailed = 31, "CLUSTER_AUTHORIZATION_FAILED";
    /// A record's timestamp is out of the allowed window.
    InvalidTimestamp = 32, "INVALID_TIMESTAMP";
    /// The SASL mechanism is not enabled.
    UnsupportedSaslMechanism = 33, "UNSUPPORTED_SASL_MECHANISM";
    /// A request that the SASL state does not allow.
    IllegalSaslState = 34, "ILLEGAL_SASL_STATE";
    /// The version is not served.
    UnsupportedVersion = 35, "UNSUPPORTED_VERSION";
    /// The topic exists.
    TopicAlreadyExists = 36, "TOPIC_ALREADY_EXISTS";
    /// An impossible number of partitions.
    InvalidPartitions = 37, "INVALID_PARTITIONS";
    /// A replication factor below 1 or above the number of brokers.
    InvalidReplicationFactor = 38, "INVALID_REPLICATION_FACTOR";
    /// An impossible manual assignment.
    InvalidReplicaAssignment = 39, "INVALID_REPLICA_ASSIGNMENT";
    /// A configuration key or value is refused.
    InvalidConfig = 40, "INVALID_CONFIG";
    /// This broker is not the active controller.
    NotController = 41, "NOT_CONTROLLER";
    /// The request contradicts itself.
    InvalidRequest = 42, "INVALID_REQUEST";
    /// The log's message format does not support the request.
    UnsupportedForMessageFormat = 43, "UNSUPPORTED_FOR_MESSAGE_FORMAT";
    /// A policy refuses the request.
    PolicyViolation = 44, "POLICY_VIOLATION";
    /// A producer's sequence number leaves a gap.
    OutOfOrderSequenceNumber = 45, "OUT_OF_ORDER_SEQUENCE_NUMBER";
    /// A sequence number that was appended long ago.
    DuplicateSequenceNumber = 46, "DUPLICATE_SEQUENCE_NUMBER";
    /// An older epoch of the producer.
    InvalidProducerEpoch = 47, "INVALID_PRODUCER_EPOCH";
    /// Not allowed in the transaction's state.
    InvalidTxnState = 48, "INVALID_TXN_STATE";
    /// The producer id is not the transactional id's.
    InvalidProducerIdMapping = 49, "INVALID_PRODUCER_ID_MAPPING";
    /// The transaction timeout is above `transaction.max.timeout.ms`.
    InvalidTransactionTimeout = 50, "INVALID_TRANSACTION_TIMEOUT";
    /// Another operation of the transaction is under way.
    ConcurrentTransactions = 51, "CONCURRENT_TRANSACTIONS";
    /// A marker of an older transaction coordinator.
    TransactionCoordinatorFenced = 52, "TRANSACTION_COORDINATOR_FENCED";
    /// Not allowed on this transactional id.
    TransactionalIdAuthorizationFailed = 53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED";
    /// Security features are off.
    SecurityDisabled = 54, "SECURITY_DISABLED";
    /// The broker did not try.
    OperationNotAttempted = 55, "OPERATION_NOT_ATTEMPTED";
    /// The log directory failed.
    KafkaStorageError = 56, "KAFKA_STORAGE_ERROR";
    /// No such log directory.
    LogDirNotFound = 57, "LOG_DIR_NOT_FOUND";
    /// Wrong credentials.
    SaslAuthenticationFailed = 58, "SASL_AUTHENTICATION_FAILED";
    /// No state of this producer is left.
    UnknownProducerId = 59, "UNKNOWN_PRODUCER_ID";
    /// The partition is already being reassigned.
    ReassignmentInProgress = 60, "REASSIGNMENT_IN_PROGRESS";
    /// Delegation tokens are off.
    DelegationTokenAuthDisabled = 61, "DELEGATION_TOKEN_AUTH_DISABLED";
    /// No such delegation token.
    DelegationTokenNotFound = 62, "DELEGATION_TOKEN_NOT_FOUND";
    /// The token is not the caller's.
    DelegationTokenOwnerMismatch = 63, "DELEGATION_TOKEN_OWNER_MISMATCH";
    /// Tokens may not be asked for on this connection.
    DelegationTokenRequestNotAllowed = 64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED";
    /// Not allowed on this token.
    DelegationTokenAuthorizationFailed = 65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED";
    /// The token expired.
    DelegationTokenExpired = 66, "DELEGATION_TOKEN_EXPIRED";
    /// A principal of the wrong type.
    InvalidPrincipalType = 67, "INVALID_PRINCIPAL_TYPE";
    /// The group has members.
    NonEmptyGroup = 68, "NON_EMPTY_GROUP";
    /// No such group.
    GroupIdNotFound = 69, "GROUP_ID_NOT_FOUND";
    /// No such fetch session.
    FetchSessionIdNotFound = 70, "FETCH_SESSION_ID_NOT_FOUND";
    /// The fetch session is at another epoch.
    InvalidFetchSessionEpoch = 71, "INVALID_FETCH_SESSION_EPOCH";
    /// No listener of that name.
    ListenerNotFound = 72, "LISTENER_NOT_FOUND";
    /// `delete.topic.enable` is off.
    TopicDeletionDisabled = 73, "TOPIC_DELETION_DISABLED";
    /// The request names an older leader epoch.
    FencedLeaderEpoch = 74, "FENCED_LEADER_EPOCH";
    /// The request names a leader epoch that this broker does not know yet.
    UnknownLeaderEpoch = 75, "UNKNOWN_LEADER_EPOCH";
    /// The codec is not known, or not allowed in this version.
    UnsupportedCompressionType = 76, "UNSUPPORTED_COMPRESSION_TYPE";
    /// The broker registered again since.
    StaleBrokerEpoch = 77, "STALE_BROKER_EPOCH";
    /// The new leader does not know its high watermark yet.
    OffsetNotAvailable = 78, "OFFSET_NOT_AVAILABLE";
    /// Join again with the member id of this answer.
    MemberIdRequired = 79, "MEMBER_ID_REQUIRED";
    /// The preferred leader is not alive and in sync.
    PreferredLeaderNotAvailable = 80, "PREFERRED_LEADER_NOT_AVAILABLE";
    /// The group has its `group.max.size`.
    GroupMaxSizeReached = 81, "GROUP_MAX_SIZE_REACHED";
    /// Another member has this static instance id.
    FencedInstanceId = 82, "FENCED_INSTANCE_ID";
    /// No eligible leader is alive.
    EligibleLeadersNotAvailable = 83, "ELIGIBLE_LEADERS_NOT_AVAILABLE";
    /// The leader is already the wanted one.
    ElectionNotNeeded = 84, "ELECTION_NOT_NEEDED";
    /// Nothing to cancel.
    NoReassignmentInProgress = 85, "NO_REASSIGNMENT_IN_PROGRESS";
    /// The group still reads the topic.
    GroupSubscribedToTopic = 86, "GROUP_SUBSCRIBED_TO_TOPIC";
    /// A record breaks a rule of its topic or of the format.
    InvalidRecord = 87, "INVALID_RECORD";
    /// Offsets are not stable: a transaction is open.
    UnstableOffsetCommit = 88, "UNSTABLE_OFFSET_COMMIT";
    /// Slow down: the quota is used up.
    ThrottlingQuotaExceeded = 89, "THROTTLING_QUOTA_EXCEEDED";
    /// A newer producer with this transactional id is at work.
    ProducerFenced = 90, "PRODUCER_FENCED";
    /// No such resource.
    ResourceNotFound = 91, "RESOURCE_NOT_FOUND";
    /// The resource exists.
    DuplicateResource = 92, "DUPLICATE_RESOURCE";
    /// The credential is not acceptable.
    UnacceptableCredential = 93, "UNACCEPTABLE_CREDENTIAL";
    /// The voter set does not fit the quorum's.
    InconsistentVoterSet = 94, "INCONSISTENT_VOTER_SET";
    /// A feature level that cannot be set.
    InvalidUpdateVersion = 95, "INVALID_UPDATE_VERSION";
    /// The feature levels were not changed.
    FeatureUpdateFailed = 96, "FEATURE_UPDATE_FAILED";
    /// A forwarded request could not be read.
    PrincipalDeserializationFailure = 97, "PRINCIPAL_DESERIALIZATION_FAILURE";
    /// No such snapshot.
    SnapshotNotFound = 98, "SNAPSHOT_NOT_FOUND";
    /// A position outside the snapshot.
    PositionOutOfRange = 99, "POSITION_OUT_OF_RANGE";
    /// No topic has this id here.
    UnknownTopicId = 100, "UNKNOWN_TOPIC_ID";
    /// The broker id is registered and alive.
    DuplicateBrokerRegistration = 101, "DUPLICATE_BROKER_REGISTRATION";
    /// The broker did not register.
    BrokerIdNotRegistered = 102, "BROKER_ID_NOT_REGISTERED";
    /// The topic's name and its id are not of one topic.
    InconsistentTopicId = 103, "INCONSISTENT_TOPIC_ID";
    /// A request of another cluster.
    InconsistentClusterId = 104, "INCONSISTENT_CLUSTER_ID";
    /// No such transactional id.
    TransactionalIdNotFound = 105, "TRANSACTIONAL_ID_NOT_FOUND";
    /// The fetch session holds topics without ids.
    FetchSessionTopicIdError = 106, "FETCH_SESSION_TOPIC_ID_ERROR";
    /// A replica that may not join the ISR.
    IneligibleReplica = 107, "INELIGIBLE_REPLICA";
    /// The leader moved while the ISR was changed.
    NewLeaderElected = 108, "NEW_LEADER_ELECTED";
    /// The offsets are in tiered storage.
    OffsetMovedToTieredStorage = 109, "OFFSET_MOVED_TO_TIERED_STORAGE";
    /// The member is at another epoch.
    FencedMemberEpoch = 110, "FENCED_MEMBER_EPOCH";
    /// The static instance id is still in use.
    UnreleasedInstanceId = 111, "UNRELEASED_INSTANCE_ID";
    /// The server-side assignor is not known.
    UnsupportedAssignor = 112, "UNSUPPORTED_ASSIGNOR";
    /// Stale member epoch.
    StaleMemberEpoch = 113, "STALE_MEMBER_EPOCH";
    /// The endpoint's type does not fit.
    MismatchedEndpointType = 114, "MISMATCHED_ENDPOINT_TYPE";
    /// The endpoint's type is not served.
    UnsupportedEndpointType = 115, "UNSUPPORTED_ENDPOINT_TYPE";
    /// The controller id is not known.
    UnknownControllerId = 116, "UNKNOWN_CONTROLLER_ID";
    /// The subscription id of a telemetry push is not current.
    UnknownSubscriptionId = 117, "UNKNOWN_SUBSCRIPTION_ID";
    /// The telemetry push is larger than the subscription allows.
    TelemetryTooLarge = 118, "TELEMETRY_TOO_LARGE";
    /// The broker is not registered for this controller.
    InvalidRegistration = 119, "INVALID_REGISTRATION";
    /// The transaction can only be aborted.
    TransactionAbortable = 120, "TRANSACTION_ABORTABLE";
    /// The record state does not allow it.
    InvalidRecordState = 121, "INVALID_RECORD_STATE";
    /// No such share session.
    ShareSessionNotFound = 122, "SHARE_SESSION_NOT_FOUND";
    /// The share session is at another epoch.
    InvalidShareSessionEpoch = 123, "INVALID_SHARE_SESSION_EPOCH";
    /// An older state epoch.
    FencedStateEpoch = 124, "FENCED_STATE_EPOCH";
    /// The voter's key is wrong.
    InvalidVoterKey = 125, "INVALID_VOTER_KEY";
    /// The voter exists.
    DuplicateVoter = 126, "DUPLICATE_VOTER";
    /// No such voter.
    VoterNotFound = 127, "VOTER_NOT_FOUND";
    /// The regular expression is refused.
    InvalidRegularExpression = 128, "INVALID_REGULAR_EXPRESSION";
    /// The client must fetch metadata again.
    RebootstrapRequired = 129, "REBOOTSTRAP_REQUIRED";
    /// The streams group's topology is refused.
    StreamsInvalidTopology = 130, "STREAMS_INVALID_TOPOLOGY";
    /// The streams group's topology epoch is refused.
    StreamsInvalidTopologyEpoch = 131, "STREAMS_INVALID_TOPOLOGY_EPOCH";
    /// The streams topology epoch is older than the group's.
    StreamsTopologyFenced = 132, "STREAMS_TOPOLOGY_FENCED";
    /// The node has its largest number of share sessions.
    ShareSessionLimitReached = 133, "SHARE_SESSION_LIMIT_REACHED";
}

impl ErrorCode {
    /// The number on the wire.
    #[must_use]
    pub const fn wire(self) -> i16 {
        self as i16
    }

    /// Whether this is not [`ErrorCode::None`].
    #[must_use]
    pub const fn is_error(self) -> bool {
        !matches!(self, Self::None)
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
