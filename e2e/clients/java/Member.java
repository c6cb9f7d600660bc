import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;

/** A consumer of a group and the thread that polls it, for Client. */
final class Member implements ConsumerRebalanceListener {
    private static final Duration POLL = Duration.ofMillis(100);
    private static final Map<String, Class<?>> ASSIGNORS = Map.of("range", RangeAssignor.class,
        "roundrobin", RoundRobinAssignor.class, "cooperative-sticky", CooperativeStickyAssignor.class);

    private final String name;
    private final String topic;
    private final boolean commits;
    private final KafkaConsumer<byte[], byte[]> consumer;
    /** What was told of and not committed before; used by the polling thread alone. */
    private final Map<TopicPartition, OffsetAndMetadata> handled = new HashMap<>();
    private final ConcurrentLinkedQueue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private boolean left;

    Member(JsonNode request) {
        name = request.get("member").asText();
        topic = request.get("topic").asText();
        commits = request.get("commits").asBoolean();
        Properties properties = Client.properties(request, "group.id=" + request.get("group").asText(),
            "client.id=" + name, "enable.auto.commit=false", "auto.offset.reset=earliest",
            "session.timeout.ms=" + request.get("session_ms").asText(), "heartbeat.interval.ms=300",
            "metadata.max.age.ms=2000",
            // A leader that begins again with its bootstrap servers believes its topics gone, and joins anew.
            "metadata.recovery.strategy=none");
        properties.put("partition.assignment.strategy", List.of(ASSIGNORS.get(request.get("assignor").asText())));
        if (!request.get("instance").isNull()) {
            properties.put("group.instance.id", request.get("instance").asText());
        }
        consumer = new KafkaConsumer<>(properties);
        consumer.subscribe(List.of(topic), this);
        Thread thread = new Thread(this::run, name);
        thread.setDaemon(true);
        thread.start();
    }

    void commit(long number, JsonNode offsets) {
        tasks.add(() -> Client.answer(number, () -> {
            Map<TopicPartition, OffsetAndMetadata> told = new HashMap<>();
            offsets.forEach(offset -> told.put(new TopicPartition(topic, offset.get(0).asInt()),
                new OffsetAndMetadata(offset.get(1).asLong(), offset.get(2).asText())));
            consumer.commitSync(told);
            return true;
        }));
    }

    void leave(long number) {
        tasks.add(() -> Client.answer(number, () -> {
            left = true;
            commitHandled();
            consumer.close();
            return true;
        }));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        commitHandled();
        onPartitionsLost(partitions);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        handled.keySet().removeAll(partitions);
        if (!partitions.isEmpty()) tell("revoked", Map.of("partitions", numbers(partitions)));
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        // With a cooperative assignor the argument is only what is added.
        var all = new HashSet<>(consumer.assignment());
        all.addAll(partitions);
        tell("assigned", Map.of("partitions", numbers(all), "generation", consumer.groupMetadata().generationId()));
    }

    private void run() {
        while (!left) {
            try {
                List<Object> places = new ArrayList<>();
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    places.add(List.of(record.partition(), record.offset()));
                    handled.put(new TopicPartition(topic, record.partition()),
                        new OffsetAndMetadata(record.offset() + 1));
                }
                if (!places.isEmpty()) tell("records", Map.of("records", places));
            } catch (KafkaException failed) {
                tell("error", Map.of("text", failed.toString()));
                // Going on would fence the member that took its place.
                left = failed instanceof FencedInstanceIdException;
                pause();
            }
            for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) task.run();
        }
    }

    private static void pause() {
        try {
            Thread.sleep(POLL.toMillis());
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void commitHandled() {
        if (commits && !handled.isEmpty()) consumer.commitSync(new HashMap<>(handled));
        handled.clear();
    }

    private void tell(String event, Map<String, Object> fields) {
        var line = new LinkedHashMap<String, Object>();
        line.put("member", name);
        line.put("event", event);
        line.putAll(fields);
        Client.say(line);
    }

    private static List<Integer> numbers(Collection<TopicPartition> partitions) {
        return partitions.stream().map(TopicPartition::partition).sorted().toList();
    }
}
