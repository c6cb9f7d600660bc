package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var balancers = map[string]func() kgo.GroupBalancer{
	"range":              kgo.RangeBalancer,
	"roundrobin":         kgo.RoundRobinBalancer,
	"cooperative-sticky": kgo.CooperativeStickyBalancer,
}

// A member is a consumer of a group and the goroutine that polls it.
type member struct {
	name, topic string
	commits     bool
	client      *kgo.Client
	stop        context.CancelFunc
	done        chan struct{}

	lock  sync.Mutex
	owned map[int32]bool
}

func find(name string) *member {
	found, ok := members.Load(name)
	if !ok {
		panic("no member " + name)
	}
	return found.(*member)
}

func join(r request) error {
	ctx, stop := context.WithCancel(context.Background())
	m := &member{name: r.Member, topic: r.Topic, commits: r.Commits, stop: stop, done: make(chan struct{}),
		owned: map[int32]bool{}}
	options := []kgo.Opt{
		kgo.SeedBrokers(r.Broker), kgo.ClientID(r.Member), kgo.ConsumerGroup(r.Group), kgo.ConsumeTopics(r.Topic),
		kgo.Balancers(balancers[r.Assignor]()), kgo.SessionTimeout(time.Duration(r.Session) * time.Millisecond),
		kgo.HeartbeatInterval(300 * time.Millisecond), kgo.MetadataMinAge(500 * time.Millisecond), kgo.MetadataMaxAge(2 * time.Second),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(m.assigned), kgo.OnPartitionsRevoked(m.revoked), kgo.OnPartitionsLost(m.lost),
	}
	if r.Instance != nil {
		options = append(options, kgo.InstanceID(*r.Instance))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	m.client = client
	members.Store(m.name, m)
	go m.run(ctx)
	return nil
}

// numbers gives the partitions that it has, in order.
func (m *member) numbers() []int32 {
	all := []int32{}
	for number := range m.owned {
		all = append(all, number)
	}
	slices.Sort(all)
	return all
}

func (m *member) tell(event, field string, value any) {
	line := map[string]any{"member": m.name, "event": event, field: value}
	if event == "assigned" {
		_, line["generation"] = m.client.GroupMetadata()
	}
	say(line)
}

func (m *member) assigned(_ context.Context, _ *kgo.Client, added map[string][]int32) {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, number := range added[m.topic] {
		m.owned[number] = true
	}
	m.tell("assigned", "partitions", m.numbers())
}

func (m *member) revoked(ctx context.Context, client *kgo.Client, gone map[string][]int32) {
	if m.commits {
		if err := client.CommitUncommittedOffsets(ctx); err != nil {
			m.tell("error", "text", err.Error())
		}
	}
	m.lost(ctx, client, gone)
}

func (m *member) lost(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, number := range gone[m.topic] {
		delete(m.owned, number)
	}
	if len(gone[m.topic]) > 0 {
		m.tell("revoked", "partitions", gone[m.topic])
	}
}

func (m *member) run(ctx context.Context) {
	defer close(m.done)
	for ctx.Err() == nil {
		fetches := m.client.PollFetches(ctx)
		fetches.EachError(func(_ string, _ int32, err error) {
			if ctx.Err() == nil {
				m.tell("error", "text", err.Error())
			}
		})
		places := [][]int64{}
		fetches.EachRecord(func(record *kgo.Record) {
			places = append(places, []int64{int64(record.Partition), record.Offset})
		})
		if len(places) > 0 {
			m.tell("records", "records", places)
		}
		m.client.AllowRebalance()
	}
}

func (m *member) commit(ctx context.Context, offsets []json.RawMessage) error {
	told := map[int32]kgo.EpochOffset{}
	metadata := map[int32]string{}
	for _, raw := range offsets {
		var number int32
		var offset int64
		var text string
		if err := json.Unmarshal(raw, &[]any{&number, &offset, &text}); err != nil {
			return err
		}
		told[number] = kgo.EpochOffset{Epoch: -1, Offset: offset}
		metadata[number] = text
	}
	ctx = kgo.PreCommitFnContext(ctx, func(r *kmsg.OffsetCommitRequest) error {
		for t := range r.Topics {
			for p := range r.Topics[t].Partitions {
				text := metadata[r.Topics[t].Partitions[p].Partition]
				r.Topics[t].Partitions[p].Metadata = &text
			}
		}
		return nil
	})
	var failed error
	m.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{m.topic: told},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, err error) {
			failed = err
			if err != nil {
				return
			}
			for _, topic := range response.Topics {
				for _, partition := range topic.Partitions {
					if partition.ErrorCode != 0 {
						failed = fmt.Errorf("commit of partition %d: code %d", partition.Partition, partition.ErrorCode)
					}
				}
			}
		})
	return failed
}

// leave commits and closes; a static member stays in its group.
func (m *member) leave(ctx context.Context) error {
	m.stop()
	<-m.done
	var err error
	if m.commits {
		err = m.client.CommitUncommittedOffsets(ctx)
	}
	m.client.AllowRebalance()
	m.client.CloseAllowingRebalance()
	members.Delete(m.name)
	return err
}
