/** No way to a real server was found on this machine. */
export class BackendUnavailable extends Error {
  readonly backend: string;
  /** Why each way was not open, in the order they were tried. */
  readonly reasons: readonly string[];

  constructor(backend: string, reasons: readonly string[]) {
    super(`no ${backend} for tests: ${reasons.join('; ')}`);
    this.name = 'BackendUnavailable';
    this.backend = backend;
    this.reasons = reasons;
  }
}

/** One way to a server. `open` throws when the way is closed; what it says is shown to people. */
export interface Way<T> {
  name: string;
  open: () => Promise<T>;
  /** Somebody asked for this way by name: when it is closed, no other is tried. */
  asked?: boolean;
}

/** The first way that is open. @throws BackendUnavailable when none is; the error of a way that was asked for */
export async function firstOpenWay<T>(backend: string, ways: Way<T>[]): Promise<T> {
  const reasons: string[] = [];
  for (const { name, open, asked } of wantedOf(ways)) {
    try {
      return await open();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (asked === true) throw new Error(`${name}: ${reason}`, { cause: error });
      reasons.push(`${name}: ${reason}`);
    }
  }
  throw new BackendUnavailable(backend, reasons);
}

/** `WAYPOST_TEST_WAY=Docker` leaves no other way where there is that one: a run that is about it must not pass by another. */
function wantedOf<T>(ways: readonly Way<T>[]): readonly Way<T>[] {
  const wanted = ways.filter(({ name }) => name === process.env['WAYPOST_TEST_WAY']);
  return wanted.length > 0 ? wanted : ways;
}

/** Whether a test that needs a server which can't be had is a failure (CI, or by word) or is skipped. */
export function isRequired(environment: Readonly<Record<string, string | undefined>>): boolean {
  return environment['CI'] === 'true' || environment['WAYPOST_TEST_BACKENDS'] === 'required';
}
