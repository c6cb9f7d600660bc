//! Look-ups by time (ListOffsets): planned from memory, run outside the lock.

use std::io;
use std::sync::Arc;

use protocol::id::{LeaderEpoch, Offset, Timestamp};
use protocol::records::{BatchHeader, Compression, Records};

use super::read::next_position;
use super::{Log, MaxTimestamp, Sealed};
use crate::disk::{File, Wait, read_exact_at, read_file};
use crate::headers::Headers;
use crate::index;
use crate::names::TIME_INDEX;
use crate::segment::Segment;

/// Bytes to which one batch is unpacked in a look-up; what is larger answers with the batch's first offset.
const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;
/// A look-up that may not wait looks into no larger batch, and into none that has to be unpacked: that takes longer than
/// a request may hold up others.
const INLINE_BYTES_MAX: usize = 64 << 10;
/// Larger than any time index: 12 bytes for every 61 of a segment of 2 GiB.
const TIME_INDEX_BYTES_MAX: u64 = 512 << 20;

/// A record found by its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeFound {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// The epoch in which it was appended.
    pub leader_epoch: LeaderEpoch,
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// The first record with at least this time.
    AtLeast(Timestamp),
    /// The first record with the greatest time.
    Greatest(MaxTimestamp),
    /// The same where nobody knows the greatest time, because the log starts inside of the segment.
    GreatestFromStart,
}

/// A look-up that was planned. Holds its segments.
#[derive(Debug, Clone)]
pub struct TimePlan {
    target: Target,
    log_start_offset: Offset,
    before: Offset,
    /// Segments that may hold the record, oldest first, with their sizes and, where memory knows, the offset
    /// (relative) from which to look.
    segments: Vec<(Arc<Segment>, u32, Option<u32>)>,
    /// What may have a greater time than what these segments have.
    later: Option<Box<Self>>,
}

impl Log {
    /// Plans the search for the first record below `before` whose timestamp is at least `timestamp`.
    #[must_use]
    pub fn plan_time(&self, timestamp: Timestamp, before: Offset) -> TimePlan {
        let holds = |maximum: MaxTimestamp| maximum.timestamp >= timestamp;
        let sealed = self.sealed_from_start().filter(|sealed| holds(sealed.max_timestamp));
        let mut segments: Vec<_> =
            sealed.take(2).map(|sealed| (Arc::clone(&sealed.segment), sealed.size, None)).collect();
        if holds(self.active.max_timestamp) {
            let from = self.active.times.lookup(timestamp.0);
            segments.push((Arc::clone(&self.active.segment), self.active.size, from));
        }
        let target = Target::AtLeast(timestamp);
        TimePlan { target, log_start_offset: self.log_start_offset, before, segments, later: None }
    }

    /// The closed segments that hold something from the log's start on.
    fn sealed_from_start(&self) -> impl Iterator<Item = &Sealed> {
        let first = self.segment_at(self.log_start_offset).unwrap_or(self.sealed.len());
        self.sealed.range(first..)
    }

    /// Plans the search for the first record with the log's greatest timestamp (KIP-734), if it is below
    /// `before`.
    #[must_use]
    pub fn plan_max_timestamp(&self, before: Offset) -> TimePlan {
        let start = self.log_start_offset;
        let active = &self.active;
        let sealed = self.sealed_from_start().map(|s| (&s.segment, s.size, s.max_timestamp));
        let mut segments = sealed.chain([(&active.segment, active.size, active.max_timestamp)]).peekable();
        // Of what a segment had its greatest time from, records below the start may be the ones that are gone.
        let partly = segments.next_if(|(segment, ..)| segment.base_offset() < start);
        let greatest = segments
            .filter(|(.., maximum)| maximum.timestamp.0 >= 0)
            .reduce(|best, next| if next.2.timestamp > best.2.timestamp { next } else { best });
        let plan =
            |target, segments, later| TimePlan { target, log_start_offset: start, before, segments, later };
        let relative =
            |segment: &Segment, offset: Offset| u32::try_from(offset.0 - segment.base_offset().0).ok();
        let known = greatest.map(|(segment, size, maximum)| {
            let from = relative(segment, maximum.offset);
            plan(Target::Greatest(maximum), vec![(Arc::clone(segment), size, from)], None)
        });
        let beaten = |maximum: MaxTimestamp| greatest.is_some_and(|(.., g)| g.timestamp > maximum.timestamp);
        match (partly, known) {
            (Some((segment, size, maximum)), known) if !beaten(maximum) => {
                let from = relative(segment, start);
                let segments = vec![(Arc::clone(segment), size, from)];
                plan(Target::GreatestFromStart, segments, known.map(Box::new))
            }
            (_, Some(known)) => known,
            (_, None) => plan(Target::Greatest(MaxTimestamp::NONE), Vec::new(), None),
        }
    }
}

impl TimePlan {
    /// Finds the record; `None` when there is none. With [`Wait::Never`] `WouldBlock` asks to be run with
    /// [`Wait::Long`] on a job thread.
    ///
    /// # Errors
    /// As [`super::ReadPlan::run`].
    pub fn run(&self, wait: Wait) -> io::Result<Option<TimeFound>> {
        let mut found = self.find(wait)?;
        if let Some(later) = &self.later {
            let later = later.find(wait)?;
            if found.is_none_or(|found| later.is_some_and(|later| later.timestamp > found.timestamp)) {
                found = later;
            }
        }
        Ok(found.filter(|found| found.offset < self.before))
    }

    fn find(&self, wait: Wait) -> io::Result<Option<TimeFound>> {
        for (segment, size, from) in &self.segments {
            let file = match segment.opened() {
                Some(file) => file,
                None if wait == Wait::Never => return Err(io::ErrorKind::WouldBlock.into()),
                None => segment.open()?,
            };
            let from = match (from, self.target) {
                (Some(from), _) => *from,
                (None, Target::AtLeast(timestamp)) => self.start_by_time(segment, timestamp, wait)?,
                (None, Target::Greatest(_) | Target::GreatestFromStart) => 0,
            };
            let found = match self.target {
                Target::GreatestFromStart => self.search_greatest(segment, &*file, *size, from, wait)?,
                _ => self.search(segment, &*file, *size, from, wait)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The offset (relative) from which a record with the time must be looked for.
    fn start_by_time(&self, segment: &Segment, timestamp: Timestamp, wait: Wait) -> io::Result<u32> {
        if wait == Wait::Never {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let bytes = match read_file(segment.disk(), &segment.path(TIME_INDEX), TIME_INDEX_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let entries = index::parse_times(&bytes);
        let after = entries.partition_point(|entry| entry.timestamp < timestamp.0);
        Ok(after.checked_sub(1).and_then(|i| entries.get(i)).map_or(0, |entry| entry.last))
    }

    fn search(
        &self,
        segment: &Arc<Segment>,
        file: &dyn File,
        size: u32,
        from: u32,
        wait: Wait,
    ) -> io::Result<Option<TimeFound>> {
        // The offset index may end below `from`; the headers lead on from its last entry.
        let mut position = match from {
            0 => 0,
            from => segment.index(size, wait)?.lookup(from),
        };
        let mut headers = Headers::new(file, size, wait);
        while position < size {
            // The next record behind damage stands for what is lost in it.
            if let Some((_, end)) = segment.proof().damage_from(position).filter(|from| from.0 <= position) {
                position = end;
                continue;
            }
            let header = headers.at(position)?;
            if header.last_offset() >= self.log_start_offset && self.may_hold(&header) {
                let found = self.search_batch(file, position, &header, wait)?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            position = next_position(position, &header, size)?;
        }
        Ok(None)
    }

    /// Looks at all headers from the log's start on, and into two batches: the one that the start is in, and the first
    /// of those behind it that has the greatest time.
    fn search_greatest(
        &self,
        segment: &Arc<Segment>,
        file: &dyn File,
        size: u32,
        from: u32,
        wait: Wait,
    ) -> io::Result<Option<TimeFound>> {
        let start = self.log_start_offset;
        let mut position = match from {
            0 => 0,
            from => segment.index(size, wait)?.lookup(from),
        };
        let mut headers = Headers::new(file, size, wait);
        let (mut found, mut best) = (None, None::<(u32, BatchHeader)>);
        while position < size {
            if let Some((_, end)) = segment.proof().damage_from(position).filter(|from| from.0 <= position) {
                position = end;
                continue;
            }
            let header = headers.at(position)?;
            if header.last_offset() >= start && header.base_offset < start {
                found = self.greatest_in(file, position, &header, wait)?;
            } else if header.last_offset() >= start
                && best.as_ref().is_none_or(|(_, best)| header.max_timestamp > best.max_timestamp)
            {
                best = Some((position, header));
            }
            position = next_position(position, &header, size)?;
        }
        match best {
            Some((position, header))
                if found.is_none_or(|found: TimeFound| header.max_timestamp > found.timestamp) =>
            {
                self.greatest_in(file, position, &header, wait)
            }
            _ => Ok(found),
        }
    }

    /// The first record of the greatest time in a batch, of those from the log's start on.
    fn greatest_in(
        &self,
        file: &dyn File,
        position: u32,
        header: &BatchHeader,
        wait: Wait,
    ) -> io::Result<Option<TimeFound>> {
        let batch = read_batch(file, position, header, wait)?;
        let leader_epoch = header.partition_leader_epoch;
        let whole = TimeFound {
            offset: header.base_offset.max(self.log_start_offset),
            timestamp: header.max_timestamp,
            leader_epoch,
        };
        let mut buffer = Vec::new();
        let Ok(records) = Records::new(&batch, &mut buffer, DECOMPRESSED_BYTES_MAX) else {
            return Ok(Some(whole));
        };
        let mut greatest: Option<TimeFound> = None;
        for record in records {
            let Ok(record) = record else { return Ok(Some(whole)) };
            let (offset, timestamp) = (record.offset, record.timestamp);
            let is_greater = greatest.is_none_or(|greatest| timestamp > greatest.timestamp);
            if offset >= self.log_start_offset && timestamp.0 >= 0 && is_greater {
                greatest = Some(TimeFound { offset, timestamp, leader_epoch });
            }
        }
        Ok(greatest)
    }

    fn may_hold(&self, header: &BatchHeader) -> bool {
        match self.target {
            Target::AtLeast(timestamp) => header.max_timestamp >= timestamp,
            Target::Greatest(maximum) => header.last_offset() == maximum.offset,
            Target::GreatestFromStart => true,
        }
    }

    /// The record in a batch. What its codec refuses was never checked by this broker, and is answered with the
    /// batch's first offset and greatest timestamp.
    fn search_batch(
        &self,
        file: &dyn File,
        position: u32,
        header: &BatchHeader,
        wait: Wait,
    ) -> io::Result<Option<TimeFound>> {
        let batch = read_batch(file, position, header, wait)?;
        let leader_epoch = header.partition_leader_epoch;
        let at_least = match self.target {
            Target::AtLeast(timestamp) => timestamp,
            Target::Greatest(maximum) => maximum.timestamp,
            Target::GreatestFromStart => header.max_timestamp,
        };
        let whole = TimeFound {
            offset: header.base_offset.max(self.log_start_offset),
            timestamp: header.max_timestamp,
            leader_epoch,
        };
        let mut buffer = Vec::new();
        let Ok(records) = Records::new(&batch, &mut buffer, DECOMPRESSED_BYTES_MAX) else {
            return Ok(Some(whole));
        };
        for record in records {
            let Ok(record) = record else { return Ok(Some(whole)) };
            if record.timestamp >= at_least && record.offset >= self.log_start_offset {
                return Ok(Some(TimeFound {
                    offset: record.offset,
                    timestamp: record.timestamp,
                    leader_epoch,
                }));
            }
        }
        Ok(match self.target {
            Target::AtLeast(_) | Target::GreatestFromStart => None,
            // The batch claims a time that none of its records has, which was not checked when it came.
            Target::Greatest(_) => Some(whole),
        })
    }
}

/// The batch at a position, when looking into it takes no longer than its reader may wait.
fn read_batch(file: &dyn File, position: u32, header: &BatchHeader, wait: Wait) -> io::Result<Vec<u8>> {
    let is_short = header.size_in_bytes() <= INLINE_BYTES_MAX
        && matches!(header.attributes.compression(), Ok(Compression::None));
    if wait == Wait::Never && !is_short {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let mut batch = vec![0; header.size_in_bytes()];
    read_exact_at(file, &mut batch, u64::from(position), wait)?;
    Ok(batch)
}
