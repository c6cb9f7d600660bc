//! One turn of a Cluster: look, decide, write what differs, take at most one disruptive step, tell.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Api, Resource as _, ResourceExt as _};
use operator_api::Cluster;
use operator_api::annotation::{PAUSED, REPLACE_BROKER, RESTART_REQUESTED_AT};
use operator_api::cluster::LastHandled;
use operator_api::condition::READY;
use operator_api::reason::{BROKER_REJECTED, CONFLICT, INVALID_SPEC};

use super::apply::{Error, Outcome, Written};
use super::broker;
use super::build::{self, Children, Image, OWNED_KEYS, Parts, annotation, properties};
use super::config::{self, Alteration, Change, Running};
use super::names;
use super::observe::{Observed, Stores, find, observe};
use super::plan::{Seen, Step, plan};
use super::status::{Findings, Voice, Volumes, idle_requests, status};
use super::validate::{Desired, Refusal, validate};
use super::volumes;
use crate::condition;
use crate::context::Context;

/// How soon it is looked again while something goes on; events come sooner.
const SOON: Duration = Duration::from_secs(5);
/// How soon it is looked again while a person has to act.
const LATER: Duration = Duration::from_secs(30);
/// How often a Cluster is looked at that is as it shall be: what somebody changed on a broker is then put
/// right.
const RESYNC: Duration = Duration::from_secs(120);
/// How soon an object of a former Cluster is looked for again.
const LEFTOVER: Duration = Duration::from_secs(1);

/// What turns of one scope share.
pub(super) struct Turns {
    pub(super) context: Arc<Context>,
    pub(super) stores: Stores,
    pub(super) written: Written,
}

/// What was decided about the configuration.
struct Configured {
    text: String,
    hash: String,
    alterations: Vec<Alteration>,
    refusal: Option<Refusal>,
}

impl Turns {
    /// One turn.
    ///
    /// # Errors
    /// The API server could not be read or written: the turn is taken again.
    pub(super) async fn take(&self, cluster: &Cluster) -> Result<Action, Error> {
        let (namespace, name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
        if cluster.meta().deletion_timestamp.is_some() {
            // Its objects go by their owner references, claims among them where the spec said so. No
            // finalizer: a namespace must be able to end without an operator.
            self.written.forget(&namespace, &name);
            return Ok(Action::await_change());
        }
        let observed = observe(&self.stores, &namespace, &name, Timestamp::now());
        let voice = self.listen(cluster, &observed).await;
        match validate(cluster) {
            Ok((desired, refusal)) => self.carry_out(cluster, observed, &voice, &desired, refusal).await,
            Err(refusal) => {
                let findings = Findings {
                    cluster,
                    observed: &observed,
                    desired: None,
                    refusal: Some(&refusal),
                    voice: &voice,
                    plan: None,
                    volumes: &Volumes::AsAsked,
                    paused: is_paused(cluster),
                    notes: &[],
                    handled: LastHandled::default(),
                    now: Timestamp::now(),
                };
                self.tell(&findings).await?;
                Ok(Action::requeue(RESYNC))
            }
        }
    }

    /// Asks a broker that serves.
    async fn listen(&self, cluster: &Cluster, observed: &Observed) -> Voice {
        let Some((pod, object)) = observed.serving() else {
            return Voice::None;
        };
        // The port that the running broker has, which may not be the one of the spec.
        match live_port(cluster, object).and_then(|port| names::pod_address(object, port)) {
            None => Voice::Silent(format!("pod {} has no address", pod.name)),
            Some(address) => match broker::look(&address, pod.ordinal, &self.context.metrics).await {
                Ok(view) => Voice::Said(view),
                Err(error) => Voice::Silent(format!("broker {} at {address}: {error}", pod.ordinal)),
            },
        }
    }

    async fn carry_out(
        &self,
        cluster: &Cluster,
        mut observed: Observed,
        voice: &Voice,
        desired: &Desired,
        mut refusal: Option<Refusal>,
    ) -> Result<Action, Error> {
        let paused = is_paused(cluster);
        // A Cluster that is refused in part goes on as it is; one that was never there is not begun.
        let begun = refusal.is_none() || observed.stateful_set.is_some();
        let mut notes = Vec::new();
        let mut volumes = Volumes::AsAsked;
        if !paused && begun {
            let configured = self.configure(&observed, voice, desired).await;
            refusal = refusal.or(configured.refusal.clone());
            match self.make(cluster, &mut observed, desired, &configured, &mut notes).await {
                Ok(()) => {}
                Err(Error::Leftover(_)) => return Ok(Action::requeue(LEFTOVER)),
                // The Cluster goes with it.
                Err(error) if error.is_ending() => return Ok(Action::requeue(LATER)),
                Err(Error::Foreign(what)) => {
                    refusal = Some(Refusal { reason: CONFLICT, message: Error::Foreign(what).to_string() });
                }
                Err(error) => match error.refusal() {
                    Some(message) => refusal = Some(Refusal { reason: INVALID_SPEC, message }),
                    None => return Err(error),
                },
            }
            volumes = volumes::ensure(&self.context, cluster, desired, &observed).await?;
            if refusal.is_none() {
                refusal = self.alter(cluster, &observed, &configured.alterations).await;
            }
        }
        let (seen, handled) = self.see(cluster, &observed, desired).await;
        let step = match (begun, paused) {
            (true, false) => plan(&seen),
            _ => Step::Wait("nothing is done".to_owned()),
        };
        let findings = Findings {
            cluster,
            observed: &observed,
            desired: Some(desired),
            refusal: refusal.as_ref(),
            voice,
            plan: (begun && !paused).then_some((&seen, &step)),
            volumes: &volumes,
            paused,
            notes: &notes,
            handled,
            now: seen.now,
        };
        // The operation is written down before its first act.
        self.tell(&findings).await?;
        if let Step::Restart { ordinal, pod, uid, why } = &step {
            self.restart(cluster, *ordinal, pod, uid, why).await?;
        }
        Ok(next(cluster, &seen, &step, voice))
    }

    /// What the configuration asks for, and whether a running broker would take it.
    async fn configure(&self, observed: &Observed, voice: &Voice, desired: &Desired) -> Configured {
        let owned = BTreeSet::from(OWNED_KEYS);
        let running = match voice {
            Voice::None => Running::No,
            Voice::Silent(_) => Running::Silent,
            Voice::Said(view) => Running::Answers(&view.keys),
        };
        let wanted = Configured {
            text: properties::text(desired, &desired.config),
            hash: config::hash(&desired.config, observed.file.as_ref().map(|(_, hash)| hash.as_str())),
            alterations: Vec::new(),
            refusal: None,
        };
        let Some((live, live_hash)) = &observed.file else {
            return wanted;
        };
        // What follows from other fields changes all the same.
        let kept = |refusal: Option<Refusal>| Configured {
            text: properties::text(desired, live),
            hash: live_hash.clone(),
            alterations: Vec::new(),
            refusal,
        };
        let change = match config::change(live, &desired.config, running) {
            Ok(change) => change,
            Err(refusal) => return kept(Some(refusal)),
        };
        let alterations = match voice {
            Voice::Said(view) => config::alterations(&desired.config, &owned, &view.keys),
            Voice::None | Voice::Silent(_) => Vec::new(),
        };
        if let Some(refusal) = self.rejected(observed, &alterations, desired).await {
            return kept(Some(refusal));
        }
        match change {
            // Who cannot be asked is not decided for.
            Change::Unknown => kept(None),
            Change::None | Change::Dynamic => Configured { hash: live_hash.clone(), alterations, ..wanted },
            Change::Restart(keys) => {
                tracing::info!(cluster = desired.name, ?keys, "the configuration changes with a restart");
                Configured { alterations, ..wanted }
            }
        }
    }

    /// Why a running broker would not take the alterations, in its words.
    async fn rejected(
        &self,
        observed: &Observed,
        alterations: &[Alteration],
        desired: &Desired,
    ) -> Option<Refusal> {
        if alterations.is_empty() {
            return None;
        }
        let (pod, object) = observed.serving()?;
        let port = desired.listeners.first()?.port;
        let address = names::pod_address(object, container_port(object).unwrap_or(port))?;
        match broker::alter(&address, pod.ordinal, alterations, true, &self.context.metrics).await {
            Err(client::Error::Refused(refusal)) => Some(rejection(&refusal)),
            _ => None,
        }
    }

    /// Makes the Cluster's objects. What was written of the StatefulSet is observed at once.
    async fn make(
        &self,
        cluster: &Cluster,
        observed: &mut Observed,
        desired: &Desired,
        configured: &Configured,
        notes: &mut Vec<String>,
    ) -> Result<(), Error> {
        let operators = &self.context.settings.image;
        let live = observed.stateful_set.as_deref();
        let parts = Parts {
            owner: cluster.controller_owner_ref(&()).unwrap_or_default(),
            image: Image::of(desired, operators, live, observed.image_is_broken()),
            config_text: configured.text.clone(),
            config_hash: configured.hash.clone(),
            claim_size: observed.claim_size(),
        };
        let Children { headless, bootstrap, config_map, budget, stateful_set } =
            build::children(desired, &parts);
        let stores = &self.stores;
        let mut made = Vec::new();
        macro_rules! ensure {
            ($object:expr, $store:expr) => {{
                let name = $object.name_any();
                let live = find($store, &desired.namespace, &name);
                let (outcome, now) = self.written.ensure(&self.context, cluster, &$object, live).await?;
                if outcome == Outcome::Created {
                    made.push(format!("{} {name}", kind(&$object)));
                }
                now
            }};
        }
        ensure!(headless, &stores.services);
        ensure!(bootstrap, &stores.services);
        // Before the template that names its hash: a pod that starts finds the file.
        ensure!(config_map, &stores.config_maps);
        ensure!(budget, &stores.budgets);
        if let Some(now) = ensure!(stateful_set, &stores.stateful_sets) {
            observed.stateful_set = Some(Arc::new(now));
        }
        if !made.is_empty() {
            let note = format!("Created {}", made.join(", "));
            self.context.events.normal(cluster, "Created", "Create", note).await;
        }
        let monitor = build::pod_monitor(desired, &parts);
        let there = self.written.pod_monitor(&self.context, cluster, &monitor, desired.pod_monitor).await;
        match there {
            Ok(true) => {}
            Ok(false) => notes.push(
                "spec.monitoring.podMonitor waits for the kind PodMonitor of monitoring.coreos.com"
                    .to_owned(),
            ),
            Err(error) if desired.pod_monitor => notes.push(format!("spec.monitoring.podMonitor: {error}")),
            // An account that may not look at PodMonitors has none.
            Err(error) => tracing::debug!("look for a PodMonitor: {error}"),
        }
        Ok(())
    }

    /// Gives a running broker its dynamic configuration.
    async fn alter(
        &self,
        cluster: &Cluster,
        observed: &Observed,
        alterations: &[Alteration],
    ) -> Option<Refusal> {
        if alterations.is_empty() {
            return None;
        }
        let (pod, object) = observed.serving()?;
        let address = live_port(cluster, object).and_then(|port| names::pod_address(object, port))?;
        match broker::alter(&address, pod.ordinal, alterations, false, &self.context.metrics).await {
            Ok(()) => {
                let text = |alteration: &Alteration| match &alteration.value {
                    Some(value) => format!("{}={value}", alteration.key),
                    None => format!("{} to its default", alteration.key),
                };
                let note = alterations.iter().map(text).collect::<Vec<_>>().join(", ");
                self.context.events.normal(cluster, "Configured", "Configure", format!("Set {note}")).await;
                None
            }
            Err(client::Error::Refused(refusal)) => Some(rejection(&refusal)),
            Err(error) => {
                tracing::warn!(cluster = cluster.name_any(), "configure broker {}: {error}", pod.ordinal);
                None
            }
        }
    }

    /// All that decides about restarts, and which requests are dealt with.
    async fn see(&self, cluster: &Cluster, observed: &Observed, desired: &Desired) -> (Seen, LastHandled) {
        let old = cluster.status.as_ref().and_then(|status| status.last_handled.clone()).unwrap_or_default();
        let (mut handled, told) = idle_requests(cluster);
        for note in told {
            self.context.events.warning(cluster, "Unsupported", "Ignore", note).await;
        }
        let asked = desired
            .restart_requested_at
            .as_ref()
            .filter(|asked| Some(*asked) != old.restart_requested_at.as_ref());
        let parsed = asked.map(|asked| asked.parse::<Timestamp>());
        if let (Some(Err(_)), Some(asked)) = (&parsed, asked) {
            let note = format!("{RESTART_REQUESTED_AT}={asked} is no time such as 2026-01-31T12:00:00Z");
            self.context.events.warning(cluster, "InvalidAnnotation", "Ignore", note).await;
            handled.restart_requested_at = Some(asked.clone());
        }
        let replaced = cluster.annotations().get(REPLACE_BROKER);
        handled.replace_broker =
            replaced.filter(|id| *id == "0" && Some(*id) != old.replace_broker.as_ref()).cloned();
        let seen = Seen {
            now: Timestamp::now(),
            replicas: desired.replicas,
            restart_hash: restart_hash(observed),
            pods: observed.pods.iter().map(|(pod, _)| pod.clone()).collect(),
            restart_requested_at: parsed.and_then(Result::ok),
            on_request: desired.restart_on_request,
            may_be_away: desired.allow_single_replica_downtime,
            pod_timeout: desired.pod_timeout,
        };
        if seen.request_is_done() {
            handled.restart_requested_at = asked.cloned();
        }
        (seen, handled)
    }

    /// Deletes a pod, if it still is the one that the plan was made for.
    async fn restart(
        &self,
        cluster: &Cluster,
        ordinal: i32,
        pod: &str,
        uid: &str,
        why: &str,
    ) -> Result<(), Error> {
        let api: Api<Pod> =
            Api::namespaced(self.context.kube.clone(), &cluster.namespace().unwrap_or_default());
        // Not from the watch, which may be late.
        let there = api.get_opt(pod).await?;
        let Some(there) = there.filter(|there| there.uid().as_deref() == Some(uid)) else {
            return Ok(());
        };
        if there.metadata.deletion_timestamp.is_some() || !crate::apply::delete(&self.context, &there).await?
        {
            return Ok(());
        }
        let note = format!("Restarting broker {ordinal}, pod {pod}: {why}");
        self.context.events.normal(cluster, "Restarting", "Restart", note).await;
        Ok(())
    }

    /// Writes the status where it differs, and an Event where it says another thing.
    async fn tell(&self, findings: &Findings<'_>) -> Result<(), Error> {
        let cluster = findings.cluster;
        let new = status(findings);
        let old = cluster.status.as_ref();
        let written = crate::apply::apply_status(&self.context, cluster, old, &new).await?;
        let before = old.and_then(|old| condition::find(&old.conditions, READY));
        let Some(now) = condition::find(&new.conditions, READY) else {
            return Ok(());
        };
        let same =
            before.is_some_and(|before| (&before.status, &before.reason) == (&now.status, &now.reason));
        if !written || same {
            return Ok(());
        }
        if now.status == "True" {
            self.context.events.normal(cluster, "Ready", "Reconcile", now.message.clone()).await;
        } else if condition::is_true(&new.conditions, operator_api::condition::STALLED) {
            self.context.events.warning(cluster, &now.reason, "Reconcile", now.message.clone()).await;
        }
        Ok(())
    }
}

fn rejection(refusal: &client::Refusal) -> Refusal {
    Refusal { reason: BROKER_REJECTED, message: format!("spec.config: the broker refuses it: {refusal}") }
}

fn kind<K: kube::Resource<DynamicType = ()>>(_: &K) -> std::borrow::Cow<'static, str> {
    K::kind(&())
}

fn is_paused(cluster: &Cluster) -> bool {
    cluster.annotations().get(PAUSED).is_some_and(|value| value == "true")
}

/// The port of the first listener of a pod that runs.
fn container_port(pod: &Pod) -> Option<i32> {
    let container =
        pod.spec.as_ref()?.containers.iter().find(|container| container.name == names::CONTAINER)?;
    container.ports.as_ref()?.iter().find(|port| port.name.is_none()).map(|port| port.container_port)
}

fn live_port(cluster: &Cluster, pod: &Pod) -> Option<i32> {
    container_port(pod).or_else(|| cluster.spec.listeners.first().map(|listener| listener.port))
}

/// What pods shall be made with, once the StatefulSet's controller has seen the template that was written: one that
/// is deleted before would be made of the template before.
fn restart_hash(observed: &Observed) -> Option<String> {
    let stateful_set = observed.stateful_set.as_ref()?;
    let seen = stateful_set.status.as_ref()?.observed_generation;
    let template = stateful_set.spec.template.metadata.as_ref()?;
    let hash = template.annotations.as_ref()?.get(annotation::RESTART_HASH)?;
    (seen >= stateful_set.metadata.generation).then(|| hash.clone())
}

/// When it is looked again, if no event comes sooner.
fn next(cluster: &Cluster, seen: &Seen, step: &Step, voice: &Voice) -> Action {
    let wait = match (step, voice) {
        (Step::Restart { .. } | Step::Wait(_), _) | (_, Voice::Silent(_)) => SOON,
        (Step::Stuck(..), _) => LATER,
        // Clusters are not looked at all at once.
        _ => RESYNC + Duration::from_secs(jitter(cluster)),
    };
    let until = |at: Timestamp| Duration::try_from(at.duration_since(seen.now)).unwrap_or_default();
    let asked = seen.restart_requested_at.map(until).filter(|wait| !wait.is_zero());
    Action::requeue(asked.map_or(wait, |asked| asked.min(wait)))
}

/// 0 to 29 s, the same for one Cluster always.
fn jitter(cluster: &Cluster) -> u64 {
    let uid = cluster.uid().unwrap_or_default();
    uid.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte))) % 30
}
