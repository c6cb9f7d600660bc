"""Recording of the bytes that real clients and Apache Kafka exchange, for broker/protocol/tests/golden.rs."""
