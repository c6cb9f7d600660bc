//! Which broker this is, of which cluster, and where it keeps what it knows.

use std::path::PathBuf;

use protocol::id::{BrokerId, Uuid};

use super::listener::split_host_port;
use super::typed::Typed;

pub(super) fn node_id(typed: &mut Typed<'_>) -> BrokerId {
    // Kafka's default of broker.id, -1, names no broker.
    let both = (typed.limit::<i32>("node.id").filter(|id| *id >= 0), typed.own_number("broker.id"));
    match both {
        (None, _) => {
            typed.missing("node.id", "is missing; give each broker its own number, such as node.id=1")
        }
        (Some(node), Some(broker)) if broker >= 0 && broker != node => {
            typed.wrong("node.id", format!("differs from broker.id={broker}; keep node.id alone"));
        }
        _ => {}
    }
    BrokerId(both.0.unwrap_or(-1))
}

/// Refuses what asks for other processes of the quorum: a broker that ran on alone would be a cluster of its own
/// beside the one that was meant.
pub(super) fn check_quorum(typed: &mut Typed<'_>) {
    let roles = typed.list("process.roles");
    if roles.len() < 2 {
        let why =
            "must be broker,controller: every broker is also a voter, and there are no controllers apart";
        typed.wrong("process.roles", why.to_owned());
    }
    let node_id = typed.limit::<i32>("node.id");
    let voters = typed.list("controller.quorum.voters");
    for voter in &voters {
        let id = voter.split_once('@').filter(|(_, address)| split_host_port(address).is_ok());
        match id.and_then(|(id, _)| id.parse::<i32>().ok()) {
            None => {
                let message = format!("{voter:?} must be ID@HOST:PORT, such as 1@localhost:9093");
                typed.wrong("controller.quorum.voters", message);
            }
            id if voters.len() == 1 && id != node_id => {
                typed.wrong("controller.quorum.voters", "names another broker than this node.id".to_owned());
            }
            Some(_) => {}
        }
    }
    for key in ["controller.quorum.voters", "controller.quorum.bootstrap.servers"] {
        if typed.list(key).len() > 1 {
            typed.wrong(
                key,
                "clusters of several brokers come with replication, in a later version".to_owned(),
            );
        }
    }
}

pub(super) fn cluster_id(typed: &mut Typed<'_>) -> Option<Uuid> {
    let text = typed.text("cluster.id")?;
    let id = Uuid::parse(text).filter(|id| !id.is_zero());
    if id.is_none() {
        let right = "must be 22 characters of URL-safe base64, such as MkU3OEVBNTcwNTJENDM2Qg".to_owned();
        typed.wrong("cluster.id", right);
    }
    id
}

pub(super) fn log_dirs(typed: &mut Typed<'_>) -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = Vec::new();
    for directory in typed.list("log.dirs").into_iter().map(PathBuf::from) {
        if directories.contains(&directory) {
            typed.wrong("log.dirs", format!("names {} twice", directory.display()));
        } else {
            directories.push(directory);
        }
    }
    directories
}

/// Directories of `log.dirs` that take no new replicas (KIP-1066).
pub(super) fn cordoned_log_dirs(typed: &mut Typed<'_>) -> Vec<PathBuf> {
    let cordoned = typed.list("cordoned.log.dirs");
    let directories: Vec<PathBuf> = typed.list("log.dirs").into_iter().map(PathBuf::from).collect();
    if cordoned == ["*"] {
        return directories;
    }
    let cordoned: Vec<PathBuf> = cordoned.into_iter().map(PathBuf::from).collect();
    if let Some(stranger) = cordoned.iter().find(|directory| !directories.contains(directory)) {
        let message = format!("names {}, which is not in log.dirs; `*` names all", stranger.display());
        typed.wrong("cordoned.log.dirs", message);
    }
    cordoned
}
