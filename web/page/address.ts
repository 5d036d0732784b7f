/**
 * The whole of what is shown, in an address: `#rotary?v=1&position=12` is a chapter and what differs there from how it
 * sets out.
 */
export interface Place {
  chapter: string;
  /** What differs from how the chapter sets out; undefined where it is to be as it was left. */
  state?: Readonly<Record<string, string>> | undefined;
}

/** Of the names and values within an address. */
const version = "1";

/** What a hash says. An address of another version, or with nonsense in it, still leads to its chapter. */
export function readPlace(hash: string): Place {
  const [chapter = "", query] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const parameters = new URLSearchParams(query);
  const isKnown = parameters.get("v") === version;
  parameters.delete("v");
  return { chapter: decoded(chapter), state: isKnown ? Object.fromEntries(parameters) : undefined };
}

export function writePlace({ chapter, state }: Place): string {
  return state === undefined ? `#${chapter}` : `#${chapter}?${new URLSearchParams({ v: version, ...state })}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
