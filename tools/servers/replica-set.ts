export interface MongoReplicaSet {
  /** With `replicaSet=…`; options such as a write concern are the caller's. */
  url: string;
  /** Empty when the address was given: those are not ours to kill. */
  members: readonly MongoMember[];
  /** The member that is primary now. @throws when the members are not ours, or none is primary within 30 s */
  primary(): Promise<MongoMember>;
  /** Ends what was started for this set and removes its data. */
  stop(): Promise<void>;
}

export interface MongoMember {
  /** `host:port` in the set's configuration. */
  host: string;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again with its data. Doesn't wait until it has caught up. */
  start(): Promise<void>;
  /** Freezes it (SIGSTOP) and lets it go on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}
