import { problemCatalogue } from './problem-catalogue.ts';
import type { ProblemCode } from './problem-catalogue.ts';

/**
 * An answer that isn't a success, as RFC 9457 problem details. Thrown anywhere in a handler; written in one place (problem-reply.ts).
 * `code` is stable and in problem-catalogue.ts (or a rule of a store's `Refused`); `detail` is for people; `extra` holds further members.
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string | undefined;
  readonly extra: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    title: string,
    detail?: string,
    extra: Readonly<Record<string, unknown>> = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail === undefined ? title : `${title}: ${detail}`);
    this.status = status;
    this.code = code;
    this.title = title;
    this.detail = detail;
    this.extra = extra;
    this.headers = headers;
  }
}

/** A problem of the catalogue, which gives status and title. */
export function problem(
  code: ProblemCode,
  detail?: string,
  options: { extra?: Readonly<Record<string, unknown>>; headers?: Readonly<Record<string, string>> } = {},
): Problem {
  const { status, title } = problemCatalogue[code];
  return new Problem(status, code, title, detail, options.extra, options.headers);
}

/** RFC 9457 §3.2. `type` is about:blank, because `code` already says which problem it is. */
export function problemBody(from: Problem): Record<string, unknown> {
  return {
    type: 'about:blank',
    title: from.title,
    status: from.status,
    ...(from.detail === undefined ? {} : { detail: from.detail }),
    code: from.code,
    ...from.extra,
  };
}
