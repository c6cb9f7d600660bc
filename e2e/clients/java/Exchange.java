import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/**
 * The Java client as a program. `Exchange write|read|times|position BROKER TOPIC ...`: writes the records of
 * standard input and prints where each was stored; reads every partition to its end; prints offsets by time;
 * polls once from an offset and prints where the consumer stands.
 */
public final class Exchange {
    private static final Duration POLL = Duration.ofMillis(200);

    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "write" -> write(arguments);
            case "read" -> read(arguments);
            case "times" -> times(arguments);
            case "position" -> position(arguments);
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    /** write BROKER TOPIC [key=value ...]: prints "partition offset" for each record, in the order sent. */
    private static void write(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = new KafkaProducer<byte[], byte[]>(Lines.properties(arguments[1], arguments, 3))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                sent.add(producer.send(Lines.parse(arguments[2], line)));
            }
            producer.flush();
            for (Future<RecordMetadata> future : sent) {
                RecordMetadata stored = future.get();
                System.out.println(stored.partition() + "\t" + stored.offset());
            }
        }
    }

    /** read BROKER TOPIC START [key=value ...]: START is "beginning" or "time:MS"; prints each record. */
    private static void read(String[] arguments) {
        String topic = arguments[2];
        try (var consumer = new KafkaConsumer<byte[], byte[]>(Lines.properties(arguments[1], arguments, 4))) {
            List<TopicPartition> partitions = partitions(consumer, topic);
            consumer.assign(partitions);
            if (arguments[3].startsWith("time:")) {
                seekToTime(consumer, partitions, Long.parseLong(arguments[3].substring(5)));
            } else {
                consumer.seekToBeginning(partitions);
            }
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    System.out.println(Lines.print(record));
                }
            }
        }
    }

    private static void seekToTime(KafkaConsumer<byte[], byte[]> consumer, List<TopicPartition> partitions, long time) {
        Map<TopicPartition, Long> wanted = new HashMap<>();
        for (TopicPartition partition : partitions) wanted.put(partition, time);
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        for (var found : consumer.offsetsForTimes(wanted).entrySet()) {
            OffsetAndTimestamp at = found.getValue();
            consumer.seek(found.getKey(), at == null ? ends.get(found.getKey()) : at.offset());
        }
    }

    /** times BROKER TOPIC PARTITION TIME...: prints "offset timestamp epoch" for each time, "none" without one. */
    private static void times(String[] arguments) {
        TopicPartition partition = new TopicPartition(arguments[2], Integer.parseInt(arguments[3]));
        try (var consumer = new KafkaConsumer<byte[], byte[]>(Lines.properties(arguments[1], arguments, arguments.length))) {
            for (int i = 4; i < arguments.length; i++) {
                OffsetAndTimestamp at = consumer.offsetsForTimes(Map.of(partition, Long.valueOf(arguments[i]))).get(partition);
                System.out.println(at == null ? "none" : at.offset() + " " + at.timestamp());
            }
        }
    }

    /**
     * position BROKER TOPIC PARTITION OFFSET EPOCH [key=value ...]: seeks (with a leader epoch unless EPOCH is
     * "none", which makes the client validate it), polls until something happens, prints "position N" or
     * "out-of-range OFFSET".
     */
    private static void position(String[] arguments) {
        TopicPartition partition = new TopicPartition(arguments[2], Integer.parseInt(arguments[3]));
        long offset = Long.parseLong(arguments[4]);
        try (var consumer = new KafkaConsumer<byte[], byte[]>(Lines.properties(arguments[1], arguments, 6))) {
            consumer.assign(List.of(partition));
            if (arguments[5].equals("none")) {
                consumer.seek(partition, offset);
            } else {
                Optional<Integer> epoch = Optional.of(Integer.valueOf(arguments[5]));
                consumer.seek(partition, new OffsetAndMetadata(offset, epoch, ""));
            }
            for (int i = 0; i < 25 && consumer.position(partition) == offset; i++) {
                if (!consumer.poll(POLL).isEmpty()) break;
            }
            System.out.println("position " + consumer.position(partition));
        } catch (OffsetOutOfRangeException outOfRange) {
            System.out.println("out-of-range " + outOfRange.offsetOutOfRangePartitions().get(partition));
        }
    }

    private static List<TopicPartition> partitions(KafkaConsumer<byte[], byte[]> consumer, String topic) {
        List<TopicPartition> partitions = new ArrayList<>();
        for (PartitionInfo partition : consumer.partitionsFor(topic)) {
            partitions.add(new TopicPartition(topic, partition.partition()));
        }
        return partitions;
    }
}
