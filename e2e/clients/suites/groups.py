"""Groups whose members are different clients: shared partitions, static and cooperative members, commits.

Records are written while members come and go. Every member commits what it told of before it gives a partition
away, so over all members each record is told of one time, in order in each partition."""

import time

from harness import records
from harness.programs import CLIENTS, Programs, assigned
from harness.report import Failure, Skipped, check, equal, until
from harness.topics import admin, create

STATIC = ["java", "librdkafka", "aiokafka", "franz-go"]
COOPERATIVE = ["java", "librdkafka", "franz-go"]


def run(report, broker, jvm):
    """Each scenario has a topic and a group of the topic's name."""
    with Programs() as programs:
        suite = Groups(broker, jvm, programs)
        for leader in CLIENTS:
            report.scenario(f"groups: five clients share by range, {leader} leads", suite.mixed, leader, "range",
                            long=leader not in ["java", "kafkajs"])
        for leader in ["kafkajs", "aiokafka"]:
            report.scenario(f"groups: five clients share by roundrobin, {leader} leads", suite.mixed, leader,
                            "roundrobin", long=leader == "kafkajs")
        for leader in COOPERATIVE:
            report.scenario(f"groups: cooperative members keep what they need not give, {leader} leads",
                            suite.cooperative, leader, long=leader != "java")
        for client in CLIENTS:
            report.scenario(f"groups: {client} commits inside a batch, all resume exactly there", suite.resumed, client)
        for client in STATIC:
            report.scenario(f"groups: a static {client} comes back without a rebalance", suite.static, client, "java")
        for client in STATIC:
            report.scenario(f"groups: a static {client} that leads comes back without a rebalance",
                            suite.static_leader, client)
        report.scenario("groups: a static member is fenced by the next of its name", suite.fenced)
        report.scenario("groups: a static member that stays away loses its partitions", suite.away, long=True)
        for client in ["librdkafka", "franz-go"]:
            report.scenario(f"groups: a killed {client} loses its partitions with its session", suite.killed, client,
                            long=client == "franz-go")
        report.scenario("groups: a member without a common assignor is refused", suite.inconsistent)
        report.scenario("groups: a topic that grows is shared anew", suite.grown)
        report.scenario("groups: two groups have every record each", suite.two)
        report.scenario("groups: members go on over a restart of the broker", suite.restarted)


class Groups:
    """The scenarios."""

    def __init__(self, broker, jvm, programs):
        self.broker = broker
        self.jvm = jvm
        self.programs = programs
        self.written = {}

    def create(self, topic, partitions):
        """Makes a topic that can be used at once."""
        create(self.broker, self.jvm, topic, partitions)
        self.written[topic] = [0] * partitions

    def write(self, topic, each=20, codec="lz4"):
        """Writes so many records more into each partition."""
        ends = self.written[topic]
        sent = [records.Record(number, records.BASE_TIMESTAMP + end + at, None, b"%d" % (end + at))
                for number, end in enumerate(ends) for at in range(each)]
        self.programs.of("librdkafka").write(self.broker.address, topic, codec, sent)
        self.written[topic] = [end + each for end in ends]

    def join(self, client, topic, group=None, **options):
        """Starts a member."""
        return self.programs.of(client).join(self.broker.address, group or topic, topic, **options)

    def told(self, topic, members):
        """Waits until the members told of every record, and demands each one time."""
        wanted = [(number, offset) for number, end in enumerate(self.written[topic]) for offset in range(end)]

        def have():
            return [place for member in members for place in member.records]
        try:
            until(lambda: set(have()) >= set(wanted), "every record is told of", 30)
        except Failure:
            missing = sorted(set(wanted) - set(have()))
            errors = {member.name: member.errors[-2:] for member in members if member.errors}
            raise Failure(f"never told of {missing[:10]} ({len(missing)} records), errors {errors}") from None
        seen = have()
        twice = {place for place in seen if seen.count(place) > 1} if len(seen) != len(set(seen)) else set()
        told = {member.name: (sorted(twice & set(member.records))[:5], member.assignments[-3:]) for member in members}
        check(not twice, f"{len(twice)} records were told of more than once: records, last assignments: {told}")
        for member in members:
            for number in range(len(self.written[topic])):
                offsets = [offset for partition, offset in member.records if partition == number]
                equal(offsets, sorted(offsets), f"{member.name}: order in partition {number}")

    def committed(self, topic, client, group=None):
        """Partition to offset, as one of the clients sees it."""
        found = self.programs.of(client).committed(self.broker.address, group or topic, topic)
        return {number: offset for number, (offset, _) in found.items()}

    def mixed(self, leader, assignor):
        topic = f"groups-{assignor}-{leader}"
        self.create(topic, 10)
        start = CLIENTS.index(leader)
        members = []
        for client in CLIENTS[start:] + CLIENTS[:start]:
            self.write(topic)
            members.append(self.join(client, topic, assignor=assignor))
            assigned(members, 10, f"{len(members)} members share 10 partitions")
        equal(sorted(len(member.owned) for member in members), [2] * 5, "partitions of each")
        self.write(topic)
        self.told(topic, members)
        for gone in range(1, 5):
            self.write(topic)
            members[gone - 1].leave()
            assigned(members[gone:], 10, f"{5 - gone} members share 10 partitions")
        self.write(topic)
        self.told(topic, members)
        members[-1].leave()
        ends = dict(enumerate(self.written[topic]))
        for client in CLIENTS:
            equal(self.committed(topic, client), ends, f"committed, as {client} sees it")

    def cooperative(self, leader):
        topic = f"groups-cooperative-{leader}"
        self.create(topic, 12)
        start = COOPERATIVE.index(leader)
        members = []
        for client in COOPERATIVE[start:] + COOPERATIVE[:start]:
            self.write(topic)
            before = {member.name: set(member.owned) for member in members}
            given = {member.name: len(member.revoked) for member in members}
            members.append(self.join(client, topic, assignor="cooperative-sticky"))
            assigned(members, 12, f"{len(members)} members share 12 partitions")
            for member in members[:-1]:
                gone = [number for numbers in member.revoked[given[member.name]:] for number in numbers]
                equal(sorted(gone), sorted(before[member.name] - member.owned), f"{member.name} gave away")
                check(member.owned <= before[member.name], f"{member.name} got {member.owned - before[member.name]}")
        equal(sorted(len(member.owned) for member in members), [4, 4, 4], "partitions of each")
        self.write(topic)
        kept = set(members[1].owned)
        members[0].leave()
        assigned(members[1:], 12, "2 members share 12 partitions")
        check(kept <= members[1].owned, f"{members[1].name} had {kept}, has {members[1].owned}")
        self.write(topic)
        self.told(topic, members)
        for member in members[1:]:
            member.leave()
        equal(self.committed(topic, "java"), dict(enumerate(self.written[topic])), "committed")

    def resumed(self, client):
        topic = f"groups-resumed-{client}"
        self.create(topic, 1)
        self.write(topic, 100, "gzip")
        member = self.join(client, topic, commits=False)
        until(lambda: len(member.records) == 100, "all records came")
        member.commit({0: (37, f"by {client}")})
        member.leave()
        for reader in CLIENTS:
            found = self.programs.of(reader).committed(self.broker.address, topic, topic)
            metadata = None if reader == "librdkafka" else f"by {client}"
            equal(found, {0: (37, metadata)}, f"committed, as {reader} sees it")
            member = self.join(reader, topic, commits=False)
            until(lambda member=member: len(member.records) >= 63, f"{reader} reads on")
            equal(member.records, [(0, offset) for offset in range(37, 100)], f"what {reader} reads")
            member.leave()

    def static(self, client, other):
        topic = f"groups-static-{client}"
        self.create(topic, 4)
        self.write(topic)
        observer = self.join(other, topic)
        assigned([observer], 4, "the observer has all")
        first = self.join(client, topic, instance="one")
        assigned([observer, first], 4, "both have their partitions")
        self.told(topic, [observer, first])
        self.come_back(topic, client, first, observer)

    def static_leader(self, client):
        topic = f"groups-leader-{client}"
        self.create(topic, 4)
        self.write(topic)
        first = self.join(client, topic, instance="one")
        assigned([first], 4, "the static member has all")
        observer = self.join("java", topic)
        assigned([observer, first], 4, "both have their partitions")
        self.told(topic, [observer, first])
        self.come_back(topic, client, first, observer)

    def come_back(self, topic, client, first, observer):
        """A static member goes away and comes back while another member watches."""
        before, generation = set(first.owned), observer.generation
        rounds = len(observer.assignments), len(observer.revoked)
        first.leave()
        self.write(topic)
        again = self.join(client, topic, instance="one")
        until(lambda: again.owned == before, f"it has {sorted(before)} again")
        self.write(topic)
        self.told(topic, [observer, first, again])
        equal((observer.generation, len(observer.assignments), len(observer.revoked)), (generation, *rounds),
              "the other's generation, and how often it was given partitions and gave them away")
        if again.generation is not None:
            equal(again.generation, generation, "generation of the member that came back")
        # It goes on from what it had committed, and what the observer has was its alone.
        check(not set(again.records) & set(observer.records), "both told of a record")
        observer.leave()
        again.leave()

    def fenced(self):
        topic = "groups-fenced"
        self.create(topic, 2)
        first = self.join("java", topic, instance="one")
        assigned([first], 2, "the first has all")
        second = self.join("franz-go", topic, instance="one")
        until(lambda: second.owned == {0, 1}, "the second has all")
        until(lambda: any("enced" in text for text in first.errors), "the first hears of it")
        self.write(topic)
        self.told(topic, [second])
        second.leave()

    def away(self):
        topic = "groups-away"
        self.create(topic, 4)
        first, second = self.join("java", topic, instance="one"), self.join("librdkafka", topic, instance="two")
        assigned([first, second], 4, "both have their partitions")
        left = time.monotonic()
        second.leave()
        self.write(topic)
        until(lambda: len(first.owned) == 4, "the other has all", 20)
        check(time.monotonic() - left > 4, "it lost its partitions before its session of 6 s ended")
        self.told(topic, [first, second])
        first.leave()

    def killed(self, client):
        topic = f"groups-killed-{client}"
        self.create(topic, 4)
        self.write(topic)
        first = self.join("java", topic)
        program = self.programs.another(client)
        second = program.join(self.broker.address, topic, topic)
        assigned([first, second], 4, "both have their partitions")
        program.kill()
        died = time.monotonic()
        until(lambda: len(first.owned) == 4, "the other has all", 20)
        check(4 < time.monotonic() - died < 12, f"after {time.monotonic() - died:.1f} s, with a session of 6 s")
        self.write(topic)
        wanted = {(number, offset) for number, end in enumerate(self.written[topic]) for offset in range(end)}
        until(lambda: set(first.records) | set(second.records) == wanted, "every record is told of")
        first.leave()

    def inconsistent(self):
        topic = "groups-inconsistent"
        self.create(topic, 2)
        first = self.join("java", topic, assignor="range")
        assigned([first], 2, "the first has all")
        second = self.join("librdkafka", topic, assignor="roundrobin")
        until(lambda: any("nconsistent" in text or "protocol" in text.lower() for text in second.errors),
              "the second hears of it")
        equal((sorted(first.owned), second.assignments), ([0, 1], []), "partitions")
        second.leave()
        first.leave()

    def grown(self):
        topic = "groups-grown"
        self.create(topic, 2)
        members = [self.join("java", topic), self.join("franz-go", topic)]
        assigned(members, 2, "each has a partition")
        self.write(topic)
        equal(admin(self.broker, self.jvm, "partitions", topic, 6), ["done"], "partitions")
        self.written[topic] += [0] * 4
        assigned(members, 6, "they share six partitions")
        self.write(topic)
        self.told(topic, members)
        for member in members:
            member.leave()

    def two(self):
        topic = "groups-two"
        self.create(topic, 4)
        sets = {group: [self.join(client, topic, group=group) for client in clients]
                for group, clients in [("groups-two-a", ["java", "kafkajs"]),
                                       ("groups-two-b", ["aiokafka", "librdkafka"])]}
        for group, members in sets.items():
            assigned(members, 4, f"{group} shares 4 partitions")
        self.write(topic, 50)
        for group, members in sets.items():
            self.told(topic, members)
            for member in members:
                member.leave()
            ends = dict(enumerate(self.written[topic]))
            equal(self.committed(topic, "franz-go", group), ends, f"committed by {group}")

    def restarted(self):
        # Not franz-go, which gives its partitions up when heartbeats fail.
        if self.broker.name == "running":
            raise Skipped("a broker that somebody else started is not restarted")
        topic = "groups-restarted"
        self.create(topic, 4)
        members = [self.join(client, topic, session_ms=30_000) for client in ["java", "librdkafka"]]
        assigned(members, 4, "they share 4 partitions")
        self.write(topic)
        self.told(topic, members)
        before = [sorted(member.owned) for member in members], members[0].generation
        self.broker.stop()
        self.broker.start()
        self.write(topic)
        self.told(topic, members)
        after = [sorted(member.owned) for member in members], members[0].generation
        # Apache Kafka takes so long to end and to start that a client joins anew.
        if self.broker.name == "gregor":
            equal(after, before, "partitions and generation over the restart")
        for member in members:
            member.leave()
        equal(self.committed(topic, "java"), dict(enumerate(self.written[topic])), "committed")
