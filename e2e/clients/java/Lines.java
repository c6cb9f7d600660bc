import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Records as lines of text, the same as harness/records.py writes: partition, timestamp, key, value, headers,
 * separated by tabs. Bytes are hexadecimal, null is "~", headers are "name=value" separated by commas, names
 * in hexadecimal too.
 */
final class Lines {
    private static final HexFormat HEX = HexFormat.of();

    static ProducerRecord<byte[], byte[]> parse(String topic, String line) {
        String[] fields = line.split("\t", -1);
        List<Header> headers = new ArrayList<>();
        if (!fields[4].isEmpty()) {
            for (String header : fields[4].split(",")) {
                String[] pair = header.split("=", -1);
                headers.add(new RecordHeader(new String(bytes(pair[0]), StandardCharsets.UTF_8), bytes(pair[1])));
            }
        }
        return new ProducerRecord<>(topic, Integer.valueOf(fields[0]), Long.valueOf(fields[1]), bytes(fields[2]),
            bytes(fields[3]), headers);
    }

    static String print(ConsumerRecord<byte[], byte[]> record) {
        StringBuilder headers = new StringBuilder();
        for (Header header : record.headers()) {
            if (headers.length() > 0) headers.append(',');
            headers.append(hex(header.key().getBytes(StandardCharsets.UTF_8))).append('=').append(hex(header.value()));
        }
        return record.offset() + "\t" + record.partition() + "\t" + record.timestamp() + "\t" + hex(record.key())
            + "\t" + hex(record.value()) + "\t" + headers;
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "~" : HEX.formatHex(bytes);
    }

    static byte[] bytes(String hex) {
        return hex.equals("~") ? null : HEX.parseHex(hex);
    }

    /** Properties of a client: serializers, and key=value pairs from the command line. */
    static Properties properties(String broker, String[] arguments, int from) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", broker);
        properties.put("key.serializer", ByteArraySerializer.class.getName());
        properties.put("value.serializer", ByteArraySerializer.class.getName());
        properties.put("key.deserializer", ByteArrayDeserializer.class.getName());
        properties.put("value.deserializer", ByteArrayDeserializer.class.getName());
        for (int i = from; i < arguments.length; i++) {
            String[] pair = arguments[i].split("=", 2);
            properties.put(pair[0], pair[1]);
        }
        return properties;
    }

    private Lines() { }
}
