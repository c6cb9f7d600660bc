import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** The Java client as a program of harness/programs.py, which says what it reads and writes. */
public final class Client {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HexFormat HEX = HexFormat.of();
    private static final Map<String, Member> MEMBERS = new ConcurrentHashMap<>();

    public static void main(String[] ignored) throws Exception {
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode request = JSON.readTree(line);
            long number = request.get("id").asLong();
            String member = request.path("member").asText();
            switch (request.get("call").asText()) {
                case "write" -> answer(number, () -> write(request));
                case "read" -> answer(number, () -> read(request));
                case "committed" -> answer(number, () -> committed(request));
                case "join" -> answer(number, () -> MEMBERS.put(member, new Member(request)) != null);
                case "commit" -> MEMBERS.get(member).commit(number, request.get("offsets"));
                case "leave" -> MEMBERS.remove(member).leave(number);
                default -> throw new IllegalArgumentException(line);
            }
        }
        Runtime.getRuntime().halt(0);
    }

    /** Answers a call with what the action returns or throws. */
    static void answer(long number, Callable<Object> action) {
        var line = new LinkedHashMap<String, Object>();
        line.put("id", number);
        try {
            line.put("answer", action.call());
        } catch (Exception failed) {
            failed.printStackTrace();
            line.put("error", failed.toString());
        }
        say(line);
    }

    static synchronized void say(Map<String, Object> line) {
        try {
            System.out.println(JSON.writeValueAsString(line));
        } catch (com.fasterxml.jackson.core.JsonProcessingException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    static Properties properties(JsonNode request, String... pairs) {
        return Lines.properties(request.get("broker").asText(), pairs, 0);
    }

    private static Object write(JsonNode request) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        String topic = request.get("topic").asText();
        String codec = request.get("codec").asText();
        Properties properties = properties(request, "compression.type=" + codec, "linger.ms=20");
        try (var producer = new KafkaProducer<byte[], byte[]>(properties)) {
            for (JsonNode record : request.get("records")) {
                List<Header> headers = new ArrayList<>();
                for (JsonNode header : record.get(4)) {
                    headers.add(new RecordHeader(header.get(0).asText(), bytes(header.get(1))));
                }
                sent.add(producer.send(new ProducerRecord<>(topic, record.get(0).asInt(), record.get(1).asLong(),
                    bytes(record.get(2)), bytes(record.get(3)), headers)));
            }
            producer.flush();
        }
        List<Object> places = new ArrayList<>();
        for (Future<RecordMetadata> future : sent) {
            places.add(List.of(future.get().partition(), future.get().offset()));
        }
        return places;
    }

    private static Object read(JsonNode request) {
        List<Object> stored = new ArrayList<>();
        try (var consumer = new KafkaConsumer<byte[], byte[]>(properties(request))) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(request.get("topic").asText())
                .forEach(found -> partitions.add(new TopicPartition(found.topic(), found.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            if (!request.get("since").isNull()) {
                Map<TopicPartition, Long> times = new HashMap<>();
                partitions.forEach(partition -> times.put(partition, request.get("since").asLong()));
                consumer.offsetsForTimes(times).forEach((partition, found) ->
                    consumer.seek(partition, found == null ? ends.get(partition) : found.offset()));
            }
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    List<Object> headers = new ArrayList<>();
                    record.headers().forEach(header -> headers.add(pair(header.key(), hex(header.value()))));
                    List<Object> item = new ArrayList<>();
                    item.addAll(List.of(record.offset(), record.partition(), record.timestamp()));
                    item.add(hex(record.key()));
                    item.add(hex(record.value()));
                    item.add(headers);
                    stored.add(item);
                }
            }
        }
        return stored;
    }

    private static Object committed(JsonNode request) throws Exception {
        List<Object> offsets = new ArrayList<>();
        try (Admin admin = Admin.create(properties(request))) {
            var listed = admin.listConsumerGroupOffsets(request.get("group").asText());
            listed.partitionsToOffsetAndMetadata().get().forEach((partition, offset) -> {
                if (offset != null && partition.topic().equals(request.get("topic").asText())) {
                    offsets.add(List.of(partition.partition(), offset.offset(), offset.metadata()));
                }
            });
        }
        return offsets;
    }

    private static List<Object> pair(Object first, Object second) {
        List<Object> pair = new ArrayList<>(List.of(first));
        pair.add(second);
        return pair;
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? null : HEX.formatHex(bytes);
    }

    private static byte[] bytes(JsonNode hex) {
        return hex.isNull() ? null : HEX.parseHex(hex.asText());
    }

    private Client() { }
}
