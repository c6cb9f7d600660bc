//! Room on the disk, measured off the data path: below `log.dir.free.bytes.min` appends are refused with an error that
//! clients retry, while reads and deletion go on, until there is more room again (D9).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use protocol::ErrorCode;
use storage::disk::Space;
use storage::{Directory, DirectoryState};

use crate::config::Config;
use crate::effects::{Effects, Job, Ticket, TicketKind};
use crate::node::Node;

/// A look at the room that a log directory has.
#[derive(Debug)]
pub struct SpaceCheck {
    directory: Arc<Directory>,
    free_bytes_min: u64,
    reserved_bytes: u64,
    /// A failure of the disk.
    error: Option<storage::Error>,
    /// What was found; `None` where it cannot be asked.
    space: Option<Space>,
}

/// What was seen last of a log directory's room.
#[derive(Debug)]
pub(crate) struct SpaceWatch {
    /// `u64::MAX` where it is not known.
    free_bytes: AtomicU64,
    /// As `free_bytes`.
    total_bytes: AtomicU64,
    /// A job measures.
    measuring: AtomicBool,
    /// That appends are refused was told.
    told: AtomicBool,
    /// Something found no room: maybe a log that was to be made or opened.
    left_out: AtomicBool,
}

impl SpaceCheck {
    pub(crate) fn new(directory: &Arc<Directory>, config: &Config) -> Self {
        Self {
            directory: Arc::clone(directory),
            free_bytes_min: config.log_dir_free_bytes_min,
            reserved_bytes: config.log_dir_reserved_bytes,
            error: None,
            space: None,
        }
    }

    /// Measures, and opens or closes the directory for appends. What cannot be measured stays as it is: a write that
    /// does not fit says so itself.
    pub(crate) fn run(mut self) -> Self {
        self.space = self.directory.files().disk().space(self.directory.path()).ok();
        let floor = self.directory.floor(self.free_bytes_min, self.reserved_bytes);
        if let (Ok(_), Some(space)) = (self.directory.measure_space(floor), &self.space) {
            // Where there is no room for it either, the next look is soon enough.
            let kept = self.directory.keep_reserve(self.reserved_bytes, space.free_bytes);
            self.error = kept.err().filter(storage::Error::is_fatal);
        }
        self
    }
}

impl Default for SpaceWatch {
    fn default() -> Self {
        let no = || AtomicBool::new(false);
        let unknown = || AtomicU64::new(u64::MAX);
        Self { free_bytes: unknown(), total_bytes: unknown(), measuring: no(), told: no(), left_out: no() }
    }
}

impl SpaceWatch {
    /// Free bytes of the directory's file system when it was last measured.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        Some(self.free_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes != u64::MAX)
    }

    /// Bytes of the directory's file system when it was last measured.
    pub(crate) fn total_bytes(&self) -> Option<u64> {
        Some(self.total_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes != u64::MAX)
    }

    /// Something found no room.
    pub(crate) fn note_left_out(&self) {
        self.left_out.store(true, Ordering::Release);
    }

    /// Whether something found no room since this was last asked.
    pub(crate) fn take_left_out(&self) -> bool {
        self.left_out.swap(false, Ordering::AcqRel)
    }
}

impl Node {
    /// Has the room measured, unless that is being done.
    pub(crate) fn measure_space(&self, effects: &mut Effects) {
        if !self.space().measuring.swap(true, Ordering::AcqRel) {
            let check = SpaceCheck::new(self.directory(), &self.config());
            effects.jobs.push((Ticket(TicketKind::Nobody), Job::MeasureSpace(check)));
        }
    }

    /// The room was measured. When appends begin or cease to be refused, that is told.
    pub(crate) fn space_measured(&self, check: &SpaceCheck, effects: &mut Effects) {
        let watch = self.space();
        let known = |of: fn(&Space) -> u64| check.space.as_ref().map_or(u64::MAX, of);
        watch.free_bytes.store(known(|space| space.free_bytes), Ordering::Relaxed);
        watch.total_bytes.store(known(|space| space.total_bytes), Ordering::Relaxed);
        watch.measuring.store(false, Ordering::Release);
        if let Some(error) = &check.error {
            self.directory_failed(error, effects);
        }
        let full = check.directory.state() == DirectoryState::Full;
        if watch.told.swap(full, Ordering::AcqRel) == full {
            return;
        }
        let (path, min) = (check.directory.path().display(), check.free_bytes_min);
        let free = check.space.as_ref().map_or(0, |space| space.free_bytes);
        effects.notices.push(if full {
            format!(
                "log directory {path}: {free} bytes are free, and log.dir.free.bytes.min is {min}; appends are \
                 refused until there is more room"
            )
        } else {
            format!("log directory {path}: {free} bytes are free, appends are taken again")
        });
    }

    /// Whether appends are taken.
    ///
    /// # Errors
    /// `KAFKA_STORAGE_ERROR`, on which clients try again, while there is too little room.
    pub(crate) fn check_space(&self) -> Result<(), ErrorCode> {
        match self.directory().state() {
            DirectoryState::Full => Err(ErrorCode::KafkaStorageError),
            // The logs of a directory that is offline answer for themselves.
            DirectoryState::Online | DirectoryState::Offline => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::message::DeleteTopicsRequest;
    use protocol::message::delete_topics::DeleteTopicState;
    use storage::disk::{Disk, VirtualDisk};

    use super::*;
    use crate::testing::{Bench, DIRECTORY};

    const MIN: u64 = 1_000_000;

    fn produced(bench: &mut Bench, topic: &str) -> ErrorCode {
        bench.produce_one((topic, 0), |_| true).unwrap().error_code
    }

    #[test]
    fn appends_are_refused_while_there_is_too_little_room_and_all_else_goes_on() {
        let disk = VirtualDisk::new();
        let min = MIN.to_string();
        let mut bench = Bench::open(&disk, &[("log.dir.free.bytes.min", &min)]).unwrap();
        bench.come_up();
        for topic in ["kept", "dropped"] {
            assert_eq!(bench.create(topic).topics[0].error_code, ErrorCode::None);
        }
        assert_eq!(produced(&mut bench, "kept"), ErrorCode::None);
        let path = std::path::Path::new(DIRECTORY);
        let capacity = disk.space(path).unwrap();
        let used = capacity.total_bytes - capacity.free_bytes;
        disk.set_capacity(Some(used + MIN - 1));
        assert_eq!(produced(&mut bench, "kept"), ErrorCode::None, "nobody looked yet");
        bench.advance(Duration::from_secs(2));
        assert_eq!(produced(&mut bench, "kept"), ErrorCode::KafkaStorageError);
        assert_eq!(produced(&mut bench, "unknown"), ErrorCode::UnknownTopicOrPartition);
        assert!(bench.notices.last().unwrap().contains("appends are refused until"), "{:?}", bench.notices);
        assert_eq!(bench.notices.len(), 1, "it is told once: {:?}", bench.notices);
        assert!(bench.node.view().directory.is_full);
        let name = DeleteTopicState { name: Some("dropped".to_owned()), ..DeleteTopicState::default() };
        let delete =
            DeleteTopicsRequest { topics: vec![name], timeout_ms: 1_000, ..DeleteTopicsRequest::default() };
        assert_eq!(bench.call(&delete, 6).responses[0].error_code, ErrorCode::None);
        disk.set_capacity(Some(used + 2 * MIN));
        bench.advance(Duration::from_secs(2));
        assert_eq!(produced(&mut bench, "kept"), ErrorCode::None);
        assert!(bench.notices.last().unwrap().contains("appends are taken again"), "{:?}", bench.notices);
        let view = bench.node.view();
        assert!(!view.directory.is_full && view.directory.free_bytes.unwrap() > MIN);
    }

    #[test]
    fn a_broker_that_starts_on_a_full_disk_refuses_from_its_first_append_on() {
        let disk = VirtualDisk::new();
        drop({
            let mut bench = Bench::ready(&disk);
            bench.create("t");
            bench
        });
        disk.kill();
        let min = u64::MAX / 4;
        let mut bench = Bench::open(&disk, &[("log.dir.free.bytes.min", &min.to_string())]).unwrap();
        bench.held = |job| matches!(job, Job::MeasureSpace(_));
        bench.come_up();
        assert_eq!(bench.produce_one(("t", 0), |_| true).unwrap().error_code, ErrorCode::KafkaStorageError);
    }

    #[test]
    fn without_a_free_byte_topics_are_still_made_and_deleted() {
        let disk = VirtualDisk::new();
        let mut bench = Bench::ready(&disk);
        bench.create("dropped");
        assert_eq!(produced(&mut bench, "dropped"), ErrorCode::None);
        disk.set_capacity(Some(disk.used()));
        assert_eq!(produced(&mut bench, "dropped"), ErrorCode::KafkaStorageError);
        bench.advance(Duration::from_secs(2));
        assert_eq!(bench.create("made").topics[0].error_code, ErrorCode::None);
        let name = DeleteTopicState { name: Some("dropped".to_owned()), ..DeleteTopicState::default() };
        let delete =
            DeleteTopicsRequest { topics: vec![name], timeout_ms: 1_000, ..DeleteTopicsRequest::default() };
        assert_eq!(bench.call(&delete, 6).responses[0].error_code, ErrorCode::None);
        bench.advance(Duration::from_secs(2));
        assert_eq!(
            produced(&mut bench, "made"),
            ErrorCode::KafkaStorageError,
            "what is left is not for appends"
        );
    }
}
