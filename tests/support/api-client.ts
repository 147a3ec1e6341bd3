import assert from 'node:assert/strict';

/** A user of the HTTP API. Bodies are read as JSON, whatever the status. */
export interface ApiClient {
  request(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<ApiAnswer>;
  /** GET that must be 200. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  get(path: string): Promise<any>;
  bytes(path: string): Promise<Buffer>;
}

export interface ApiAnswer {
  status: number;
  headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  body: any;
}

export function apiClient(base: string, user: { address: string; password: string }): ApiClient {
  const authorization = `Basic ${Buffer.from(`${user.address}:${user.password}`).toString('base64')}`;

  async function request(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ApiAnswer> {
    const answer = await fetch(base + path, {
      method,
      headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) };
  }

  return {
    request,
    async get(path) {
      const answer = await request('GET', path);
      assert.equal(answer.status, 200, `GET ${path}: ${JSON.stringify(answer.body)}`);
      return answer.body;
    },
    async bytes(path) {
      const answer = await fetch(base + path, { headers: { authorization } });
      assert.equal(answer.status, 200, `GET ${path}`);
      return Buffer.from(await answer.arrayBuffer());
    },
  };
}

/** Makes an account as administrator and answers a client for it. */
export async function createAccount(
  base: string,
  admin: { address: string; password: string },
  address: string,
): Promise<ApiClient & { id: string; address: string; password: string }> {
  const password = `password of ${address}`;
  const answer = await apiClient(base, admin).request('POST', '/api/v1/accounts', { address, password });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return { ...apiClient(base, { address, password }), id: answer.body.id, address, password };
}
