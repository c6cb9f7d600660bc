import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ApiException;

/**
 * The Java admin client as a program: `Topics BROKER COMMAND ...`, several commands separated by "--". A
 * refusal prints "error" and the name of the exception's class, so that a suite can expect it.
 */
public final class Topics {
    public static void main(String[] arguments) throws Exception {
        try (Admin admin = Admin.create(Lines.properties(arguments[0], arguments, arguments.length))) {
            int from = 1;
            for (int to = 1; to <= arguments.length; to++) {
                if (to == arguments.length || arguments[to].equals("--")) {
                    command(admin, List.of(arguments).subList(from, to));
                    from = to + 1;
                }
            }
        }
    }

    private static void command(Admin admin, List<String> words) throws Exception {
        try {
            System.out.println(answer(admin, words));
        } catch (ExecutionException refused) {
            if (!(refused.getCause() instanceof ApiException)) throw refused;
            System.out.println("error " + refused.getCause().getClass().getSimpleName());
        }
    }

    private static String answer(Admin admin, List<String> words) throws Exception {
        String topic = words.size() > 1 ? words.get(1) : "";
        switch (words.get(0)) {
            case "create", "validate": { // TOPIC PARTITIONS [key=value ...]
                NewTopic created = new NewTopic(topic, Integer.parseInt(words.get(2)), (short) 1);
                Map<String, String> configs = new TreeMap<>();
                for (String pair : words.subList(3, words.size())) {
                    configs.put(pair.split("=", 2)[0], pair.split("=", 2)[1]);
                }
                var options = new CreateTopicsOptions().validateOnly(words.get(0).equals("validate"));
                var result = admin.createTopics(List.of(created.configs(configs)), options);
                result.all().get();
                return "partitions " + result.numPartitions(topic).get();
            }
            case "delete":
                return done(admin.deleteTopics(List.of(topic)).all());
            case "partitions": // TOPIC TOTAL
                return done(admin.createPartitions(
                    Map.of(topic, NewPartitions.increaseTo(Integer.parseInt(words.get(2))))).all());
            case "id":
                return description(admin, topic).topicId().toString();
            case "describe": {
                TopicDescription described = description(admin, topic);
                return described.name() + " partitions " + described.partitions().size() + " leaders "
                    + described.partitions().stream().filter(partition -> partition.leader() != null).count();
            }
            case "cluster":
                return "brokers " + admin.describeCluster().nodes().get().size() + " id "
                    + admin.describeCluster().clusterId().get();
            case "config": { // TOPIC KEY
                ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
                ConfigEntry entry = admin.describeConfigs(List.of(resource)).all().get().get(resource).get(words.get(2));
                return entry.value() + " " + entry.source();
            }
            case "alter": { // TOPIC SET|DELETE|APPEND|SUBTRACT KEY VALUE
                ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
                AlterConfigOp operation = new AlterConfigOp(new ConfigEntry(words.get(3), words.get(4)),
                    AlterConfigOp.OpType.valueOf(words.get(2)));
                return done(admin.incrementalAlterConfigs(Map.of(resource, List.of(operation))).all());
            }
            case "offset": { // TOPIC PARTITION earliest|latest|max-timestamp|TIME
                TopicPartition partition = new TopicPartition(topic, Integer.parseInt(words.get(2)));
                OffsetSpec spec = switch (words.get(3)) {
                    case "earliest" -> OffsetSpec.earliest();
                    case "latest" -> OffsetSpec.latest();
                    case "max-timestamp" -> OffsetSpec.maxTimestamp();
                    default -> OffsetSpec.forTimestamp(Long.parseLong(words.get(3)));
                };
                var found = admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get();
                return found.offset() + " " + found.timestamp();
            }
            default:
                throw new IllegalArgumentException(words.toString());
        }
    }

    private static TopicDescription description(Admin admin, String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    }

    private static String done(KafkaFuture<Void> future) throws Exception {
        future.get();
        return "done";
    }
}
