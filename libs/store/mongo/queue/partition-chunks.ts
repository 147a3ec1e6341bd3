/**
 * A query of many partitions in the order of what follows them in an index: MongoDB merges the sorted ranges of at most 200 of them (its
 * internalQueryMaxScansToExplode) and sorts in memory past that. So it is asked in chunks; the caller merges their answers.
 */
export async function ofChunks<T>(
  partitions: readonly number[],
  query: (chunk: number[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const chunks: number[][] = [];
  for (let at = 0; at < partitions.length; at += chunkSize) chunks.push(partitions.slice(at, at + chunkSize));
  return (await Promise.all(chunks.map(query))).flat();
}

const chunkSize = 128;
