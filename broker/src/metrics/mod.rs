//! Metrics for Prometheus. [`declared`] names every metric once; [`Source`] is how the broker gives its values,
//! at the moment of a scrape and on the scraper's thread, so that the data path only ever counts.

pub mod counters;
pub mod declared;
mod families;
mod groups;
mod partitions;
mod process;

#[cfg(test)]
mod tests;

pub use families::Families;
pub use partitions::PartitionSample;

/// What has values to scrape.
pub trait Source: Send + Sync {
    /// Adds the values of this moment. It may take short locks and must not wait for a disk.
    fn scrape(&self, families: &mut Families);

    /// Whether clients should come while the process serves: unfenced, and caught up once since the start.
    ///
    /// # Errors
    /// The reason why not.
    fn ready(&self) -> Result<(), String> {
        Ok(())
    }
}

/// The text of one scrape: the source's values and the process' own.
///
/// # Errors
/// When the samples cannot be encoded.
pub fn scrape(source: &dyn Source) -> prometheus::Result<String> {
    let mut families = Families::default();
    families.set(&declared::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
    source.scrape(&mut families);
    process::scrape(&mut families);
    families.into_text()
}
