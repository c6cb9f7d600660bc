"""Kafka's tools for groups: the console consumer as a member, and everything that consumer-groups does."""

import datetime
import os
import tempfile
import time

from harness import records
from harness.programs import Programs, assigned
from harness.report import check, equal, until
from harness.topics import create

COUNT = 60


def run(report, broker, jvm):
    """Each scenario has a group and a topic of its own."""
    with Programs() as programs, tempfile.TemporaryDirectory() as folder:
        suite = GroupTools(broker, jvm, programs, folder)
        for name, action in [
            ("console-consumer: a group goes on exactly where it stopped, in the middle of a batch", suite.console),
            ("console-consumer: two groups have every record each", suite.console_groups),
            ("console-consumer: --include and --group", suite.console_pattern),
            ("list: groups, by state and by type", suite.listed),
            ("groups: every group with type and protocol", suite.groups),
            ("describe: offsets, lag and owner of an active group", suite.described),
            ("describe: members with their partitions, static ones with their name", suite.members),
            ("describe: state, coordinator and assignor", suite.state),
            ("describe: a group that is not there", suite.absent),
            ("reset-offsets: to an offset, the first, the last", suite.reset_to),
            ("reset-offsets: shifted, and never outside of the log", suite.reset_shift),
            ("reset-offsets: to a time, and by a duration", suite.reset_time),
            ("reset-offsets: to current, some partitions, all topics", suite.reset_current),
            ("reset-offsets: out to a file and in again, for one group and for all", suite.reset_file),
            ("reset-offsets: a dry run changes nothing", suite.reset_dry),
            ("reset-offsets: refused while the group is active", suite.reset_active),
            ("reset-offsets: makes a group that nobody was a member of", suite.reset_new),
            ("delete-offsets: of one partition, of a topic, not while it is read", suite.delete_offsets),
            ("delete: an empty group, not an active one", suite.delete),
        ]:
            report.scenario(f"group tools: {name}", action)


def table(lines, first="GROUP"):
    """The rows under a heading as dictionaries; the heading repeats for each group."""
    rows, heading = [], []
    for line in lines:
        words = line.split()
        if words and words[0] == first:
            heading = line.replace("COORDINATOR (ID)", "COORDINATOR ID").split()
        elif heading and words:
            rows.append(dict(zip(heading, words)))
    return rows


class GroupTools:
    """The scenarios."""

    def __init__(self, broker, jvm, programs, folder):
        self.broker = broker
        self.address = broker.address
        self.jvm = jvm
        self.programs = programs
        self.folder = folder

    def tool(self, *arguments):
        """Runs consumer-groups."""
        return self.jvm.tool("consumer-groups", self.address, *arguments)

    def refused(self, text, *arguments):
        """Runs consumer-groups, which must complain."""
        self.jvm.refused("consumer-groups", self.address, text, *arguments)

    def filled(self, topic, partitions=1, count=COUNT):
        """A topic whose records are a second apart in time and come in one compressed batch for each partition."""
        create(self.broker, self.jvm, topic, partitions)
        sent = [records.Record(number % partitions, records.BASE_TIMESTAMP + number * 1000, None, b"%d" % number)
                for number in range(count)]
        self.programs.of("librdkafka").write(self.address, topic, "gzip", sent)
        return sent

    def consume(self, count, *arguments):
        """Runs the console consumer until it has so many records."""
        return self.jvm.tool("console-consumer", self.address, "--max-messages", count, "--timeout-ms", 20000,
                             *arguments).lines

    def commit(self, group, topic, offsets):
        """Commits offsets of partitions for a group that has no members afterwards."""
        self.tool("--reset-offsets", "--group", group, "--topic", f"{topic}:{','.join(map(str, offsets))}",
                  "--to-earliest", "--execute")
        for number, offset in offsets.items():
            self.tool("--reset-offsets", "--group", group, "--topic", f"{topic}:{number}", "--to-offset", offset,
                      "--execute")

    def offsets(self, group):
        """Topic and partition to offset, as described."""
        return {(row["TOPIC"], int(row["PARTITION"])): int(row["CURRENT-OFFSET"])
                for row in table(self.tool("--describe", "--group", group, "--offsets").lines)
                if row["CURRENT-OFFSET"] != "-"}

    def reset(self, group, topic, *how):
        """Resets offsets and returns what the tool says and what is committed afterwards: partition to offset."""
        said = table(self.tool("--reset-offsets", "--group", group, "--topic", topic, *how, "--execute").lines)
        now = {number: offset for (name, number), offset in self.offsets(group).items()
               if name == topic.split(":")[0]}
        for row in said:
            equal(now[int(row["PARTITION"])], int(row["NEW-OFFSET"]), f"partition {row['PARTITION']}: said and done")
        return now

    def console(self):
        topic = group = "group-tools-console"
        self.filled(topic)
        wanted = ["--topic", topic, "--group", group, "--from-beginning"]
        equal(self.consume(23, *wanted), [str(number) for number in range(23)], "first records")
        equal(self.offsets(group), {(topic, 0): 23}, "offset after 23 records")
        equal(self.consume(COUNT - 23, *wanted), [str(number) for number in range(23, COUNT)], "the others")
        equal(self.offsets(group), {(topic, 0): COUNT}, "offset after all records")

    def console_groups(self):
        topic = "group-tools-two"
        self.filled(topic, 3)
        for group in ["group-tools-two-a", "group-tools-two-b"]:
            lines = self.consume(COUNT, "--topic", topic, "--group", group, "--from-beginning")
            equal(sorted(map(int, lines)), list(range(COUNT)), f"records of {group}")
            equal(sum(self.offsets(group).values()), COUNT, f"offsets of {group}")

    def console_pattern(self):
        for number in range(2):
            self.filled(f"group-tools-pattern-{number}", 1, 10)
        lines = self.consume(20, "--include", "group-tools-pattern-.*", "--group", "group-tools-pattern",
                             "--from-beginning")
        equal(sorted(map(int, lines)), sorted(list(range(10)) * 2), "records of both topics")

    def listed(self):
        topic = "group-tools-listed"
        self.filled(topic, 2)
        self.commit("group-tools-idle", topic, {0: 1})
        member = self.programs.of("librdkafka").join(self.address, "group-tools-busy", topic)
        assigned([member], 2, "the member has both partitions")
        names = set(self.tool("--list").lines)
        check({"group-tools-idle", "group-tools-busy"} <= names, f"listed: {names}")
        states = {row["GROUP"]: (row["TYPE"], row["STATE"])
                  for row in table(self.tool("--list", "--state", "--type").lines)}
        equal((states.get("group-tools-idle"), states.get("group-tools-busy")),
              (("Classic", "Empty"), ("Classic", "Stable")), "type and state")
        stable = {row["GROUP"] for row in table(self.tool("--list", "--state", "Stable").lines)}
        equal((stable & {"group-tools-idle", "group-tools-busy"}), {"group-tools-busy"}, "stable groups")
        empty = {row["GROUP"] for row in table(self.tool("--list", "--state", "Empty,Dead").lines)}
        equal((empty & {"group-tools-idle", "group-tools-busy"}), {"group-tools-idle"}, "empty groups")
        classic = {row["GROUP"] for row in table(self.tool("--list", "--type", "classic").lines)}
        check({"group-tools-idle", "group-tools-busy"} <= classic, f"classic groups: {classic}")
        equal(table(self.tool("--list", "--type", "consumer").lines), [], "groups of the new protocol")
        member.leave()
        until(lambda: "group-tools-busy" in {row["GROUP"] for row in
                                             table(self.tool("--list", "--state", "Empty").lines)}, "it is empty")

    def groups(self):
        topic = "group-tools-groups"
        self.filled(topic)
        member = self.programs.of("java").join(self.address, "group-tools-typed", topic)
        assigned([member], 1, "the member has the partition")
        rows = {row["GROUP"]: row for row in table(self.jvm.tool("groups", self.address, "--list").lines)}
        equal((rows["group-tools-typed"]["TYPE"], rows["group-tools-typed"]["PROTOCOL"]), ("Classic", "consumer"),
              "type and protocol")
        lines = self.jvm.tool("groups", self.address, "--list", "--group-type", "classic", "--protocol",
                              "consumer").lines
        check("group-tools-typed" in {row["GROUP"] for row in table(lines)}, f"filtered: {lines}")
        member.leave()

    def described(self):
        topic = group = "group-tools-described"
        self.filled(topic, 3)
        self.commit(group, topic, {0: 5, 1: 20})
        member = self.programs.of("librdkafka").join(self.address, group, topic, commits=False)
        assigned([member], 3, "the member has all partitions")
        rows = {int(row["PARTITION"]): row for row in table(self.tool("--describe", "--group", group).lines)}
        equal({number: (row["CURRENT-OFFSET"], row["LOG-END-OFFSET"], row["LAG"]) for number, row in rows.items()},
              {0: ("5", "20", "15"), 1: ("20", "20", "0"), 2: ("-", "20", "-")}, "current offset, end and lag")
        for row in rows.values():
            equal((row["CLIENT-ID"], row["HOST"]), (member.name, "/127.0.0.1"), "client and host")
            check(row["CONSUMER-ID"].startswith(f"{member.name}-"), f"consumer id {row['CONSUMER-ID']}")
        member.leave()
        result = self.tool("--describe", "--group", group)
        check("has no active members" in result.out + result.err, f"{result}")
        equal({row["PARTITION"]: row["CONSUMER-ID"] for row in table(result.lines)}, {"0": "-", "1": "-"}, "owners")
        both = table(self.tool("--describe", "--all-groups", "--offsets").lines)
        check(group in {row["GROUP"] for row in both}, f"all groups: {both}")

    def members(self):
        topic = group = "group-tools-members"
        self.filled(topic, 4)
        program = self.programs.of("librdkafka")
        joined = [program.join(self.address, group, topic, instance=name) for name in ["one", "two"]]
        assigned(joined, 4, "each has its partitions")
        rows = table(self.tool("--describe", "--group", group, "--members", "--verbose").lines)
        equal({row["GROUP-INSTANCE-ID"]: row["#PARTITIONS"] for row in rows}, {"one": "2", "two": "2"}, "members")
        text = self.tool("--describe", "--group", group, "--members", "--verbose").out
        for member in joined:
            numbers = ",".join(map(str, sorted(member.owned)))
            check(f"({numbers})" in text or f":{numbers}" in text, f"{numbers} of {member.name} are not in {text}")
        for member in joined:
            member.leave()
        # Static members stay until their session ends, unless somebody takes them out.
        equal(len(table(self.tool("--describe", "--group", group, "--members").lines)), 2, "members that went away")

    def state(self):
        topic = group = "group-tools-state"
        self.filled(topic)
        member = self.programs.of("java").join(self.address, group, topic, assignor="roundrobin")
        assigned([member], 1, "the member has the partition")

        def row():
            (found,) = table(self.tool("--describe", "--group", group, "--state").lines)
            return found
        found = row()
        equal((found["ASSIGNMENT-STRATEGY"], found["STATE"], found["#MEMBERS"]), ("roundrobin", "Stable", "1"), "state")
        if self.broker.name != "running":
            equal(found["COORDINATOR"], self.broker.advertised, "coordinator")
        member.leave()
        until(lambda: row()["STATE"] == "Empty" and row()["#MEMBERS"] == "0", "it is empty")

    def absent(self):
        for what in [[], ["--members"], ["--state"]]:
            self.refused("GroupIdNotFoundException: Group group-tools-absent not found", "--describe", "--group",
                         "group-tools-absent", *what)

    def reset_to(self):
        topic = group = "group-tools-to"
        self.filled(topic, 2)
        equal(self.reset(group, topic, "--to-offset", 7), {0: 7, 1: 7}, "to an offset")
        equal(self.reset(group, topic, "--to-latest"), {0: 30, 1: 30}, "to the last")
        equal(self.reset(group, topic, "--to-earliest"), {0: 0, 1: 0}, "to the first")
        equal(self.reset(group, topic, "--to-offset", 1000), {0: 30, 1: 30}, "beyond the end")
        equal(self.reset(group, f"{topic}:1", "--to-offset", 28), {0: 30, 1: 28}, "of one partition")
        lines = self.consume(2, "--topic", topic, "--group", group)
        equal(sorted(map(int, lines)), [57, 59], "what a consumer reads afterwards")

    def reset_shift(self):
        topic = group = "group-tools-shift"
        self.filled(topic)
        self.commit(group, topic, {0: 30})
        for shift, expected in [(-10, 20), (25, 45), (-100, 0), (100, COUNT)]:
            equal(self.reset(group, topic, "--shift-by", shift), {0: expected}, f"shifted by {shift}")

    def reset_time(self):
        topic = group = "group-tools-time"
        self.filled(topic)

        def at(offset, extra_ms=0):
            seconds, milliseconds = divmod(records.BASE_TIMESTAMP + offset * 1000 + extra_ms, 1000)
            moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
            return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}"
        for when, expected in [(at(0), 0), (at(17), 17), (at(17, 1), 18), (at(COUNT - 1), COUNT - 1),
                               (at(COUNT), COUNT)]:
            equal(self.reset(group, topic, "--to-datetime", when), {0: expected}, f"to {when}")
        ago = int(time.time() - records.BASE_TIMESTAMP / 1000) - 30
        (offset,) = self.reset(group, topic, "--by-duration", f"PT{ago}S").values()
        check(30 <= offset <= 35, f"{ago} s ago is offset {offset}")
        equal(self.reset(group, topic, "--by-duration", "PT1S"), {0: COUNT}, "a second ago")

    def reset_current(self):
        group = "group-tools-current"
        for topic in ["group-tools-current-a", "group-tools-current-b"]:
            self.filled(topic, 2)
            self.commit(group, topic, {0: 11})
        # What was never committed goes to the end.
        equal(self.reset(group, "group-tools-current-a", "--to-current"), {0: 11, 1: 30}, "to current")
        self.tool("--reset-offsets", "--group", group, "--all-topics", "--shift-by", 2, "--execute")
        equal(self.offsets(group), {("group-tools-current-a", 0): 13, ("group-tools-current-a", 1): 30,
                                    ("group-tools-current-b", 0): 13}, "all topics")

    def reset_file(self):
        topic = "group-tools-file"
        self.filled(topic, 2)
        groups = ["group-tools-file-a", "group-tools-file-b"]
        for at, group in enumerate(groups):
            self.commit(group, topic, {0: 3 + at, 1: 9})
        both = [word for group in groups for word in ("--group", group)]
        path = os.path.join(self.folder, "offsets.csv")
        for chosen, name in [(both[:2], "one group"), (both, "two groups")]:
            before = {group: self.offsets(group) for group in groups}
            lines = self.tool("--reset-offsets", *chosen, "--topic", topic, "--to-current", "--export",
                              "--dry-run").lines
            equal(len(lines), len(chosen), f"{name}: lines of the plan {lines}")
            with open(path, "w", encoding="ascii") as file:
                file.writelines(f"{line}\n" for line in lines)
            self.tool("--reset-offsets", *chosen, "--topic", topic, "--to-latest", "--execute")
            self.tool("--reset-offsets", *chosen, "--from-file", path, "--execute")
            equal({group: self.offsets(group) for group in groups}, before, f"{name}: offsets from the file")

    def reset_dry(self):
        topic = group = "group-tools-dry"
        self.filled(topic)
        self.commit(group, topic, {0: 12})
        for how in [["--dry-run"], []]:
            (row,) = table(self.tool("--reset-offsets", "--group", group, "--topic", topic, "--to-latest", *how).lines)
            equal(row["NEW-OFFSET"], str(COUNT), "what would be")
            equal(self.offsets(group), {(topic, 0): 12}, "what is")

    def reset_active(self):
        topic = group = "group-tools-active"
        self.filled(topic)
        member = self.programs.of("librdkafka").join(self.address, group, topic)
        assigned([member], 1, "the member has the partition")
        self.refused("can only be reset if the group", "--reset-offsets", "--group", group, "--topic", topic,
                     "--to-earliest", "--execute")
        member.leave()
        until(lambda: self.offsets(group) == {(topic, 0): COUNT}, "the member's offset stays")

    def reset_new(self):
        topic = group = "group-tools-new"
        self.filled(topic)
        equal(self.reset(group, topic, "--to-offset", 50), {0: 50}, "a new group")
        lines = self.consume(10, "--topic", topic, "--group", group, "--from-beginning")
        equal(lines, [str(number) for number in range(50, COUNT)], "what its first member reads")

    def delete_offsets(self):
        topic = group = "group-tools-offsets"
        self.filled(topic, 3)
        self.commit(group, topic, {0: 1, 1: 2, 2: 3})
        member = self.programs.of("librdkafka").join(self.address, group, topic, commits=False)
        assigned([member], 3, "the member has all partitions")
        self.refused("GroupSubscribedToTopicException", "--delete-offsets", "--group", group, "--topic", topic)
        equal(len(self.offsets(group)), 3, "offsets of a topic that is read")
        member.leave()
        out = self.tool("--delete-offsets", "--group", group, "--topic", f"{topic}:1").out
        check("Successful" in out, out)
        equal(self.offsets(group), {(topic, 0): 1, (topic, 2): 3}, "offsets without partition 1")
        self.refused("does not exist", "--delete-offsets", "--group", "group-tools-absent", "--topic", topic)
        self.tool("--delete-offsets", "--group", group, "--topic", topic)
        equal(self.offsets(group), {}, "offsets without the topic")

    def delete(self):
        topic = group = "group-tools-delete"
        self.filled(topic)
        member = self.programs.of("librdkafka").join(self.address, group, topic)
        assigned([member], 1, "the member has the partition")
        self.refused("GroupNotEmptyException", "--delete", "--group", group)
        member.leave()
        out = self.tool("--delete", "--group", group).out
        check("was successful" in out, out)
        check(group not in self.tool("--list").lines, "a deleted group is listed")
        self.refused("GroupIdNotFoundException", "--delete", "--group", group)
        lines = self.consume(COUNT, "--topic", topic, "--group", group, "--from-beginning")
        equal(len(lines), COUNT, "records of a group that begins anew")
