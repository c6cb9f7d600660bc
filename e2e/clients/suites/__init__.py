"""The suites of e2e/parts/clients: each module has `run(report, broker, jvm)`."""
