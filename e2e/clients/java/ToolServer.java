import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs many command-line programs one after another in one JVM: a start of a JVM costs more than most of
 * Kafka's tools need for their work. Reads calls from standard input and writes results to standard output:
 * call: class name, count of arguments, arguments, standard input; result: exit code, output, errors; each
 * string and byte array behind its length (4 bytes, big endian).
 */
public final class ToolServer {
    /** What a tool wants done when its JVM ends, such as closing its producer. */
    private static final List<Runnable> HOOKS = new CopyOnWriteArrayList<>();
    /** The first exit of the running tool: some tools catch everything and exit once more. */
    private static final AtomicReference<Integer> EXIT = new AtomicReference<>();

    private static final class Exited extends RuntimeException {
        Exited() {
            super("the tool has ended", null, false, false);
        }
    }

    public static void main(String[] ignored) throws Exception {
        DataInputStream calls = new DataInputStream(System.in);
        DataOutputStream results = new DataOutputStream(new FileOutputStream(FileDescriptor.out));
        Exit.setExitProcedure((code, message) -> {
            if (message != null) System.err.println(message);
            EXIT.compareAndSet(null, code);
            throw new Exited();
        });
        Exit.setHaltProcedure((code, message) -> {
            EXIT.compareAndSet(null, code);
            throw new Exited();
        });
        Exit.setShutdownHookAdder((name, hook) -> HOOKS.add(hook));
        while (true) {
            String className;
            try {
                className = new String(bytes(calls), StandardCharsets.UTF_8);
            } catch (EOFException end) {
                Runtime.getRuntime().halt(0);
                return;
            }
            String[] arguments = new String[calls.readInt()];
            for (int i = 0; i < arguments.length; i++) {
                arguments[i] = new String(bytes(calls), StandardCharsets.UTF_8);
            }
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            int code = run(className, arguments, new ByteArrayInputStream(bytes(calls)), out, err);
            results.writeInt(code);
            answer(results, out);
            answer(results, err);
            results.flush();
        }
    }

    private static int run(String className, String[] arguments, InputStream in, ByteArrayOutputStream out,
            ByteArrayOutputStream err) throws Exception {
        InputStream standardIn = System.in;
        PrintStream standardOut = System.out;
        PrintStream standardErr = System.err;
        System.setIn(in);
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        EXIT.set(null);
        try {
            Class.forName(className).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException failed) {
            if (!(failed.getCause() instanceof Exited)) {
                failed.getCause().printStackTrace();
                EXIT.compareAndSet(null, 1);
            }
        } finally {
            HOOKS.forEach(Runnable::run);
            HOOKS.clear();
            System.out.flush();
            System.err.flush();
            System.setIn(standardIn);
            System.setOut(standardOut);
            System.setErr(standardErr);
        }
        return EXIT.get() == null ? 0 : EXIT.get();
    }

    private static byte[] bytes(DataInputStream in) throws Exception {
        byte[] bytes = new byte[in.readInt()];
        in.readFully(bytes);
        return bytes;
    }

    private static void answer(DataOutputStream out, ByteArrayOutputStream bytes) throws Exception {
        out.writeInt(bytes.size());
        bytes.writeTo(out);
    }
}
