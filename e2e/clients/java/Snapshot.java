import java.io.File;
import java.util.TreeMap;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.storage.internals.log.BatchMetadata;
import org.apache.kafka.storage.internals.log.ProducerStateEntry;
import org.apache.kafka.storage.internals.log.ProducerStateManager;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;

/**
 * What Apache Kafka's broker takes from a partition's producer snapshots: `Snapshot FOLDER END` prints
 * "ID EPOCH LAST_SEQUENCE LAST_OFFSET OPEN_TRANSACTION" of each producer, as of the log's end.
 */
public final class Snapshot {
    private static final int TRANSACTION_TIMEOUT_MS = 900_000;
    private static final int EXPIRATION_MS = Integer.MAX_VALUE;

    public static void main(String[] arguments) throws Exception {
        TopicPartition partition = new TopicPartition("any", 0);
        ProducerStateManagerConfig config = new ProducerStateManagerConfig(EXPIRATION_MS, true);
        File folder = new File(arguments[0]);
        ProducerStateManager producers =
                new ProducerStateManager(partition, folder, TRANSACTION_TIMEOUT_MS, config, Time.SYSTEM);
        // The time is before every record's, so that none has expired.
        producers.truncateAndReload(0, Long.parseLong(arguments[1]), 0);
        for (ProducerStateEntry producer : new TreeMap<>(producers.activeProducers()).values()) {
            // A snapshot gives it one batch; none to a producer that is known by a marker alone.
            int lastSequence = -1;
            for (BatchMetadata batch : producer.batchMetadata()) {
                lastSequence = batch.lastSeq();
            }
            System.out.println(producer.producerId() + " " + producer.producerEpoch() + " " + lastSequence + " "
                    + producer.lastDataOffset() + " " + producer.currentTxnFirstOffset().orElse(-1));
        }
    }
}
