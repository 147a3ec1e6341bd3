import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { DeliveryEvent, DeliveryStanding, DeliveryState } from './state.ts';
import { deliveryStates, isClaimable, isFinal, transition } from './state.ts';

const events = [
  'claim',
  'delivered',
  'deferred',
  'failed',
  'returned',
  'leaseEnded',
  'expired',
  'reportStarted',
  'reportFinished',
  'hold',
  'release',
  'retry',
  'cancel',
  'bounce',
  'reroute',
  'recipient',
] as const satisfies readonly DeliveryEvent['kind'][];

/** The next state of a row that was attempted before; '·' is refused, `!` notes a wish on a leased row. The order of columns is that of `events`. */
// biome-ignore format: a table
const table: Record<DeliveryState, string> = {
  //          claim  delivered  deferred failed returned leaseEnded expired reportStarted reportFinished hold    release  retry    cancel    bounce  reroute  recipient
  queued: '   leased delivered  ·        ·      ·        ·          failed  ·             ·              held    ·        deferred cancelled   failed  deferred deferred',
  leased: '   ·      delivered  deferred failed deferred deferred   ·       ·             ·              leased! ·        ·        leased!     leased! leased!  leased!',
  deferred: ' leased delivered  ·        ·      ·        ·          failed  ·             ·              held    ·        deferred cancelled   failed  deferred deferred',
  held: '     ·      delivered  ·        ·      ·        ·          ·       ·             ·              ·       deferred ·        cancelled   failed  held     held',
  failed: '   ·      delivered  ·        ·      ·        ·          ·       reporting     ·              ·       ·        deferred cancelled   ·       deferred deferred',
  reporting: '·      ·          ·        ·      ·        ·          ·       ·             bounced        ·       ·        ·        ·           ·       ·        ·',
  delivered: '·      ·          ·        ·      ·        ·          ·       ·             ·              ·       ·        ·        ·           ·       ·        ·',
  bounced: '  ·      ·          ·        ·      ·        ·          ·       ·             ·              ·       ·        ·        ·           ·       ·        ·',
  cancelled: '·      ·          ·        ·      ·        ·          ·       ·             ·              ·       ·        ·        ·           ·       ·        ·',
};

for (const state of deliveryStates) {
  test(`what each event makes of a row that is ${state}`, () => {
    const cells = table[state].trim().split(/\s+/);
    assert.equal(cells.length, events.length);
    events.forEach((kind, column) => {
      const next = transition({ state, attempts: 3 }, { kind });
      const seen = next === undefined ? '·' : `${next.state}${next.wanted === undefined ? '' : '!'}`;
      assert.equal(seen, cells[column], `${state} + ${kind}`);
    });
  });
}

test('a row that was never attempted waits as queued, after any end of its lease', () => {
  for (const kind of ['returned', 'leaseEnded'] as const) {
    assert.deepEqual(transition({ state: 'leased', attempts: 0 }, { kind }), { state: 'queued', attempts: 0 });
  }
  assert.deepEqual(transition({ state: 'held', attempts: 0 }, { kind: 'release' }), { state: 'queued', attempts: 0 });
});

test('an attempt counts when it has an outcome, and only then', () => {
  const leased: DeliveryStanding = { state: 'leased', attempts: 3 };
  const attempts = (kind: DeliveryEvent['kind']): number | undefined => transition(leased, { kind })?.attempts;
  assert.deepEqual(
    (['delivered', 'deferred', 'failed', 'returned', 'leaseEnded'] as const).map(attempts),
    [4, 4, 4, 3, 3],
  );
});

test('a wish on a leased row applies when its attempt or its lease ends, unless the attempt decided', () => {
  const wishing = (wanted: 'cancel' | 'hold'): DeliveryStanding => ({ state: 'leased', attempts: 0, wanted });
  for (const kind of ['deferred', 'returned', 'leaseEnded'] as const) {
    assert.equal(transition(wishing('cancel'), { kind })?.state, 'cancelled');
    assert.equal(transition(wishing('hold'), { kind })?.state, 'held');
  }
  for (const kind of ['delivered', 'failed'] as const) {
    assert.deepEqual(transition(wishing('cancel'), { kind }), { state: kind, attempts: 1 });
  }
  for (const kind of ['deferred', 'returned', 'leaseEnded'] as const) {
    const reached = transition({ state: 'leased', attempts: 0, wanted: 'bounce' }, { kind });
    assert.deepEqual([reached?.state, reached?.applied], ['failed', 'bounce'], 'the failure is the operator’s');
  }
  assert.deepEqual(transition({ state: 'leased', attempts: 0, wanted: 'bounce' }, { kind: 'failed' }), {
    state: 'failed',
    attempts: 1,
  });
  for (const kind of ['reroute', 'recipient'] as const) {
    assert.equal(transition(wishing('hold'), { kind })?.wanted, 'hold', 'what is held with a change is held');
    assert.equal(transition(wishing('cancel'), { kind })?.wanted, kind);
    assert.equal(transition({ state: 'leased', attempts: 0, wanted: kind }, { kind: 'deferred' })?.state, 'deferred');
  }
  assert.deepEqual(transition(wishing('hold'), { kind: 'release' }), { state: 'leased', attempts: 0 });
  assert.equal(transition(wishing('cancel'), { kind: 'release' }), undefined, 'a cancel is not taken back');
});

const anyEvent = fc.constantFrom(...events).map((kind): DeliveryEvent => ({ kind }));

/** The standings a new row goes through under the events, refused ones left out. */
function live(
  sequence: readonly DeliveryEvent[],
): { event: DeliveryEvent; before: DeliveryStanding; after: DeliveryStanding }[] {
  const steps = [];
  let standing: DeliveryStanding = { state: 'queued', attempts: 0 };
  for (const event of sequence) {
    const after = transition(standing, event);
    if (after === undefined) continue;
    steps.push({ event, before: standing, after });
    standing = after;
  }
  return steps;
}

test('whatever the order of lease, cancel, report and late 250, a row reaches one final state and stays there', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), (sequence) => {
      const steps = live(sequence);
      const finals = steps.filter((step) => isFinal(step.after.state));
      assert.ok(finals.length <= 1);
      if (finals.length === 1) assert.equal(finals[0], steps.at(-1));
      for (const { event, before, after } of steps) {
        if (before.state === 'reporting') assert.equal(after.state, 'bounced');
        if (after.state === 'bounced') assert.equal(before.state, 'reporting');
        if (after.state === 'leased' && before.state !== 'leased') assert.ok(isClaimable(before.state));
        if (after.wanted !== undefined) assert.equal(after.state, 'leased');
        if (after.state === 'queued') assert.equal(after.attempts, 0);
        if (event.kind === 'delivered') assert.equal(after.state, 'delivered');
        assert.ok(after.attempts - before.attempts === 0 || after.attempts - before.attempts === 1);
      }
    }),
    { numRuns: 2000 },
  );
});

test('from every standing that is not final some event leads on to a final one', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 30 }), (sequence) => {
      const rest = (['release', 'leaseEnded', 'release', 'expired', 'reportStarted', 'reportFinished'] as const).map(
        (kind): DeliveryEvent => ({ kind }),
      );
      const last = live([...sequence, ...rest]).at(-1)?.after;
      assert.ok(last !== undefined && isFinal(last.state), last?.state);
    }),
    { numRuns: 1000 },
  );
});
