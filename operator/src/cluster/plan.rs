//! The next disruptive step of a Cluster: at most one, from what is seen alone.
//!
//! Pods are matched with brokers by ordinal; a step names the pod's uid, so that no other one is ever hit.
//!
//! A pod is old when what it needs a restart for is another than what it was made with ([`super::build::restart`]),
//! not when its template's revision is: a later version of the operator may write templates in another form, and
//! its upgrade restarts no broker by itself. Pods get the new form with their next restart.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// How long a file system may take to grow while it is mounted, before a restart is tried.
const RESIZE_SECONDS: i64 = 300;

/// One broker's pod as it is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BrokerPod {
    pub(super) ordinal: i32,
    pub(super) name: String,
    pub(super) uid: String,
    /// The revision of the template it was made of, for people to see.
    pub(super) revision: Option<String>,
    /// What it was made with, as far as it needs a restart to change.
    pub(super) restart_hash: Option<String>,
    pub(super) created: Timestamp,
    /// It serves.
    pub(super) ready: bool,
    /// It is about to end.
    pub(super) ending: bool,
    /// It cannot start, and why: "ImagePullBackOff: ...".
    pub(super) stuck: Option<String>,
    /// The annotation on the pod asks for its restart.
    pub(super) restart_requested: bool,
    /// Since when its volume has grown and its file system waits to be mounted anew.
    pub(super) resize_pending: Option<Timestamp>,
    /// The node that it runs on.
    pub(super) node: Option<String>,
}

/// All that decides about restarts.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) now: Timestamp,
    /// How many brokers there shall be.
    pub(super) replicas: i32,
    /// What pods shall be made with; `None` until the StatefulSet's controller has seen the newest template.
    pub(super) restart_hash: Option<String>,
    /// In the order of their ordinals.
    pub(super) pods: Vec<BrokerPod>,
    /// A restart of every pod that is older is asked for.
    pub(super) restart_requested_at: Option<Timestamp>,
    /// Changes wait for such a request.
    pub(super) on_request: bool,
    /// The only broker may be away for a restart.
    pub(super) may_be_away: bool,
    /// How long a broker may take to serve.
    pub(super) pod_timeout: Duration,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: all is as it shall be.
    Done,
    /// Nothing yet; what is waited for.
    Wait(String),
    /// Nothing until somebody asks for it: pods are out of date and changes wait for a request, or may not
    /// happen.
    Held(String),
    /// Nothing helps but a person; which broker, and why.
    Stuck(i32, String),
    /// Delete this pod; the StatefulSet makes it anew.
    Restart { ordinal: i32, pod: String, uid: String, why: String },
}

impl Seen {
    /// Whether a restart shall bring the pod what it lacks, and what that is.
    fn stale(&self, pod: &BrokerPod) -> Option<&'static str> {
        let requested = self.restart_requested_at.is_some_and(|at| at <= self.now && pod.created < at);
        if requested || pod.restart_requested {
            return Some("a restart was asked for");
        }
        if self.is_old(pod) {
            return Some("its configuration or image changed");
        }
        self.needs_mount(pod).then_some("its volume has grown, and its file system grows with a restart")
    }

    /// Whether the pod was made with something else.
    fn is_old(&self, pod: &BrokerPod) -> bool {
        self.restart_hash.is_some() && pod.restart_hash != self.restart_hash
    }

    /// Whether the pod keeps its file system from growing. Most grow while they are mounted, which is waited
    /// for. One restart is tried for each growth: a pod that is younger has mounted the volume since.
    fn needs_mount(&self, pod: &BrokerPod) -> bool {
        pod.resize_pending.is_some_and(|since| {
            pod.created < since && self.now.duration_since(since) >= SignedDuration::from_secs(RESIZE_SECONDS)
        })
    }

    /// Whether every pod there shall be is there and made with what it shall be.
    pub(super) fn up_to_date(&self) -> bool {
        self.restart_hash.is_some()
            && self.missing().is_none()
            && !self.pods.iter().any(|pod| self.is_old(pod))
    }

    /// Whether no pod is left that is older than the request.
    pub(super) fn request_is_done(&self) -> bool {
        self.restart_requested_at.is_some_and(|at| {
            at <= self.now && self.missing().is_none() && self.pods.iter().all(|pod| pod.created >= at)
        })
    }

    fn missing(&self) -> Option<i32> {
        (0..self.replicas).find(|ordinal| !self.pods.iter().any(|pod| pod.ordinal == *ordinal))
    }

    fn waited(&self, pod: &BrokerPod) -> bool {
        let age = self.now.duration_since(pod.created).unsigned_abs();
        age > self.pod_timeout
    }
}

/// The next step.
pub(super) fn plan(seen: &Seen) -> Step {
    if seen.restart_hash.is_none() {
        return Step::Wait("the StatefulSet's controller has not seen the newest template".to_owned());
    }
    // A pod that cannot start and has the old template is down already: no care for it, or the mended
    // template could never roll out. The StatefulSet itself would wait for it for ever.
    let dead = |pod: &&BrokerPod| {
        !pod.ready && !pod.ending && (pod.stuck.is_some() || seen.waited(pod)) && seen.stale(pod).is_some()
    };
    if let Some(pod) = seen.pods.iter().find(dead) {
        return restart(pod, "it cannot start, and what it lacks has changed");
    }
    if let Some(pod) = seen.pods.iter().find(|pod| !pod.ending && !pod.ready && pod.stuck.is_some()) {
        return Step::Stuck(pod.ordinal, pod.stuck.clone().unwrap_or_default());
    }
    if let Some(pod) = seen.pods.iter().find(|pod| !pod.ending && !pod.ready && seen.waited(pod)) {
        let seconds = seen.pod_timeout.as_secs();
        return Step::Stuck(
            pod.ordinal,
            format!("it is not ready after {seconds} s (spec.rollout.podTimeout)"),
        );
    }
    // Any pod that does not serve, be it stale or not: no second one is taken away.
    if let Some(pod) = seen.pods.iter().find(|pod| pod.ending) {
        return Step::Wait(format!("broker {} stops", pod.ordinal));
    }
    if let Some(ordinal) = seen.missing() {
        return Step::Wait(format!("broker {ordinal} has no pod yet"));
    }
    if let Some(pod) = seen.pods.iter().find(|pod| !pod.ready) {
        return Step::Wait(format!("broker {} starts", pod.ordinal));
    }
    let Some((pod, why)) = seen.pods.iter().find_map(|pod| Some((pod, seen.stale(pod)?))) else {
        return Step::Done;
    };
    let asked = seen.pods.iter().find(|pod| seen.stale(pod).is_some_and(|why| why.contains("asked for")));
    let (pod, why) = match asked {
        Some(pod) => (pod, "a restart was asked for"),
        None if seen.on_request => {
            return Step::Held(format!(
                "broker {} needs a restart ({why}), and spec.rollout.strategy is OnRequest: annotate the Cluster \
                 with gregor.dev/restart-requested-at",
                pod.ordinal
            ));
        }
        None => (pod, why),
    };
    if seen.replicas == 1 && !seen.may_be_away {
        return Step::Held(
            "a restart of the only broker interrupts service, and spec.rollout.allowSingleReplicaDowntime is \
             false"
                .to_owned(),
        );
    }
    restart(pod, why)
}

fn restart(pod: &BrokerPod, why: &str) -> Step {
    Step::Restart { ordinal: pod.ordinal, pod: pod.name.clone(), uid: pod.uid.clone(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pod(ordinal: i32) -> BrokerPod {
        BrokerPod {
            ordinal,
            name: format!("demo-broker-{ordinal}"),
            uid: format!("uid-{ordinal}"),
            revision: None,
            restart_hash: Some("new".into()),
            created: at(NOW - 100),
            ready: true,
            ending: false,
            stuck: None,
            restart_requested: false,
            resize_pending: None,
            node: None,
        }
    }

    fn seen(pods: Vec<BrokerPod>) -> Seen {
        Seen {
            now: at(NOW),
            replicas: i32::try_from(pods.len()).unwrap(),
            restart_hash: Some("new".into()),
            pods,
            restart_requested_at: None,
            on_request: false,
            may_be_away: true,
            pod_timeout: Duration::from_secs(600),
        }
    }

    fn old(pod: BrokerPod) -> BrokerPod {
        BrokerPod { restart_hash: Some("old".into()), ..pod }
    }

    fn restarted(step: &Step) -> Option<i32> {
        match step {
            Step::Restart { ordinal, .. } => Some(*ordinal),
            _ => None,
        }
    }

    #[test]
    fn an_old_pod_is_restarted_and_a_new_one_is_left() {
        assert_eq!(plan(&seen(vec![pod(0)])), Step::Done);
        assert_eq!(restarted(&plan(&seen(vec![old(pod(0))]))), Some(0));
        assert!(!seen(vec![old(pod(0))]).up_to_date());
    }

    #[test]
    fn nothing_moves_before_the_template_was_seen() {
        let unseen = Seen { restart_hash: None, ..seen(vec![old(pod(0))]) };
        assert!(matches!(plan(&unseen), Step::Wait(_)));
    }

    #[test]
    fn a_broken_pod_of_the_old_template_goes_first_and_one_of_the_new_is_told() {
        let broken = |pod: BrokerPod| BrokerPod {
            ready: false,
            stuck: Some("ImagePullBackOff: no such image".into()),
            ..pod
        };
        assert_eq!(restarted(&plan(&seen(vec![old(pod(0)), old(broken(pod(1)))]))), Some(1));
        let held = Seen { may_be_away: false, on_request: true, ..seen(vec![old(broken(pod(0)))]) };
        assert_eq!(restarted(&plan(&held)), Some(0), "it is down anyway");
        let step = plan(&seen(vec![broken(pod(0)), old(pod(1))]));
        assert_eq!(step, Step::Stuck(0, "ImagePullBackOff: no such image".into()));
    }

    #[test]
    fn a_starting_pod_is_waited_for_until_its_time_is_over() {
        let starting = |pod: BrokerPod| BrokerPod { ready: false, ..pod };
        assert!(matches!(plan(&seen(vec![starting(old(pod(0))), old(pod(1))])), Step::Wait(_)));
        let late = |pod: BrokerPod| BrokerPod { ready: false, created: at(NOW - 601), ..pod };
        assert!(matches!(plan(&seen(vec![late(pod(0))])), Step::Stuck(0, _)));
        assert_eq!(restarted(&plan(&seen(vec![late(old(pod(0)))]))), Some(0));
    }

    #[test]
    fn a_request_restarts_what_is_older_once() {
        let asked = |at_second: i64| Seen {
            restart_requested_at: Some(at(at_second)),
            on_request: true,
            ..seen(vec![pod(0)])
        };
        assert_eq!(restarted(&plan(&asked(NOW - 50))), Some(0));
        assert!(!asked(NOW - 50).request_is_done());
        assert_eq!(plan(&asked(NOW - 150)), Step::Done);
        assert!(asked(NOW - 150).request_is_done());
        // A time to come is waited for.
        assert_eq!(plan(&asked(NOW + 50)), Step::Done);
        assert!(!asked(NOW + 50).request_is_done());
        let one = BrokerPod { restart_requested: true, ..pod(1) };
        assert_eq!(restarted(&plan(&seen(vec![pod(0), one]))), Some(1));
    }

    #[test]
    fn another_form_of_the_template_restarts_nothing() {
        let made_before = BrokerPod { revision: Some("of the operator before".into()), ..pod(0) };
        let seen = seen(vec![made_before]);
        assert_eq!(plan(&seen), Step::Done);
        assert!(seen.up_to_date());
    }

    #[test]
    fn a_file_system_that_does_not_grow_gets_one_restart() {
        let grown = |second: i64| seen(vec![BrokerPod { resize_pending: Some(at(second)), ..pod(0) }]);
        let mut late = grown(NOW - 50);
        assert_eq!(plan(&late), Step::Done, "it may grow while it is mounted");
        late.now = at(NOW + 250);
        assert_eq!(restarted(&plan(&late)), Some(0));
        assert!(matches!(plan(&Seen { may_be_away: false, ..late }), Step::Held(_)));
        let mut younger = grown(NOW - 150);
        younger.now = at(NOW + 10_000);
        assert_eq!(plan(&younger), Step::Done, "it was mounted since");
    }

    #[test]
    fn what_may_not_be_restarted_is_held() {
        let held = Seen { may_be_away: false, ..seen(vec![old(pod(0))]) };
        assert!(matches!(plan(&held), Step::Held(why) if why.contains("allowSingleReplicaDowntime")));
        let on_request = Seen { on_request: true, ..seen(vec![old(pod(0))]) };
        assert!(matches!(plan(&on_request), Step::Held(why) if why.contains("restart-requested-at")));
    }

    fn any_pod(ordinal: i32) -> impl Strategy<Value = Option<BrokerPod>> {
        let parts = (any::<[bool; 6]>(), 0_i64..2000);
        proptest::option::weighted(0.9, parts).prop_map(move |parts| {
            parts.map(|([new, ready, ending, stuck, asked, grown], age)| BrokerPod {
                restart_hash: Some(if new { "new" } else { "old" }.into()),
                // Two growths: one that has had its time, and one that has not.
                resize_pending: grown.then(|| at(NOW - age / 2 - 150)),
                created: at(NOW - age),
                ready: ready && !ending && !stuck,
                ending,
                stuck: (stuck && !ending).then(|| "CrashLoopBackOff".into()),
                restart_requested: asked && age > 1000,
                ..pod(ordinal)
            })
        })
    }

    fn any_seen() -> impl Strategy<Value = Seen> {
        let pods = (any_pod(0), any_pod(1), any_pod(2));
        (pods, any::<[bool; 4]>(), 0_i64..3000, 1_i32..4).prop_map(
            |(pods, [known, asked, on_request, away], ago, replicas)| {
                let pods: Vec<BrokerPod> = [pods.0, pods.1, pods.2]
                    .into_iter()
                    .flatten()
                    .filter(|pod| pod.ordinal < replicas)
                    .collect();
                Seen {
                    replicas,
                    restart_hash: known.then(|| "new".into()),
                    restart_requested_at: asked.then(|| at(NOW - 1000 + ago)),
                    on_request,
                    may_be_away: away,
                    ..seen(pods)
                }
            },
        )
    }

    /// The world's answer: the pod is made anew and serves, or the one that was waited for does.
    fn answer(seen: &mut Seen, step: &Step) {
        seen.now = at(seen.now.as_second() + 1);
        let fresh = |ordinal: i32, now: Timestamp| BrokerPod {
            created: now,
            uid: format!("uid-{ordinal}-{now}"),
            ..pod(ordinal)
        };
        let now = seen.now;
        match step {
            Step::Restart { ordinal, .. } => {
                for pod in &mut seen.pods {
                    if pod.ordinal == *ordinal {
                        *pod = fresh(*ordinal, now);
                    }
                }
            }
            Step::Wait(_) => {
                seen.restart_hash = Some("new".into());
                for pod in &mut seen.pods {
                    if pod.ending {
                        *pod = fresh(pod.ordinal, now);
                    }
                    pod.ready = pod.stuck.is_none();
                }
                while let Some(ordinal) = seen.missing() {
                    seen.pods.push(fresh(ordinal, now));
                }
                seen.pods.sort_by_key(|pod| pod.ordinal);
            }
            Step::Done | Step::Held(_) | Step::Stuck(..) => {}
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn a_step_takes_no_serving_broker_while_another_is_away(seen in any_seen()) {
            if let Step::Restart { ordinal, uid, .. } = plan(&seen) {
                let pod = seen.pods.iter().find(|pod| pod.uid == uid).unwrap();
                prop_assert_eq!(pod.ordinal, ordinal);
                prop_assert!(!pod.ending, "it ends already");
                prop_assert!(seen.stale(pod).is_some(), "nothing asked for it");
                if pod.ready {
                    let others = seen.pods.iter().filter(|other| other.uid != uid);
                    prop_assert!(others.clone().all(|other| other.ready), "another one is away");
                    prop_assert_eq!(others.count() + 1, usize::try_from(seen.replicas).unwrap());
                    prop_assert!(seen.replicas > 1 || seen.may_be_away);
                }
            }
        }

        #[test]
        fn steps_come_to_an_end(mut seen in any_seen()) {
            let mut restarts = 0;
            for _ in 0..40 {
                let step = plan(&seen);
                restarts += i32::from(restarted(&step).is_some());
                match step {
                    Step::Done => {
                        prop_assert!(seen.up_to_date());
                        break;
                    }
                    Step::Held(_) | Step::Stuck(..) => break,
                    other => answer(&mut seen, &other),
                }
            }
            prop_assert!(!matches!(plan(&seen), Step::Restart { .. } | Step::Wait(_)), "it goes on and on");
            prop_assert!(restarts <= 2 * seen.replicas, "{restarts} restarts of {} brokers", seen.replicas);
        }
    }
}
