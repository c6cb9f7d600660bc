//! What Prometheus scrapes of the operator.

use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// The operator's series. All begin with `gregor_operator_`.
pub(crate) struct Metrics {
    registry: Registry,
    /// `gregor_operator_reconciles_total{kind,result}`: turns that ended, result `ok` or `error`.
    pub(crate) reconciles: IntCounterVec,
    /// `gregor_operator_reconcile_duration_seconds{kind}`: how long a turn took.
    pub(crate) reconcile_seconds: HistogramVec,
    /// `gregor_operator_writes_total{kind}`: requests that changed an object of the API server.
    pub(crate) writes: IntCounterVec,
    /// `gregor_operator_admin_requests_total{api,result}`: requests to brokers.
    pub(crate) admin_requests: IntCounterVec,
    /// `gregor_operator_watch_errors_total{watch}`.
    pub(crate) watch_errors: IntCounterVec,
    /// `gregor_operator_resources{kind,ready}`: Clusters and Topics by their condition Ready.
    pub(crate) resources: IntGaugeVec,
    /// `gregor_operator_leader`: 1 while this process acts, 0 while it stands by.
    pub(crate) leader: IntGauge,
}

impl Metrics {
    /// All series, registered.
    ///
    /// # Errors
    /// Two series of one name.
    pub(crate) fn new() -> prometheus::Result<Self> {
        let counter =
            |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let metrics = Self {
            registry: Registry::new(),
            reconciles: counter(
                "gregor_operator_reconciles_total",
                "Turns of the reconcilers that ended, by kind and result.",
                &["kind", "result"],
            )?,
            reconcile_seconds: HistogramVec::new(
                HistogramOpts::new(
                    "gregor_operator_reconcile_duration_seconds",
                    "How long a turn of a reconciler took.",
                )
                .buckets(vec![0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0]),
                &["kind"],
            )?,
            writes: counter(
                "gregor_operator_writes_total",
                "Requests that changed an object of the API server, by its kind.",
                &["kind"],
            )?,
            admin_requests: counter(
                "gregor_operator_admin_requests_total",
                "Admin requests to brokers, by API and result.",
                &["api", "result"],
            )?,
            watch_errors: counter("gregor_operator_watch_errors_total", "Errors of watches.", &["watch"])?,
            resources: IntGaugeVec::new(
                Opts::new("gregor_operator_resources", "Resources by kind and by their condition Ready."),
                &["kind", "ready"],
            )?,
            leader: IntGauge::new(
                "gregor_operator_leader",
                "1 while this process acts, 0 while it stands by.",
            )?,
        };
        metrics.registry.register(Box::new(metrics.reconciles.clone()))?;
        metrics.registry.register(Box::new(metrics.reconcile_seconds.clone()))?;
        metrics.registry.register(Box::new(metrics.writes.clone()))?;
        metrics.registry.register(Box::new(metrics.admin_requests.clone()))?;
        metrics.registry.register(Box::new(metrics.watch_errors.clone()))?;
        metrics.registry.register(Box::new(metrics.resources.clone()))?;
        metrics.registry.register(Box::new(metrics.leader.clone()))?;
        Ok(metrics)
    }

    /// All series in Prometheus' text format.
    ///
    /// # Errors
    /// A series that cannot be written.
    pub(crate) fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_have_names_and_labels() {
        let metrics = Metrics::new().unwrap();
        metrics.reconciles.with_label_values(&["Cluster", "ok"]).inc();
        let text = metrics.text().unwrap();
        assert!(
            text.contains("gregor_operator_reconciles_total{kind=\"Cluster\",result=\"ok\"} 1"),
            "{text}"
        );
        assert!(text.contains("gregor_operator_leader 0"), "{text}");
    }
}
