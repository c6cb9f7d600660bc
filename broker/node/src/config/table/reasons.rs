//! Why a key of Kafka's has no effect here, or only one value: the end of a sentence that starts with the key.

pub(super) const EARLY: &str = "every listener opens once the broker can answer on it";
pub(super) const NO_QUEUE: &str =
    "a request runs on the core that read it; inflight.requests.per.connection.max bounds what waits";
pub(super) const CHECKPOINTED_ANYWAY: &str =
    "offsets are written down with each sync, every background.sync.interval.ms";
pub(super) const NO_DELAY: &str = "each round first runs when its own interval has passed";
pub(super) const NO_POOLS: &str = "work is not split over thread pools; worker.threads sets the threads";
pub(super) const NO_FETCHERS: &str = "followers do not use a pool of fetching threads";
pub(super) const NO_UNSTABLE: &str = "only stable versions are offered";
pub(super) const LZ4_FASTEST: &str = "lz4 is always written at its fastest";
pub(super) const NO_JAVA_METRICS: &str = "metrics are served to Prometheus at http.listen instead";
pub(super) const NO_IDLE_RECORDS: &str = "an idle quorum proves its leader without writing records";
pub(super) const TESTING_ONLY: &str = "it serves Kafka's own tests";
pub(super) const NO_TIERS: &str = "Gregor keeps its data on local disks and has no tiered storage";
pub(super) const NO_PURGATORY: &str = "a request that has waited is dropped as soon as it is answered";
pub(super) const NO_JVM: &str = "it names Java classes or providers, and Gregor runs no Java";
pub(super) const NO_KERBEROS: &str = "Kerberos is not offered";
pub(super) const NO_LOGIN: &str = "brokers do not log in through a Java login module";
pub(super) const PLAINTEXT_ONLY: &str = "only PLAINTEXT is served, and a broker must not run with less \
     security than its configuration asks for";
pub(super) const NO_PROVIDERS: &str = "values are taken as they stand; ${...} is not filled in";
pub(super) const NO_AUTHORIZER: &str = "requests are not authorized, and a broker must not run with less \
     security than its configuration asks for";
