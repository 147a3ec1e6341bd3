import { recipientLines, type SectionTemplate } from './template.ts';

export const relayed: SectionTemplate = (recipients) => ({
  subject: 'Your message was passed on',
  paragraphs: [['It was passed on to a server that sends no reports, for:'], ...recipients.map(recipientLines)],
});
