//! The series of groups' lag, written as text at once, as those of partitions are.

use std::fmt::Write;

use node::GroupLag;

use super::declared::{GROUP_LAG_RECORDS, GROUP_LAG_SECONDS, Metric};
use super::partitions::escaped;

/// The text of each metric, as all samples of one must stand together.
#[derive(Debug, Default)]
pub(super) struct LagText {
    records: String,
    seconds: String,
    labels: String,
}

impl LagText {
    /// Adds the series of one partition of a group.
    pub(super) fn add(&mut self, lag: &GroupLag<'_>) {
        self.labels.clear();
        // Writing to a String cannot fail.
        let _ = write!(
            self.labels,
            "{{group=\"{}\",topic=\"{}\",partition=\"{}\"}} ",
            escaped(lag.group),
            escaped(lag.topic),
            lag.partition
        );
        let _ = writeln!(self.records, "{}{}{}", GROUP_LAG_RECORDS.name, self.labels, lag.records);
        if let Some(age_ms) = lag.age_ms {
            let (seconds, rest) = (age_ms / 1_000, age_ms % 1_000);
            let _ = writeln!(self.seconds, "{}{}{seconds}.{rest:03}", GROUP_LAG_SECONDS.name, self.labels);
        }
    }

    pub(super) fn write_to(&self, out: &mut String) {
        let texts: [(&str, &Metric); 2] =
            [(&self.records, &GROUP_LAG_RECORDS), (&self.seconds, &GROUP_LAG_SECONDS)];
        for (text, metric) in texts.into_iter().filter(|(text, _)| !text.is_empty()) {
            let _ = writeln!(out, "# HELP {} {}\n# TYPE {} gauge", metric.name, metric.help, metric.name);
            out.push_str(text);
        }
    }
}
