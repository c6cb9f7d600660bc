//! The derive macro that declares a Kafka message.
