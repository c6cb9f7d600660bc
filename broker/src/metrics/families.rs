//! One scrape being gathered: samples grouped by metric, then encoded as Prometheus' text.

use node::GroupLag;
use node::metrics::{BUCKETS_US, HistogramSnapshot};
use prometheus::TextEncoder;
use prometheus::proto::{self, LabelPair, MetricFamily, MetricType};

use super::declared::{Kind, Metric};
use super::groups::LagText;
use super::partitions::{PartitionSample, PartitionText};

/// The samples of one scrape.
#[derive(Debug, Default)]
pub struct Families {
    families: Vec<(&'static Metric, Vec<proto::Metric>)>,
    partitions: PartitionText,
    lag: LagText,
}

impl Families {
    /// Adds one sample of a counter or gauge. The labels stand in the order of the declaration.
    pub fn set(&mut self, metric: &'static Metric, labels: &[&str], value: f64) {
        let mut sample = with_labels(metric, labels);
        match metric.kind {
            Kind::Counter => {
                let mut counter = proto::Counter::default();
                counter.set_value(value);
                sample.set_counter(counter);
            }
            Kind::Gauge => {
                let mut gauge = proto::Gauge::default();
                gauge.set_value(value);
                sample.set_gauge(gauge);
            }
            Kind::Histogram => return debug_assert!(false, "{} is a histogram", metric.name),
        }
        self.push(metric, sample);
    }

    /// Adds one sample of a counter or gauge that is a whole number.
    pub fn count(&mut self, metric: &'static Metric, labels: &[&str], value: u64) {
        #[expect(clippy::cast_precision_loss, reason = "Prometheus' samples are doubles")]
        self.set(metric, labels, value as f64);
    }

    /// Adds a duration in nanoseconds to a metric in seconds.
    pub fn seconds(&mut self, metric: &'static Metric, labels: &[&str], duration_ns: u64) {
        #[expect(clippy::cast_precision_loss, reason = "Prometheus' samples are doubles")]
        self.set(metric, labels, duration_ns as f64 / 1e9);
    }

    /// Adds one histogram of durations, in seconds.
    pub fn histogram(&mut self, metric: &'static Metric, labels: &[&str], durations: &HistogramSnapshot) {
        let mut cumulated = 0;
        let mut buckets = Vec::with_capacity(BUCKETS_US.len());
        for (end_us, count) in BUCKETS_US.iter().zip(&durations.buckets) {
            cumulated += count;
            let mut bucket = proto::Bucket::default();
            bucket.set_cumulative_count(cumulated);
            #[expect(clippy::cast_precision_loss, reason = "the ends are below 2^53")]
            bucket.set_upper_bound(*end_us as f64 / 1e6);
            buckets.push(bucket);
        }
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(durations.count());
        #[expect(clippy::cast_precision_loss, reason = "Prometheus' samples are doubles")]
        histogram.set_sample_sum(durations.sum_ns as f64 / 1e9);
        let mut sample = with_labels(metric, labels);
        sample.set_histogram(histogram);
        self.push(metric, sample);
    }

    /// Adds the series of one partition.
    pub fn partition(&mut self, sample: &PartitionSample<'_>) {
        self.partitions.add(sample);
    }

    /// Adds the series of one partition of a group.
    pub fn group_lag(&mut self, lag: &GroupLag<'_>) {
        self.lag.add(lag);
    }

    fn push(&mut self, metric: &'static Metric, sample: proto::Metric) {
        // Samples of one metric mostly come one after the other.
        match self.families.iter_mut().rev().find(|(other, _)| std::ptr::eq(*other, metric)) {
            Some((_, samples)) => samples.push(sample),
            None => self.families.push((metric, vec![sample])),
        }
    }

    /// The text of the scrape.
    ///
    /// # Errors
    /// When the crate `prometheus` finds a family that it cannot encode, such as one without samples.
    pub fn into_text(mut self) -> prometheus::Result<String> {
        let unlisted = self.partitions.unlisted();
        self.count(&super::declared::UNLISTED_PARTITIONS, &[], unlisted);
        let families: Vec<MetricFamily> = self.families.into_iter().map(family).collect();
        let mut text = String::with_capacity(self.partitions.len() + 64 * 1024);
        TextEncoder::new().encode_utf8(&families, &mut text)?;
        self.partitions.write_to(&mut text);
        self.lag.write_to(&mut text);
        Ok(text)
    }
}

fn with_labels(metric: &'static Metric, values: &[&str]) -> proto::Metric {
    debug_assert_eq!(metric.labels.len(), values.len(), "{} has other labels", metric.name);
    let pair = |(name, value): (&&str, &&str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    proto::Metric::from_label(metric.labels.iter().zip(values).map(pair).collect())
}

fn family((metric, samples): (&'static Metric, Vec<proto::Metric>)) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(metric.name.to_owned());
    family.set_help(metric.help.to_owned());
    family.set_field_type(match metric.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
    });
    family.set_metric(samples);
    family
}
