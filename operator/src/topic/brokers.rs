//! Connections to brokers: one for each Cluster, used by one Topic at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use client::Admin;
use kube::ResourceExt as _;
use operator_api::Cluster;
use parking_lot::Mutex;

/// No wait for a broker is longer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The connections of one scope, by the Cluster's UID. Bounded by the Clusters that there are.
#[derive(Default)]
pub(super) struct Brokers(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Admin>>>>);

impl Brokers {
    /// The connection to a Cluster; a new one when its brokers' addresses are others than before.
    pub(super) async fn admin(
        &self,
        cluster: &Cluster,
        addresses: Vec<String>,
    ) -> tokio::sync::OwnedMutexGuard<Admin> {
        let slot = {
            let mut all = self.0.lock();
            let new = || Arc::new(tokio::sync::Mutex::new(Admin::new(Vec::new(), CLIENT_ID, TIMEOUT)));
            Arc::clone(all.entry(cluster.uid().unwrap_or_default()).or_insert_with(new))
        };
        let mut admin = slot.lock_owned().await;
        if admin.addresses() != addresses {
            *admin = Admin::new(addresses, CLIENT_ID, TIMEOUT);
        }
        admin
    }

    /// Forgets the Clusters that are gone.
    pub(super) fn keep(&self, uids: &[String]) {
        self.0.lock().retain(|uid, _| uids.contains(uid));
    }
}

const CLIENT_ID: &str = "gregor-operator";
