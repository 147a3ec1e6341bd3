import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { baseSubject, threadKeys } from './threading.ts';

describe('threading', () => {
  it('the base subject is without marks of answers, forwards and lists', () => {
    for (const [subject, base, answers] of [
      ['Plan', 'plan', false],
      ['Re: Plan', 'plan', true],
      ['RE:  re[2]: Fwd: [team] AW: Plan  b', 'plan b', true],
      ['[team] Plan', 'plan', false],
      ['Fwd: Plan (fwd)', 'plan', false],
      ['Re:', '', true],
      ['', '', false],
      ['Reply: Plan', 'reply: plan', false],
      ['Re：計画', '計画', true],
    ] as const) {
      assert.deepEqual(baseSubject(subject), { base, answers }, subject);
    }
  });

  it('a subject made to be slow is read in a moment', () => {
    const before = performance.now();
    baseSubject(`${'Re: '.repeat(10_000)}x`);
    baseSubject(`${'[a] '.repeat(10_000)}x`);
    baseSubject(`x${' (fwd)'.repeat(10_000)}y`);
    assert.ok(performance.now() - before < 100);
  });

  it('references are looked up nearest first, each once, without the message itself', () => {
    const keys = threadKeys({
      from: [],
      to: [],
      cc: [],
      subject: 'Re: x',
      messageIdHeader: 'own',
      inReplyTo: ['parent', 'other'],
      references: ['root', 'own', 'parent'],
      sentAt: null,
      preview: '',
      hasAttachment: false,
      unparsable: false,
    });
    assert.deepEqual(keys.references, ['id:parent', 'id:root', 'id:other']);
    assert.equal(keys.joinsBySubject, false);
  });
});
