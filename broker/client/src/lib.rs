//! One Kafka connection and typed admin calls over tokio.
