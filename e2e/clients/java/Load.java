import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Producers under which a broker is killed: `Load BROKER TOPIC PARTITIONS RECORDS_PER_SECOND NAME:SETTINGS...`,
 * settings separated by commas. Record N of a producer has the producer's name as its key and "N padding" as
 * its value and goes to partition N modulo PARTITIONS. Prints "ack NAME N PARTITION OFFSET" or "failed NAME N
 * ERROR" for each, and "sent NAME COUNT" at the end, which comes when standard input does.
 */
public final class Load {
    private static final AtomicBoolean STOPPING = new AtomicBoolean();
    private static final PrintStream OUT = new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false);

    public static void main(String[] arguments) throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (int i = 4; i < arguments.length; i++) {
            String[] nameAndSettings = arguments[i].split(":", 2);
            Properties properties = Lines.properties(arguments[0], nameAndSettings[1].split(","), 0);
            Thread thread = new Thread(() -> produce(nameAndSettings[0], properties, arguments));
            thread.start();
            threads.add(thread);
        }
        while (System.in.read() >= 0) { }
        STOPPING.set(true);
        for (Thread thread : threads) thread.join();
        OUT.flush();
        Runtime.getRuntime().halt(0);
    }

    private static void produce(String name, Properties properties, String[] arguments) {
        int partitions = Integer.parseInt(arguments[2]);
        int perMillis = Math.max(1, Integer.parseInt(arguments[3]) / 100);
        byte[] key = name.getBytes(StandardCharsets.UTF_8);
        long number = 0;
        try (var producer = new KafkaProducer<byte[], byte[]>(properties)) {
            while (!STOPPING.get()) {
                for (int i = 0; i < perMillis; i++) {
                    long sent = number++;
                    byte[] value = (sent + " " + "x".repeat((int) (sent % 200))).getBytes(StandardCharsets.UTF_8);
                    producer.send(new ProducerRecord<>(arguments[1], (int) (sent % partitions), key, value),
                        (stored, error) -> OUT.println(error == null
                            ? "ack " + name + " " + sent + " " + stored.partition() + " " + stored.offset()
                            : "failed " + name + " " + sent + " " + error));
                }
                Thread.sleep(10);
            }
            producer.flush();
        } catch (InterruptedException interrupted) {
            OUT.println("failed " + name + " " + number + " " + interrupted);
        }
        OUT.println("sent " + name + " " + number);
    }

    private Load() { }
}
