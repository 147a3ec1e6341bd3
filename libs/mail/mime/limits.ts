/**
 * What a message may make the parser do. Past a limit the rest is left unread and the message is marked `unparsable`; its bytes are
 * kept and readable raw. Real mail stays far below all of them.
 */
/** Multiparts within multiparts; deeper ones are kept as an attachment, unread. */
export const MAX_DEPTH = 100;
/** Parts of a message in all. */
export const MAX_PARTS = 1000;
/** Of one header block. */
export const MAX_HEADER_BYTES = 256 * 1024;
/** Of one header block: each field costs an object, however short it is. */
export const MAX_HEADER_FIELDS = 2000;
/** RFC 2046 §5.1.1 says 70; some mailers go past it. */
export const MAX_BOUNDARY_LENGTH = 256;
/** Parameters of one Content-Type or Content-Disposition. */
export const MAX_PARAMETERS = 100;
/** Decoded text of a message that is handed on for search, in characters. */
export const MAX_SEARCH_TEXT_LENGTH = 256 * 1024;
/** Decoded text, and again HTML, of a message that is shown, in bytes. What is longer is cut and said to be (`bodyTruncated`). */
export const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** HTML that is laid out as text with care, in characters; longer HTML only loses its tags. */
export const MAX_LAID_OUT_HTML_LENGTH = 256 * 1024;
export const MAX_SUBJECT_LENGTH = 1000;
export const MAX_PREVIEW_LENGTH = 200;
/** Ids of References or In-Reply-To: the first one and the last ones (RFC 5322 §3.6.4 has the thread's root first). */
export const MAX_MESSAGE_IDS = 100;
/** Addresses of one field in a summary; the full message has up to MAX_HEADER_ADDRESSES. */
export const MAX_SUMMARY_ADDRESSES = 100;
