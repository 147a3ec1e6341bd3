/** RFC 2047 §2: an encoded word has at most 75 characters; "=?UTF-8?B?" and "?=" leave 60 of them, 45 bytes. */
const MAX_WORD_BYTES = 45;

/** Text as folded encoded words in base64, never cut inside a character. For header values that can't be written as they are. */
export function encodeAsWords(text: string): string {
  const words: string[] = [];
  let word = '';
  let bytes = 0;
  for (const character of text.toWellFormed()) {
    const size = Buffer.byteLength(character);
    if (bytes + size > MAX_WORD_BYTES) {
      words.push(word);
      word = '';
      bytes = 0;
    }
    word += character;
    bytes += size;
  }
  words.push(word);
  return words.map((piece) => `=?UTF-8?B?${Buffer.from(piece).toString('base64')}?=`).join('\r\n ');
}
