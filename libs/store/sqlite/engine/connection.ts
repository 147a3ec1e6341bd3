import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

export type SqlValue = SQLInputValue;

/** One SQLite connection with its prepared statements kept. Synchronous: lives in a writer or reader thread only. */
export class Connection {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #counts = new Map<string, number>();
  #writes = 0;

  constructor(file: string, options: { readOnly: boolean; maxPageCount?: number }) {
    this.#database = new DatabaseSync(file, { readOnly: options.readOnly, timeout: busyTimeoutMs });
    this.exec(options.readOnly ? readerPragmas : writerPragmas);
    if (options.maxPageCount !== undefined) this.exec(`PRAGMA max_page_count = ${options.maxPageCount}`);
  }

  /** The first row, typed by the caller: our own schema made it. */
  get<Row>(sql: string, ...params: SqlValue[]): Row | undefined {
    // The one place where a row of our own tables becomes its type.
    this.#touch(sql);
    return this.#statement(sql).get(...params) as Row | undefined;
  }

  all<Row>(sql: string, ...params: SqlValue[]): Row[] {
    this.#touch(sql);
    return this.#statement(sql).all(...params) as Row[];
  }

  /** Row by row; the same SQL must not be run again before the end of the loop. */
  each<Row>(sql: string, ...params: SqlValue[]): Iterable<Row> {
    return this.#statement(sql).iterate(...params) as Iterable<unknown> as Iterable<Row>;
  }

  /** Number of rows changed. */
  run(sql: string, ...params: SqlValue[]): number {
    this.#writes++;
    return Number(this.#statement(sql).run(...params).changes);
  }

  /** Rows added, and the rowid of the last one. */
  insert(sql: string, ...params: SqlValue[]): { changes: number; lastId: number } {
    this.#writes++;
    const { changes, lastInsertRowid } = this.#statement(sql).run(...params);
    return { changes: Number(changes), lastId: Number(lastInsertRowid) };
  }

  /** Statements without parameters or rows: DDL, pragmas. */
  exec(sql: string): void {
    this.#writes++;
    this.#database.exec(sql);
  }

  /**
   * Adds to a counter (table `counters`) when the running job is kept. Written once for a whole group, so that counts which change with each row
   * cost one row a commit.
   */
  count(name: string, delta: number): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + delta);
  }

  /** What the job since the last call has counted. */
  takeCounts(): ReadonlyMap<string, number> {
    const counts = this.#counts;
    if (counts.size > 0) this.#counts = new Map();
    return counts;
  }

  /** Grows with each statement that may have written: a job that fails before its first needs no rollback. */
  get writes(): number {
    return this.#writes;
  }

  /** False when SQLite has rolled back by itself, or nothing was begun. */
  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  /** `INSERT … RETURNING` answers rows and writes. */
  #touch(sql: string): void {
    if (!sql.startsWith('SELECT')) this.#writes++;
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      if (this.#statements.size >= maxStatements) this.#statements.clear();
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** SQL texts are few; lists of `?` of many lengths could make many, so there is a cap. */
const maxStatements = 400;
const busyTimeoutMs = 5_000;

// synchronous=FULL: with WAL, each commit is fsynced before it returns (promise 1). The WAL is bounded by a checkpoint each 8,000 pages.
const writerPragmas = `
  PRAGMA page_size = 4096;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA wal_autocheckpoint = 8000;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA cache_size = -16384;
  PRAGMA temp_store = MEMORY;
  PRAGMA foreign_keys = ON;
`;
const readerPragmas = `
  PRAGMA cache_size = -8192;
  PRAGMA temp_store = MEMORY;
  PRAGMA query_only = ON;
`;
