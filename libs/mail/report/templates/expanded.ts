import { recipientLines, type SectionTemplate } from './template.ts';

export const expanded: SectionTemplate = (recipients) => ({
  subject: 'Your message was delivered',
  paragraphs: [['It was delivered to the members of:'], ...recipients.map(recipientLines)],
});
