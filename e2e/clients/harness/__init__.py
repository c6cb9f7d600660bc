"""What every suite of real clients shares: servers under test, a JVM for Kafka's tools, records, the report."""
