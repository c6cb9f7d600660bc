// kafkajs as a program of harness/programs.py, which says what it reads and writes.
'use strict'

const readline = require('node:readline')
const { Kafka, AssignerProtocol, Partitioners, logLevel } = require('kafkajs')
require('./codecs').install()

const MEMBERS = new Map()
let readers = 0

const say = line => process.stdout.write(JSON.stringify(line) + '\n')
const hex = bytes => (bytes === null || bytes === undefined ? null : bytes.toString('hex'))
const unhex = text => (text === null ? null : Buffer.from(text, 'hex'))

function connect(broker, clientId = 'kafkajs') {
  return new Kafka({
    clientId,
    brokers: [broker],
    logLevel: logLevel.WARN,
    logCreator: () => ({ log }) => process.stderr.write(JSON.stringify(log) + '\n'),
    retry: { initialRetryTime: 50, retries: 8 },
  })
}

// kafkajs has headers as an object: values of one name become an array.
function toHeaders(pairs) {
  const headers = {}
  for (const [name, value] of pairs) {
    headers[name] = [...(headers[name] || []), unhex(value)]
  }
  return headers
}

function fromHeaders(headers) {
  return Object.entries(headers).flatMap(([name, values]) =>
    (Array.isArray(values) ? values : [values]).map(value => [name, hex(value)]))
}

async function write({ broker, topic, codec, records }) {
  const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
  const producer = connect(broker).producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  const messages = records.map(([partition, timestamp, key, value, headers]) => ({
    partition, timestamp: String(timestamp), key: unhex(key), value: unhex(value), headers: toHeaders(headers),
  }))
  const stored = await producer.send({ topic, messages, acks: -1, compression: codecs.indexOf(codec) })
  await producer.disconnect()
  // One batch for each partition; kafkajs tells where it begins.
  const next = new Map(stored.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]))
  return records.map(([partition]) => {
    const offset = next.get(partition)
    next.set(partition, offset + 1)
    return [partition, offset]
  })
}

async function read({ broker, topic, since }) {
  const kafka = connect(broker)
  const admin = kafka.admin()
  await admin.connect()
  const bounds = await admin.fetchTopicOffsets(topic)
  const starts = new Map(bounds.map(({ partition, low }) => [partition, Number(low)]))
  if (since !== null) {
    for (const { partition, offset } of await admin.fetchTopicOffsetsByTimestamp(topic, since)) {
      starts.set(partition, Number(offset))
    }
  }
  await admin.disconnect()
  const ends = new Map(bounds.map(({ partition, high }) => [partition, Number(high)]))
  return take(kafka, topic, starts, ends)
}

// kafkajs reads as a member of a group only. It may begin at the first record before it heeds where to seek.
async function take(kafka, topic, starts, ends) {
  const next = new Map(starts)
  const done = () => [...ends].every(([partition, end]) => next.get(partition) >= end)
  if (done()) return []
  const consumer = kafka.consumer({ groupId: `kafkajs-read-${process.pid}-${readers++}`, maxWaitTimeInMs: 200 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const stored = []
  let finish
  const finished = new Promise(resolve => { finish = resolve })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const { offset, timestamp, key, value, headers } of batch.messages) {
        if (Number(offset) !== next.get(batch.partition)) continue
        next.set(batch.partition, Number(offset) + 1)
        stored.push([Number(offset), batch.partition, Number(timestamp), hex(key), hex(value), fromHeaders(headers)])
      }
      if (done()) finish()
    },
  })
  for (const [partition, offset] of starts) consumer.seek({ topic, partition, offset: String(offset) })
  await finished
  await consumer.disconnect()
  return stored
}

// The assignors that the other clients have under these names; kafkajs has another one.
const ASSIGNORS = {
  range: (members, count) => members.map((_, index) => {
    const least = Math.floor(count / members.length)
    const more = count % members.length
    const first = index * least + Math.min(index, more)
    return [...Array(least + (index < more ? 1 : 0)).keys()].map(number => first + number)
  }),
  roundrobin: (members, count) => members.map((_, index) =>
    [...Array(count).keys()].filter(number => number % members.length === index)),
}

function assigner(name) {
  return ({ cluster }) => ({
    name,
    version: 0,
    protocol: ({ topics }) => ({ name, metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics }) }),
    assign: async ({ members, topics }) => {
      const ids = members.map(({ memberId }) => memberId).sort()
      const given = ids.map(() => ({}))
      for (const topic of topics) {
        const count = cluster.findTopicPartitionMetadata(topic).length
        ASSIGNORS[name](ids, count).forEach((numbers, index) => { given[index][topic] = numbers })
      }
      return ids.map((memberId, index) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 0, assignment: given[index] }),
      }))
    },
  })
}

async function join({ member, broker, group, topic, assignor, commits, session_ms: sessionTimeout }) {
  const consumer = connect(broker, member).consumer({
    groupId: group,
    partitionAssigners: [assigner(assignor)],
    sessionTimeout,
    heartbeatInterval: 300,
    maxWaitTimeInMs: 200,
    metadataMaxAge: 2000,
  })
  let owned = []
  consumer.on(consumer.events.REBALANCING, () => {
    if (owned.length > 0) say({ member, event: 'revoked', partitions: owned })
    owned = []
  })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    owned = [...(payload.memberAssignment[topic] || [])].sort((a, b) => a - b)
    say({ member, event: 'assigned', partitions: owned })
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => say({ member, event: 'error', text: String(payload.error) }))
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  MEMBERS.set(member, { consumer, topic })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
      say({ member, event: 'records', records: batch.messages.map(({ offset }) => [batch.partition, Number(offset)]) })
      resolveOffset(batch.lastOffset())
      const offset = String(Number(batch.lastOffset()) + 1)
      if (commits) await consumer.commitOffsets([{ topic, partition: batch.partition, offset }])
      await heartbeat()
    },
  })
}

async function commit({ member, offsets }) {
  const { consumer, topic } = MEMBERS.get(member)
  await consumer.commitOffsets(offsets.map(([partition, offset, metadata]) =>
    ({ topic, partition, offset: String(offset), metadata })))
}

async function committed({ broker, group, topic }) {
  const admin = connect(broker).admin()
  await admin.connect()
  const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  await admin.disconnect()
  return found.partitions.filter(({ offset }) => offset !== '-1')
    .map(({ partition, offset, metadata }) => [partition, Number(offset), metadata])
}

async function leave({ member }) {
  const { consumer } = MEMBERS.get(member)
  MEMBERS.delete(member)
  await consumer.disconnect()
}

const CALLS = { write, read, join, commit, committed, leave }

async function serve(line) {
  const request = JSON.parse(line)
  try {
    const answer = await CALLS[request.call](request)
    say({ id: request.id, answer: answer === undefined ? null : answer })
  } catch (error) {
    process.stderr.write(`${error.stack}\n`)
    say({ id: request.id, error: `${error.name}: ${error.message}` })
  }
}

readline.createInterface({ input: process.stdin }).on('line', serve).on('close', () => process.exit(0))
