import { recipientLines, type SectionTemplate } from './template.ts';

export const delayed: SectionTemplate = (recipients) => ({
  subject: 'Your message is delayed',
  paragraphs: [
    ['It could not be delivered yet, and will be tried again, to:'],
    ...recipients.map((recipient) => {
      const lines = recipientLines(recipient);
      if (recipient.until === undefined) return lines;
      return [...lines, `    It will be tried until ${recipient.until}; you need not send it again.`];
    }),
  ],
});
