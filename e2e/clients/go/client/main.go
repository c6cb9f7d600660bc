// Command client is franz-go as a program of harness/programs.py, which says what it reads and writes.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// How long a call may take.
const timeout = 50 * time.Second

// A request of any call; which fields it has depends on the call.
type request struct {
	ID       int64             `json:"id"`
	Call     string            `json:"call"`
	Broker   string            `json:"broker"`
	Topic    string            `json:"topic"`
	Codec    string            `json:"codec"`
	Records  [][]any           `json:"records"`
	Since    *int64            `json:"since"`
	Member   string            `json:"member"`
	Group    string            `json:"group"`
	Assignor string            `json:"assignor"`
	Instance *string           `json:"instance"`
	Commits  bool              `json:"commits"`
	Session  int64             `json:"session_ms"`
	Offsets  []json.RawMessage `json:"offsets"`
}

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

var (
	out     sync.Mutex
	members sync.Map
)

func say(line map[string]any) {
	out.Lock()
	defer out.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		os.Exit(1)
	}
}

func answer(id int64, value any, err error) {
	if err != nil {
		say(map[string]any{"id": id, "error": err.Error()})
		return
	}
	say(map[string]any{"id": id, "answer": value})
}

func hexed(data []byte) any {
	if data == nil {
		return nil
	}
	return hex.EncodeToString(data)
}

func unhexed(text any) []byte {
	if text == nil {
		return nil
	}
	data, err := hex.DecodeString(text.(string))
	if err != nil {
		panic(err)
	}
	return data
}

func write(ctx context.Context, r request) (any, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.Broker), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[r.Codec]), kgo.ProducerLinger(20*time.Millisecond))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var records []*kgo.Record
	for _, sent := range r.Records {
		record := &kgo.Record{
			Topic: r.Topic, Partition: int32(sent[0].(float64)), Timestamp: time.UnixMilli(int64(sent[1].(float64))),
			Key: unhexed(sent[2]), Value: unhexed(sent[3]),
		}
		for _, pair := range sent[4].([]any) {
			pair := pair.([]any)
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: pair[0].(string), Value: unhexed(pair[1])})
		}
		records = append(records, record)
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return nil, err
	}
	places := make([][]int64, 0, len(records))
	for _, record := range records {
		places = append(places, []int64{int64(record.Partition), record.Offset})
	}
	return places, nil
}

// bounds gives where reading begins and ends.
func bounds(ctx context.Context, r request) (starts, ends kadm.ListedOffsets, err error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.Broker))
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if ends, err = admin.ListEndOffsets(ctx, r.Topic); err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, nil, err
	}
	if r.Since == nil {
		starts, err = admin.ListStartOffsets(ctx, r.Topic)
	} else {
		starts, err = admin.ListOffsetsAfterMilli(ctx, *r.Since, r.Topic)
	}
	if err == nil {
		err = starts.Error()
	}
	return starts, ends, err
}

func read(ctx context.Context, r request) (any, error) {
	starts, ends, err := bounds(ctx, r)
	if err != nil {
		return nil, err
	}
	missing := int64(0)
	from := map[int32]kgo.Offset{}
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(r.Topic, end.Partition)
		missing += end.Offset - start.Offset
		from[end.Partition] = kgo.NewOffset().At(start.Offset)
	})
	client, err := kgo.NewClient(kgo.SeedBrokers(r.Broker),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.Topic: from}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	stored := [][]any{}
	for int64(len(stored)) < missing {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("%d of %d records came: %w", len(stored), missing, err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			headers := [][]any{}
			for _, header := range record.Headers {
				headers = append(headers, []any{header.Key, hexed(header.Value)})
			}
			stored = append(stored, []any{record.Offset, record.Partition, record.Timestamp.UnixMilli(),
				hexed(record.Key), hexed(record.Value), headers})
		})
	}
	return stored, nil
}

func committed(ctx context.Context, r request) (any, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.Broker))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	found, err := kadm.NewClient(client).FetchOffsets(ctx, r.Group)
	if err != nil {
		return nil, err
	}
	offsets := [][]any{}
	found.Each(func(at kadm.OffsetResponse) {
		if at.Topic == r.Topic && at.At >= 0 {
			offsets = append(offsets, []any{at.Partition, at.At, at.Metadata})
		}
	})
	return offsets, found.Error()
}

func serve(r request) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var value any
	var err error
	switch r.Call {
	case "write":
		value, err = write(ctx, r)
	case "read":
		value, err = read(ctx, r)
	case "committed":
		value, err = committed(ctx, r)
	case "join":
		err = join(r)
	case "commit":
		err = find(r.Member).commit(ctx, r.Offsets)
	case "leave":
		err = find(r.Member).leave(ctx)
	default:
		err = fmt.Errorf("no call %q", r.Call)
	}
	answer(r.ID, value, err)
}

func main() {
	in := json.NewDecoder(os.Stdin)
	for {
		var r request
		if err := in.Decode(&r); err != nil {
			return
		}
		go serve(r)
	}
}
