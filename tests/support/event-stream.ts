import assert from 'node:assert/strict';

/** A waiting reader of `…/events`: what it was told, in order. */
export interface EventStreamReader {
  /** The next `state` event; rejects past `timeoutMs`. */
  next(timeoutMs: number): Promise<{ id: string; state: string }>;
  close(): void;
}

export async function openEventStream(
  api: string,
  user: { address: string; password: string },
  lastEventId?: string,
): Promise<EventStreamReader> {
  const abort = new AbortController();
  const answer = await fetch(`${api}/api/v1/accounts/me/events`, {
    signal: abort.signal,
    headers: {
      authorization: `Basic ${Buffer.from(`${user.address}:${user.password}`).toString('base64')}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    },
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'text/event-stream');
  const events = eventsOf(answer.body!);
  return {
    async next(timeoutMs) {
      const { promise: late, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(() => reject(new Error(`no event within ${timeoutMs} ms`)), timeoutMs);
      const next = await Promise.race([events.next(), late]).finally(() => clearTimeout(timer));
      assert.ok(next.done !== true, 'the stream ended');
      return next.value;
    },
    close: () => abort.abort(),
  };
}

async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<{ id: string; state: string }> {
  let text = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = new Map(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const),
      );
      text = text.slice(end + 2);
      if (fields.get('event') === 'state') {
        yield { id: fields.get('id') ?? '', state: JSON.parse(fields.get('data') ?? '{}').state };
      }
    }
  }
}
