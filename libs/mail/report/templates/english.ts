import { delayed } from './delayed.ts';
import { delivered } from './delivered.ts';
import { expanded } from './expanded.ts';
import { failed } from './failed.ts';
import { relayed } from './relayed.ts';
import type { Templates } from './template.ts';

export const english: Templates = {
  opening: ({ server, arrived }) => [`This is the mail system at ${server}, about your message of`, `${arrived}.`],
  failed,
  delayed,
  delivered,
  relayed,
  expanded,
  closing: ({ attached }) => [
    attached === 'message' ? 'Your message is attached.' : 'The header of your message is attached.',
  ],
};
