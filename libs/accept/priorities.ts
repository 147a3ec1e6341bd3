/** Priorities of targets: lower goes first at its destination. */
export const priorities = { report: 0, ordinary: 1, bulk: 2 } as const;

/**
 * Bulk mail stands behind what somebody waits for: what says so itself (Precedence, as list software and newsletters have it), and what goes to many at once.
 * Nothing that a stranger can write makes mail go before the others'.
 */
export function priorityOf(message: { header: string; targets: number }): number {
  return message.targets > manyTargets || precedence.test(message.header) ? priorities.bulk : priorities.ordinary;
}

const manyTargets = 100;
const precedence = /(?:^|\n)precedence[ \t]*:[ \t]*(?:bulk|list|junk)[ \t]*(?:\r|\n|$)/i;
