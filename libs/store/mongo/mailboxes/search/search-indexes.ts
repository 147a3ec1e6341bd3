/** Indexes of the search; docs/decisions/search.md has what they cost. */
export const searchIndexes = [
  {
    collection: 'messageSearch',
    name: 'message_search_terms',
    key: { terms: 1, receivedAt: 1 },
    useCase: 'messages with a word, newest first',
  },
  {
    collection: 'messages',
    name: 'messages_unindexed',
    key: { receivedAt: 1, createdModseq: 1 },
    useCase: 'messages that the search doesn’t know yet, oldest first',
    options: { partialFilterExpression: { live: true, searched: null } },
  },
] as const;
