import { recipientLines, type SectionTemplate } from './template.ts';

export const delivered: SectionTemplate = (recipients) => ({
  subject: 'Your message was delivered',
  paragraphs: [['It was delivered to:'], ...recipients.map(recipientLines)],
});
