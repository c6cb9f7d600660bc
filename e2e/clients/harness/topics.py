"""Topics through the Java admin client (java/Topics.java)."""

from harness.report import equal, until


def admin(broker, jvm, *words):
    """Runs commands of java/Topics.java, separated by "--", and returns a line for each."""
    return jvm.run("Topics", broker.address, *words).lines


def create(broker, jvm, topic, partitions=1, **configs):
    """Makes a topic that can be used at once. The answer of ours promises it; Kafka's comes earlier."""
    pairs = [f"{name.replace('_', '.')}={value}" for name, value in configs.items()]
    equal(admin(broker, jvm, "create", topic, partitions, *pairs), [f"partitions {partitions}"], f"create {topic}")
    if broker.name == "kafka":
        served(broker, jvm, topic, partitions)


def served(broker, jvm, topic, partitions=1):
    """Waits until every partition is served, as after a start, when recovery takes its time."""
    asked = [word for number in range(partitions) for word in ("offset", topic, number, "latest", "--")][:-1]
    until(lambda: not any("error" in line for line in admin(broker, jvm, *asked)), f"{topic} is served", 60)
