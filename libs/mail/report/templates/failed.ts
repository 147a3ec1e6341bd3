import { recipientLines, type SectionTemplate } from './template.ts';

export const failed: SectionTemplate = (recipients) => ({
  subject: 'Your message could not be delivered',
  paragraphs: [['It could not be delivered to:'], ...recipients.map(recipientLines)],
});
