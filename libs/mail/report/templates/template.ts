/** What a text tells of one recipient; every field is one line, and safe to show. */
export interface ToldRecipient {
  address: string;
  /** The last reply, or our own reason. */
  reply?: string;
  /** The host that gave it. */
  by?: string;
  /** Of a delay: until when it is tried, as a date. */
  until?: string;
}

/** The part of a report about the recipients of one action: paragraphs, each a list of lines. */
export type SectionTemplate = (recipients: readonly ToldRecipient[]) => { subject: string; paragraphs: string[][] };

export interface Frame {
  /** Host name of this server. */
  server: string;
  /** When the message came, as a date. */
  arrived: string;
  /** What is attached of it. */
  attached: 'message' | 'header';
}

/** The words of all reports. */
export interface Templates {
  opening: (frame: Frame) => string[];
  failed: SectionTemplate;
  delayed: SectionTemplate;
  delivered: SectionTemplate;
  relayed: SectionTemplate;
  expanded: SectionTemplate;
  closing: (frame: Frame) => string[];
}

/** Address and reply, as most sections show them. */
export function recipientLines({ address, reply, by }: ToldRecipient): string[] {
  if (reply === undefined) return [`  ${address}`];
  return [`  ${address}`, `    ${by === undefined ? '' : `${by} said: `}${reply}`];
}
