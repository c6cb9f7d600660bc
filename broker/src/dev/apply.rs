//! One round: read the files, compare with the broker, do what is missing, say what was done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use node::Config;

use super::declared;
use super::in_process::{CallError, Client};
use super::manifest::Manifest;
use super::observe::{self, BROKER};
use super::perform::{self, alter, create, told};
use super::plan::{self, Action};

/// Takes the lines that a person reads.
pub(super) type Say<'a> = &'a mut dyn FnMut(&str);

/// What was declared and done up to now.
pub(super) struct Applier {
    paths: Vec<PathBuf>,
    /// What flags set: it wins over a Cluster.
    overrides: Vec<(String, String)>,
    /// The configuration that the broker started with.
    started: Config,
    declared: Vec<Manifest>,
    /// Topics that manifests of this run declared, and whether they are deleted when that ends.
    managed: BTreeMap<String, bool>,
    /// A Cluster was declared in this run.
    had_cluster: bool,
    /// What was said and still holds.
    notices: BTreeSet<String>,
    rounds: u64,
}

impl Applier {
    pub(super) fn new(paths: Vec<PathBuf>, overrides: Vec<(String, String)>, started: Config) -> Self {
        Self {
            paths,
            overrides,
            started,
            declared: Vec::new(),
            managed: BTreeMap::new(),
            had_cluster: false,
            notices: BTreeSet::new(),
            rounds: 0,
        }
    }

    /// The topic that is declared first, for examples.
    pub(super) fn first_topic(&self) -> Option<&str> {
        self.declared.iter().find_map(Manifest::topic_name)
    }

    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Does a round.
    ///
    /// # Errors
    /// The broker did not answer; what was done until then is done, and the next round does the rest.
    pub(super) fn round(&mut self, client: &mut Client, say: Say<'_>) -> Result<(), CallError> {
        let mut silent = true;
        self.apply(client, &mut |line| {
            silent = false;
            say(line);
        })?;
        if silent {
            say("the files changed; all is as declared");
        }
        Ok(())
    }

    fn apply(&mut self, client: &mut Client, say: Say<'_>) -> Result<(), CallError> {
        let loaded = declared::read(&self.paths, &self.declared, &self.overrides);
        for problem in &loaded.problems {
            say(&problem.to_string());
        }
        if !loaded.problems.is_empty() {
            say("what has a mistake is not applied: it stays as it was, and nothing is deleted meanwhile");
        }
        let mut notices = declared::notices(&loaded);
        self.declared = declared::merge(std::mem::take(&mut self.declared), loaded);
        self.cluster(client, &mut notices, say)?;
        let first = self.rounds == 0;
        self.topics(client, first, say)?;
        for notice in notices.difference(&self.notices) {
            say(notice);
        }
        self.notices = notices;
        self.rounds += 1;
        Ok(())
    }

    fn cluster(
        &mut self,
        client: &mut Client,
        notices: &mut BTreeSet<String>,
        say: Say<'_>,
    ) -> Result<(), CallError> {
        let cluster = declared::cluster(&self.declared);
        self.had_cluster |= cluster.is_some();
        if !self.had_cluster {
            return Ok(());
        }
        let declared = match declared::configuration(cluster, &self.overrides) {
            Ok(declared) => declared,
            Err(problems) => {
                problems.iter().for_each(|problem| say(&problem.to_string()));
                return Ok(());
            }
        };
        let dynamic = observe::broker(client, self.started.node_id)?;
        let plan = plan::broker(self.started.values(), declared.values(), &dynamic);
        for (key, value) in plan.at_restart {
            let value = value.map_or_else(String::new, |value| format!("={value}"));
            notices.insert(format!("broker: {key}{value} takes effect when gregor dev starts again"));
        }
        if plan.changes.is_empty() {
            return Ok(());
        }
        let before = dynamic.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let changes = told(&plan.changes, &before, "back to its value at start");
        let node_id = self.started.node_id.to_string();
        match alter(client, BROKER, &node_id, plan.changes)? {
            Ok(()) => say(&format!("broker: {changes}")),
            Err(why) => say(&format!("broker keeps its configuration: {why}")),
        }
        Ok(())
    }

    fn topics(&mut self, client: &mut Client, first: bool, say: Say<'_>) -> Result<(), CallError> {
        let desired = declared::topics(&self.declared);
        let names: BTreeSet<&str> = desired
            .iter()
            .map(|topic| topic.name.as_str())
            .chain(self.managed.keys().map(String::as_str))
            .collect();
        let observed = observe::topics(client, names.into_iter())?;
        let actions = plan::topics(&desired, &observed, &self.managed);
        let mut to_create = Vec::new();
        for action in &actions {
            if let Action::Create(topic) = action {
                to_create.push(topic.clone());
            }
        }
        let mut failed = BTreeSet::new();
        for (topic, outcome) in to_create.iter().zip(create(client, &to_create)?) {
            say(&outcome.line);
            if !outcome.done {
                failed.insert(topic.name.clone());
            }
        }
        let mut undeleted = BTreeMap::new();
        for action in actions {
            let quiet = !first && matches!(action, Action::Keep { .. });
            let deleted = if let Action::Delete { topic } = &action { Some(topic.clone()) } else { None };
            let Some(outcome) = perform::perform(client, action)? else { continue };
            if !quiet {
                say(&outcome.line);
            }
            // It is tried again with the next change.
            undeleted.extend(deleted.filter(|_| !outcome.done).map(|topic| (topic, true)));
        }
        let refused = |topic: &plan::DesiredTopic| {
            !topic.adopt && observed.contains_key(&topic.name) && !self.managed.contains_key(&topic.name)
        };
        self.managed = desired
            .iter()
            .filter(|topic| !refused(topic) && !failed.contains(&topic.name))
            .map(|topic| (topic.name.clone(), topic.delete))
            .chain(undeleted)
            .collect();
        Ok(())
    }
}
