/** Pages in the order of `_id`, each a query of its own: no cursor stays open while a page is worked on. `page` answers those after the given one. */
export async function* pagesOf<T extends { _id: string }>(page: (after: string) => Promise<T[]>): AsyncGenerator<T[]> {
  let found = await page('');
  for (let last = found.at(-1); last !== undefined; last = found.at(-1)) {
    yield found;
    found = await page(last._id);
  }
}
