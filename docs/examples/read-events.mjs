// Reads Waypost's mail events, each at least once, and goes on where it was after a restart.
// NATS_URL, EVENTS_READER_PASSWORD: where, and as whom. NATS_CA_FILE: the authority of the server's certificate, if it is not a public one.
import { readFileSync } from 'node:fs';
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

const stream = 'WAYPOST_EVENTS';
const name = 'events-reader';
const caFile = process.env.NATS_CA_FILE;

const connection = await connect({
  servers: process.env.NATS_URL,
  user: name,
  pass: process.env.EVENTS_READER_PASSWORD,
  // The only inbox that this user may listen on.
  inboxPrefix: `_INBOX.${name}`,
  maxReconnectAttempts: -1,
  waitOnFirstConnect: true,
  ...(caFile === undefined ? {} : { tls: { ca: readFileSync(caFile, 'utf8') } }),
});
process.once('SIGTERM', () => connection.drain());

// Makes the consumer, or finds the one that is there: it knows what was acknowledged.
const manager = await jetstreamManager(connection, { checkAPI: false });
const consumer = await manager.consumers.add(stream, {
  durable_name: name,
  filter_subject: 'waypost.event.mail.>',
  deliver_policy: DeliverPolicy.New,
  ack_policy: AckPolicy.Explicit,
  // An event that is not acknowledged comes again, five times in all.
  ack_wait: 30_000_000_000,
  max_deliver: 5,
});

console.error('reading');
const messages = await jetstream(connection).consumers.getConsumerFromInfo(consumer).consume({ max_messages: 100 });
for await (const message of messages) {
  const event = parsed(message);
  if (event?.specversion !== '1.0') {
    // Not an event: it would come again and again.
    message.term('not a CloudEvent');
    continue;
  }
  // The work. It must bear the same event twice: `event.id` tells.
  console.log(event.type, event.id, JSON.stringify(event.data));
  message.ack();
}

function parsed(message) {
  try {
    return message.json();
  } catch {
    return undefined;
  }
}
