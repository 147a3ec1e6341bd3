import type { MessageSummary } from './ports/mailboxes.ts';

/**
 * How messages come together in threads, at delivery and for ever (RFC 8621 §3 leaves it to the server): a message joins the thread of the nearest
 * message that it refers to and that the account knows (by its own id too: an answer may have come first); one that says that it is an answer but
 * refers to nothing joins the newest thread of its base subject; any other begins a thread.
 */
export interface ThreadKeys {
  /** Key of the message's own Message-ID. */
  own: string | null;
  /** Keys of the messages that it refers to, nearest first. */
  references: readonly string[];
  /** Key of the base subject; null when there is none. */
  subject: string | null;
  /** True when the subject decides: it has the form of an answer and there are no references. */
  joinsBySubject: boolean;
}

export function threadKeys(summary: MessageSummary): ThreadKeys {
  const { messageIdHeader, inReplyTo, references } = summary;
  const nearestFirst = [...inReplyTo.slice(0, 1), ...references.toReversed(), ...inReplyTo.slice(1)];
  const others = [...new Set(nearestFirst)].filter((id) => id !== messageIdHeader);
  const { base, answers } = baseSubject(summary.subject);
  return {
    own: messageIdHeader === null ? null : `id:${messageIdHeader}`,
    references: others.slice(0, maxReferences).map((id) => `id:${id}`),
    subject: base === '' ? null : `subject:${base}`,
    joinsBySubject: answers && others.length === 0 && base !== '',
  };
}

/** How long after its last message a thread is joined by subject alone: a "Re: Hello" of next year is about something else. */
export const joinBySubjectMs = 30 * 24 * 3_600_000;

/** A long thread names all that went before; its end is enough. */
const maxReferences = 20;

/** The subject without marks of answers, forwards and lists, in the manner of RFC 5256 §2.1; `answers` when there was a mark of an answer. */
export function baseSubject(subject: string): { base: string; answers: boolean } {
  let rest = subject.slice(0, maxSubjectLength).replace(/\s+/g, ' ').trim();
  let answers = false;
  for (let round = 0; round < maxMarks; round += 1) {
    const mark = answerMark.exec(rest) ?? otherMark.exec(rest);
    if (mark === null) break;
    if (answerMark.test(rest)) answers = true;
    rest = rest.slice(mark[0].length).trim();
  }
  return {
    base: rest
      .replace(/( ?\(fwd\))+$/i, '')
      .toLowerCase()
      .normalize('NFC'),
    answers,
  };
}

const maxSubjectLength = 1_000;
const maxMarks = 50;
/** Re and what mailers of other languages write for it (German, Scandinavian, Finnish, Polish, Italian, Dutch). */
const answerMark = /^(?:re|aw|sv|vs|odp|rif|antw)(?:\[\d{1,4}\])? ?[:：] ?/i;
/** Forwards and the name of a list in brackets. */
const otherMark = /^(?:(?:fwd?|wg|tr|rv)(?:\[\d{1,4}\])? ?[:：] ?|\[[^[\]]{1,80}\] ?)/i;
