/** Most tokens that the instrument takes: the matrix still has a pixel or more for each. */
export const maxTokens = 256;

const segmenter = new Intl.Segmenter(undefined, { granularity: "word" });

/** Words and marks of a text in any script, without the white space between them. */
export function tokenize(text: string): { tokens: string[]; left: number } {
  const all = Array.from(segmenter.segment(text), ({ segment }) => segment).filter(
    (segment) => segment.trim() !== "",
  );
  return { tokens: all.slice(0, maxTokens), left: Math.max(0, all.length - maxTokens) };
}

/** A number for a token's text (FNV-1a over UTF-16 units), from which the kernels draw its embedding. */
export function tokenId(token: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < token.length; ++i) hash = Math.imul(hash ^ token.charCodeAt(i), 0x01000193);
  return hash | 0;
}
