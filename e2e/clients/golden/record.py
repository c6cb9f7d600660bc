"""Records golden frames: python -m golden.record DIRECTORY, with the environment of e2e/clients/setup.sh.

Runs the Java client and librdkafka through golden/proxy.py against Apache Kafka, once for each step of lowered
versions, and writes for each (client, API, version) one request and its response, without their length, as
CLIENT-API-vVERSION.request.bin and .response.bin."""

import os
import sys
import tempfile

from golden import workload
from golden.proxy import Proxy
from harness import brokers
from harness.jvm import TOOLS, Jvm

# The APIs of which frames are kept, by Kafka's names.
NAMES = {0: "Produce", 1: "Fetch", 2: "ListOffsets", 3: "Metadata", 8: "OffsetCommit", 9: "OffsetFetch",
         10: "FindCoordinator", 11: "JoinGroup", 12: "Heartbeat", 13: "LeaveGroup", 14: "SyncGroup",
         15: "DescribeGroups", 16: "ListGroups", 18: "ApiVersions", 19: "CreateTopics", 20: "DeleteTopics",
         21: "DeleteRecords", 22: "InitProducerId", 23: "OffsetForLeaderEpoch", 32: "DescribeConfigs",
         33: "AlterConfigs", 34: "AlterReplicaLogDirs", 35: "DescribeLogDirs", 37: "CreatePartitions",
         42: "DeleteGroups", 43: "ElectLeaders", 44: "IncrementalAlterConfigs", 45: "AlterPartitionReassignments",
         46: "ListPartitionReassignments", 47: "OffsetDelete", 55: "DescribeQuorum", 57: "UpdateFeatures",
         60: "DescribeCluster", 61: "DescribeProducers", 64: "UnregisterBroker", 69: "ConsumerGroupDescribe",
         71: "GetTelemetrySubscriptions", 72: "PushTelemetry", 74: "ListConfigResources",
         75: "DescribeTopicPartitions"}
STEPS = 19
# A frame says the more the larger it is; above this the smallest one is kept.
SIZE_WANTED = 1500
# Produce 0 to 2 are advertised and refused; the Java client needs Metadata 1 and librdkafka 2.16 ends with a fault
# on Metadata 1.
FLOORS = {"java": {0: 3, 3: 1}, "librdkafka": {0: 3, 3: 2}}


class Recorder:
    """The best pair of frames for each (client, API, version)."""

    def __init__(self):
        self.client = ""
        self.pairs = {}

    def keep(self, key, version, request, response):
        """Keeps a pair when it is better than the one kept before."""
        if key not in NAMES or not self.client:
            return
        place = (self.client, NAMES[key], version)
        kept = self.pairs.get(place)
        if kept is None or value(request, response) > value(*kept):
            self.pairs[place] = (request, response)


def value(request, response):
    """Larger is better up to the size wanted."""
    size = len(request) + len(response)
    return size if size <= SIZE_WANTED else SIZE_WANTED - size


def main():
    """Records everything and writes the files; with APIs' names behind the folder, those of these APIs alone."""
    target, wanted = sys.argv[1], set(sys.argv[2:]) or set(NAMES.values())
    recorder = Recorder()
    with tempfile.TemporaryDirectory(prefix="gregor-golden-") as directory:
        kafka = brokers.Kafka(directory, {"metric.reporters": "TelemetryReceiver"})
        proxy = Proxy(("127.0.0.1", kafka.port), recorder.keep)
        kafka.advertised = proxy.address
        kafka.start()
        jvm = Jvm()
        jvm.run(TOOLS["configs"], "--bootstrap-server", kafka.address, "--alter", "--entity-type", "client-metrics",
                "--entity-name", "all", "--add-config", "interval.ms=100,metrics=org.apache.kafka.producer.connection")
        try:
            for step in range(STEPS):
                proxy.below_highest = step
                for client, work in [("java", workload.java), ("librdkafka", workload.librdkafka)]:
                    recorder.client = client
                    proxy.floors = FLOORS[client]
                    for name, error in work(proxy.address, jvm, step):
                        print(f"step {step}: {client}: {name}: {error}", flush=True)
        finally:
            jvm.close()
            kafka.stop()
    for (client, name, version), pair in sorted(recorder.pairs.items()):
        if name not in wanted:
            continue
        for kind, frame in zip(["request", "response"], pair, strict=True):
            with open(os.path.join(target, f"{client}-{name}-v{version}.{kind}.bin"), "wb") as file:
                file.write(frame)
    seen = {}
    for client, name, version in sorted(recorder.pairs):
        seen.setdefault((name, client), []).append(version)
    for (name, client), versions in sorted(seen.items()):
        print(f"{name:28} {client:12} {versions}")


if __name__ == "__main__":
    main()
