//! What a person reads of each situation, and that an unchanged one is told in the same words.

use operator_api::condition::{READY, RECONCILING, STALLED};
use serde_json::json;

use super::super::plan::{BrokerPod, plan};
use super::super::validate::{tests::cluster, validate};
use super::*;
use crate::condition::find;

const NOW: &str = "2026-01-01T00:10:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn pod(restart_hash: &str) -> BrokerPod {
    BrokerPod {
        ordinal: 0,
        name: "demo-broker-0".into(),
        uid: "u".into(),
        revision: Some("demo-broker-1".into()),
        restart_hash: Some(restart_hash.into()),
        created: at("2026-01-01T00:09:00Z"),
        ready: true,
        ending: false,
        stuck: None,
        restart_requested: false,
        resize_pending: None,
        node: Some("node-1".into()),
    }
}

fn view(cluster_id: &str) -> View {
    View { cluster_id: cluster_id.into(), controller: 0, keys: BTreeMap::new() }
}

/// A situation, told.
struct Situation {
    cluster: Cluster,
    pods: Vec<BrokerPod>,
    voice: Voice,
    refusal: Option<Refusal>,
    handled: LastHandled,
    paused: bool,
    volumes: Volumes,
}

impl Situation {
    fn well() -> Self {
        Self {
            cluster: cluster(json!({})),
            pods: vec![pod("new")],
            voice: Voice::Said(view("id-1")),
            refusal: None,
            handled: LastHandled::default(),
            paused: false,
            volumes: Volumes::AsAsked,
        }
    }

    fn told(&self, now: &str) -> ClusterStatus {
        let (desired, _) = validate(&self.cluster).unwrap();
        let seen = Seen {
            now: at(now),
            replicas: 1,
            restart_hash: Some("new".into()),
            pods: self.pods.clone(),
            restart_requested_at: None,
            on_request: false,
            may_be_away: true,
            pod_timeout: desired.pod_timeout,
        };
        let step = plan(&seen);
        let observed = Observed {
            pods: self.pods.iter().map(|pod| (pod.clone(), std::sync::Arc::default())).collect(),
            ..Observed::default()
        };
        status(&Findings {
            cluster: &self.cluster,
            observed: &observed,
            desired: Some(&desired),
            refusal: self.refusal.as_ref(),
            voice: &self.voice,
            plan: (!self.paused).then_some((&seen, &step)),
            volumes: &self.volumes,
            paused: self.paused,
            notes: &[],
            handled: self.handled.clone(),
            now: at(now),
        })
    }

    /// Ready as `status reason`, and which of Reconciling and Stalled there is.
    fn summary(&self) -> (String, Option<&'static str>) {
        let told = self.told(NOW);
        let ready = find(&told.conditions, READY).unwrap();
        let besides = [RECONCILING, STALLED].into_iter().find(|one| find(&told.conditions, one).is_some());
        (format!("{} {}", ready.status, ready.reason), besides)
    }
}

#[test]
fn situations_have_their_words() {
    let well = Situation::well;
    let dead = |why: &str| BrokerPod { ready: false, stuck: Some(why.into()), ..pod("new") };
    let refusal = Refusal { reason: "Unsupported", message: "spec.rack: later".into() };
    for (situation, ready, besides) in [
        (well(), "True Reconciled", None),
        (Situation { pods: vec![], voice: Voice::None, ..well() }, "False Starting", Some(RECONCILING)),
        (Situation { pods: vec![pod("old")], ..well() }, "True Reconciled", Some(RECONCILING)),
        (
            Situation { pods: vec![dead("ErrImagePull: no such image")], voice: Voice::None, ..well() },
            "False RolloutStuck",
            Some(STALLED),
        ),
        (
            Situation { pods: vec![dead("Unschedulable: 0/1 nodes")], voice: Voice::None, ..well() },
            "False Unschedulable",
            Some(STALLED),
        ),
        (Situation { voice: Voice::Silent("no answer".into()), ..well() }, "Unknown BrokerUnreachable", None),
        (Situation { refusal: Some(refusal), ..well() }, "False Unsupported", Some(STALLED)),
        (Situation { paused: true, ..well() }, "True Paused", None),
        (Situation { volumes: Volumes::Growing("it grows".into()), ..well() }, "True Reconciled", None),
        (Situation { volumes: Volumes::Refused("no".into()), ..well() }, "True Reconciled", Some(STALLED)),
        (Situation { paused: true, pods: vec![], voice: Voice::None, ..well() }, "False Paused", None),
    ] {
        assert_eq!(situation.summary(), (ready.to_owned(), besides));
    }
}

#[test]
fn what_has_not_changed_is_told_in_the_same_words() {
    for pods in [vec![pod("new")], vec![pod("old")], vec![]] {
        let mut situation = Situation { pods, ..Situation::well() };
        let first = situation.told(NOW);
        situation.cluster.status = Some(first.clone());
        assert_eq!(situation.told("2026-01-01T00:11:00Z"), first);
    }
}

#[test]
fn an_operation_lasts_from_its_first_step_to_its_last() {
    let mut situation = Situation { pods: vec![pod("old")], ..Situation::well() };
    let told = situation.told(NOW);
    let began = told.operation.clone().unwrap();
    assert_eq!((began.kind.as_str(), began.targets.as_slice()), ("Rollout", [0].as_slice()));
    situation.cluster.status = Some(told);
    situation.pods = vec![BrokerPod { ending: true, ready: false, ..pod("old") }];
    situation.voice = Voice::None;
    let told = situation.told("2026-01-01T00:10:05Z");
    assert_eq!(told.operation.as_ref().unwrap().started_at, began.started_at);
    assert_eq!(find(&told.conditions, READY).unwrap().reason, "Restarting");
    situation.cluster.status = Some(told);
    situation.pods = vec![pod("new")];
    situation.voice = Voice::Said(view("id-1"));
    assert_eq!(situation.told("2026-01-01T00:10:09Z").operation, None);
}

#[test]
fn an_empty_volume_is_told_until_somebody_takes_it() {
    let mut situation = Situation::well();
    situation.cluster.status = Some(situation.told(NOW));
    situation.voice = Voice::Said(view("id-2"));
    assert_eq!(situation.summary(), ("False VolumeReplaced".to_owned(), Some(STALLED)));
    assert_eq!(situation.told(NOW).cluster_id.as_deref(), Some("id-1"));
    situation.handled.replace_broker = Some("0".into());
    let annotations = situation.cluster.metadata.annotations.get_or_insert_default();
    annotations.insert(REPLACE_BROKER.into(), "0".into());
    let told = situation.told(NOW);
    assert_eq!(told.cluster_id.as_deref(), Some("id-2"));
    assert_eq!(told.last_handled.unwrap().replace_broker.as_deref(), Some("0"));
    assert_eq!(situation.summary().0, "True Reconciled");
}

#[test]
fn requests_that_mean_nothing_are_told_once() {
    let mut cluster = cluster(json!({}));
    let annotations = cluster.metadata.annotations.get_or_insert_default();
    annotations.insert("gregor.dev/move-controller".into(), "any".into());
    let (handled, told) = idle_requests(&cluster);
    assert_eq!((handled.move_controller.as_deref(), told.len()), (Some("any"), 1));
    cluster.status = Some(ClusterStatus { last_handled: Some(handled), ..ClusterStatus::default() });
    assert_eq!(idle_requests(&cluster), (LastHandled::default(), vec![]));
}
