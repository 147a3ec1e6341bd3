import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rights } from '../../deploy/rights/table.ts';
import { eventSchemas } from '../../libs/bus/events.ts';
import { requestSchemas } from '../../libs/bus/requests.ts';
import { wakeSchemas } from '../../libs/bus/wakes.ts';
import { serviceNames } from '../../services/service-names.ts';

const usersThat = (has: (nats: (typeof rights)[number]['nats']) => readonly string[], name: string): string[] =>
  rights.filter(({ nats }) => has(nats).includes(name)).map(({ user }) => user);

test('every service has a user', () => {
  for (const name of serviceNames)
    assert.ok(rights.some(({ user, mongodb }) => user === name && mongodb !== undefined));
});

test('every request has one service that answers it, and somebody who asks', () => {
  for (const name of Object.keys(requestSchemas)) {
    assert.equal(usersThat(({ answers }) => answers, name).length, 1, name);
    assert.notEqual(usersThat(({ asks }) => asks, name).length, 0, name);
  }
});

test('every event has somebody who publishes it', () => {
  for (const type of Object.keys(eventSchemas)) {
    assert.notEqual(usersThat(({ publishes }) => publishes, type).length, 0, type);
  }
});

test('every wake-up has somebody who sends it, and somebody who listens', () => {
  for (const name of Object.keys(wakeSchemas)) {
    assert.notEqual(usersThat(({ wakes }) => wakes, name).length, 0, name);
    assert.notEqual(usersThat(({ wokenBy }) => wokenBy, name).length, 0, name);
  }
});

test('what auth is asked is answered by auth alone', () => {
  for (const name of Object.keys(requestSchemas).filter((each) =>
    /^(auth|directory|account|appPassword)\./.test(each),
  )) {
    assert.deepEqual(
      usersThat(({ answers }) => answers, name),
      ['auth'],
      name,
    );
  }
});
