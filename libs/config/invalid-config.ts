export interface ConfigProblem {
  /** Of the environment. */
  name: string;
  /** What is wrong; never with the value of a secret. */
  wrong: string;
  /** The form that would be right, or what to do. */
  expected: string;
}

/** The environment isn't a configuration; the message lists all that is wrong, one a line. */
export class InvalidConfig extends Error {
  override readonly name = 'InvalidConfig';
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ name, wrong, expected }) => `${name}: ${wrong}. Expected: ${expected}`).join('\n'));
    this.problems = problems;
  }
}
