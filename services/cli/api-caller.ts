/** Calls the HTTP API as the user of the command line. */
export interface ApiCaller {
  /** Rejects with ApiProblem for every answer that isn't 2xx, ApiUnreachable when there is none. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Record<string, unknown>>;
  /** All items of a list, page after page, up to `most`. */
  list(path: string, most: number): Promise<Record<string, unknown>[]>;
}

export interface ApiAccess {
  url: string;
  authorization: string | undefined;
}

export function apiCaller({ url, authorization }: ApiAccess): ApiCaller {
  async function call(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Record<string, unknown>> {
    const init = {
      method,
      headers: {
        accept: 'application/json',
        ...(authorization === undefined ? {} : { authorization }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    };
    const answer = await fetch(new URL(path, url), init).catch((error: unknown) => {
      throw new ApiUnreachable(url, error);
    });
    const parsed = asRecord(parse(await answer.text()));
    if (!answer.ok) throw new ApiProblem(answer.status, parsed);
    return parsed;
  }

  return {
    call,
    async list(path, most) {
      const items: Record<string, unknown>[] = [];
      let cursor: unknown;
      do {
        const join = path.includes('?') ? '&' : '?';
        const limit = Math.min(pageSize, most - items.length);
        const at = typeof cursor === 'string' ? `&cursor=${encodeURIComponent(cursor)}` : '';
        const page = await call('GET', `${path}${join}limit=${limit}${at}`);
        if (Array.isArray(page['items'])) items.push(...page['items'].map(asRecord));
        cursor = page['nextCursor'];
      } while (typeof cursor === 'string' && items.length < most);
      return items;
    },
  };
}

const timeoutMs = 60_000;
const pageSize = 100;

export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly status: number;
  readonly problem: Readonly<Record<string, unknown>>;
  constructor(status: number, problem: Readonly<Record<string, unknown>>) {
    const { title, detail, code } = problem;
    const named = typeof title === 'string' ? title : `HTTP ${status}`;
    super(`${named}${typeof detail === 'string' ? `: ${detail}` : ''}${hintOf(code)}`);
    this.status = status;
    this.problem = problem;
  }
}

function hintOf(code: unknown): string {
  if (code !== 'unauthenticated') return '';
  return '\nGive --user ADDRESS and --password-file FILE (or --password), or WAYPOST_API_TOKEN.';
}

export class ApiUnreachable extends Error {
  override readonly name = 'ApiUnreachable';
  constructor(url: string, cause: unknown) {
    super(`nothing answers at ${url}: is Waypost started? --api or WAYPOST_API_URL says where it is`, { cause });
  }
}

function parse(text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    // Not our API: a proxy's page, say. The status tells enough.
    return {};
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
