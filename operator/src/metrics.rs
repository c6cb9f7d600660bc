//! What Prometheus scrapes of the operator.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use kube::runtime::reflector::Store;
use parking_lot::Mutex;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// Counts the objects of one kind in one scope: True, False, Unknown.
type Count = Box<dyn Fn() -> [i64; 3] + Send + Sync>;

/// What the condition Ready may be.
const READY: [&str; 3] = ["True", "False", "Unknown"];

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
    /// `gregor_operator_resources{kind,ready}`: resources by their condition Ready, counted when scraped.
    resources: IntGaugeVec,
    /// Who counts them: one for each kind and scope.
    counts: Mutex<Vec<(&'static str, Count)>>,
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
            counts: Mutex::default(),
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

    /// From now on counts the objects of a store by what their conditions say.
    pub(crate) fn count<K>(
        &self,
        kind: &'static str,
        store: Store<K>,
        conditions: impl Fn(&K) -> Option<&[Condition]> + Send + Sync + 'static,
    ) where
        K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
    {
        let count = move || {
            let mut numbers = [0; 3];
            for object in store.state() {
                let ready = crate::condition::find(
                    conditions(&object).unwrap_or_default(),
                    operator_api::condition::READY,
                );
                let status = ready.map_or("Unknown", |ready| ready.status.as_str());
                if let Some((_, number)) = READY.iter().zip(&mut numbers).find(|(ready, _)| **ready == status)
                {
                    *number += 1;
                }
            }
            numbers
        };
        self.counts.lock().push((kind, Box::new(count)));
    }

    /// All series in Prometheus' text format.
    ///
    /// # Errors
    /// A series that cannot be written.
    pub(crate) fn text(&self) -> prometheus::Result<String> {
        let counts = self.counts.lock();
        self.resources.reset();
        for (kind, count) in &*counts {
            for (ready, number) in READY.into_iter().zip(count()) {
                self.resources.with_label_values(&[*kind, ready]).add(number);
            }
        }
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

    #[test]
    fn resources_are_counted_over_all_scopes_when_scraped() {
        use kube::runtime::{reflector, watcher};
        use operator_api::{Topic, TopicSpec, TopicStatus};
        let metrics = Metrics::new().unwrap();
        let fill = |ready: &[&str]| {
            let (store, mut writer) = reflector::store::<Topic>();
            for (number, ready) in ready.iter().enumerate() {
                let mut topic = Topic::new(&number.to_string(), TopicSpec::default());
                let condition = serde_json::json!({"type": "Ready", "status": ready, "reason": "R", "message": "",
                    "lastTransitionTime": "2026-01-01T00:00:00Z"});
                let conditions = vec![serde_json::from_value(condition).unwrap()];
                topic.status = Some(TopicStatus { conditions, ..TopicStatus::default() });
                writer.apply_watcher_event(&watcher::Event::Apply(topic));
            }
            metrics.count("Topic", store, |topic: &Topic| {
                topic.status.as_ref().map(|status| status.conditions.as_slice())
            });
        };
        fill(&["True", "True", "False"]);
        fill(&["True"]);
        for _ in 0..2 {
            let text = metrics.text().unwrap();
            for (ready, number) in [("True", 3), ("False", 1), ("Unknown", 0)] {
                let line = format!("gregor_operator_resources{{kind=\"Topic\",ready=\"{ready}\"}} {number}");
                assert!(text.contains(&line), "{text}");
            }
        }
    }
}
