import type { Binary, Collection, Db, ObjectId } from 'mongodb';

/** A body in GridFS's own form (MongoDB manual, GridFS): `mongofiles --prefix=blobs` can read it too. It comes after its chunks. */
export interface BlobFileDocument {
  /** The reference: a UUIDv7. */
  _id: string;
  filename: string;
  /** Bytes. */
  length: number;
  chunkSize: number;
  uploadDate: Date;
  metadata: { v: 1; sha256: string };
}

/** `n` from 0. A body without bytes has one chunk without bytes, so that every body has a chunk 0. */
export interface BlobChunkDocument {
  _id: ObjectId;
  files_id: string;
  n: number;
  data: Binary;
}

export interface BlobCollections {
  blobFiles: Collection<BlobFileDocument>;
  blobChunks: Collection<BlobChunkDocument>;
}

/** Each chunk once, in their order; also the list of all bodies. */
export const chunkIndex = { name: 'blob_chunks_once', key: { files_id: 1, n: 1 } } as const;

export const blobCollections = (db: Db): BlobCollections => ({
  blobFiles: db.collection('blobs.files'),
  blobChunks: db.collection('blobs.chunks'),
});
