//! The series of single partitions, written as text at once: a broker has tens of thousands, and building each
//! as a tree of strings first would cost ten times the CPU and memory.

use std::fmt::Write;

use node::config::METRICS_PARTITIONS_MAX;

use super::declared::{
    HIGH_WATERMARK, IS_LEADER, LEADER_EPOCH, LOG_END_OFFSET, LOG_SIZE_BYTES, LOG_START_OFFSET, Metric,
};

/// One partition of which this broker holds a replica.
#[derive(Debug, Clone, Copy)]
pub struct PartitionSample<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// Which of its partitions.
    pub partition: i32,
    /// The first offset held.
    pub log_start_offset: i64,
    /// The offset up to which consumers read, exclusive.
    pub high_watermark: i64,
    /// The offset of the next record.
    pub log_end_offset: i64,
    /// Bytes of its segments.
    pub size_bytes: u64,
    /// Its leader epoch.
    pub leader_epoch: i32,
    /// Whether this broker leads it.
    pub is_leader: bool,
}

const SERIES: usize = 6;

static METRICS: [&Metric; SERIES] =
    [&LOG_START_OFFSET, &HIGH_WATERMARK, &LOG_END_OFFSET, &LOG_SIZE_BYTES, &LEADER_EPOCH, &IS_LEADER];

/// The text of each metric, as all samples of one must stand together.
#[derive(Debug, Default)]
pub(super) struct PartitionText {
    texts: [String; SERIES],
    labels: String,
    listed: usize,
    unlisted: u64,
}

impl PartitionText {
    pub(super) fn add(&mut self, sample: &PartitionSample<'_>) {
        if self.listed >= METRICS_PARTITIONS_MAX {
            self.unlisted += 1;
            return;
        }
        self.listed += 1;
        self.labels.clear();
        // Writing to a String cannot fail.
        let _ = write!(
            self.labels,
            "{{topic=\"{}\",partition=\"{}\"}} ",
            escaped(sample.topic),
            sample.partition
        );
        let values = [
            i128::from(sample.log_start_offset),
            i128::from(sample.high_watermark),
            i128::from(sample.log_end_offset),
            i128::from(sample.size_bytes),
            i128::from(sample.leader_epoch),
            i128::from(sample.is_leader),
        ];
        for ((text, metric), value) in self.texts.iter_mut().zip(METRICS).zip(values) {
            text.push_str(metric.name);
            text.push_str(&self.labels);
            let _ = writeln!(text, "{value}");
        }
    }

    pub(super) fn len(&self) -> usize {
        self.texts.iter().map(String::len).sum()
    }

    pub(super) const fn unlisted(&self) -> u64 {
        self.unlisted
    }

    pub(super) fn write_to(&self, out: &mut String) {
        for (text, metric) in self.texts.iter().zip(METRICS).filter(|(text, _)| !text.is_empty()) {
            let _ = writeln!(out, "# HELP {} {}\n# TYPE {} gauge", metric.name, metric.help, metric.name);
            out.push_str(text);
        }
    }
}

/// A label's value with backslash, quote and line end escaped. Kafka's topic names hold none of them; a name from
/// elsewhere must not break the text.
pub(super) fn escaped(value: &str) -> std::borrow::Cow<'_, str> {
    if value.contains(['\\', '"', '\n']) {
        value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").into()
    } else {
        value.into()
    }
}
