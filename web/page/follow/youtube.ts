import { isTime } from "../time.js";
import { Source } from "./source.js";

export const youtubeHost = "www.youtube-nocookie.com";
const origin = `https://${youtubeHost}`;

/** The player's word for «playing». */
const playingState = 1;

/** The id of a video, of whatever a student pastes: an address in any of YouTube's forms, or the id. */
export function youtubeId(pasted: string): string | undefined {
  const text = pasted.trim();
  const isId = (id: string | null | undefined): id is string => /^[\w-]{11}$/.test(id ?? "");
  if (isId(text)) return text;
  const address = /^https?:/i.test(text) ? text : `https://${text}`;
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  const host = url.hostname.replace(/^(www|m|music)\./, "");
  if (!["youtube.com", "youtube-nocookie.com", "youtu.be"].includes(host)) return undefined;
  const [, first, second] = url.pathname.split("/");
  const id =
    host === "youtu.be"
      ? first
      : ["embed", "live", "shorts", "v"].includes(first ?? "")
        ? second
        : url.searchParams.get("v");
  return isId(id) ? id : undefined;
}

/** The player's page. It is told who frames it: it answers to nobody else. */
export function youtubeAddress(id: string, here: string): string {
  const query = new URLSearchParams({ enablejsapi: "1" });
  // A page from a file has no origin.
  if (here.startsWith("http")) query.set("origin", here);
  return `${origin}/embed/${id}?${query}`;
}

/**
 * A YouTube player in a frame, spoken to by the messages that its own script would send. That script is not loaded: the
 * page runs nobody else's code.
 */
export class YouTube extends Source {
  time = 0;
  playing = false;
  #asking: ReturnType<typeof setInterval> | undefined;
  #answers = false;
  /** What it was told before it answered, the last of each kind. */
  readonly #kept = new Map<string, () => void>();

  constructor(
    private readonly frame: HTMLIFrameElement,
    window: Window,
  ) {
    super();
    const { signal } = this.closing;
    window.addEventListener("message", (event) => this.#hear(event), { signal });
    frame.addEventListener("load", () => this.#listen(), { signal });
  }

  seek(time: number): void {
    this.#tell("where", () => this.#command("seekTo", [time, true]));
  }

  play(): void {
    this.#tell("whether", () => this.#command("playVideo"));
  }

  pause(): void {
    this.#tell("whether", () => this.#command("pauseVideo"));
  }

  override close(): void {
    clearInterval(this.#asking);
    super.close();
  }

  /** A player that is not ready yet hears nothing, so it is asked until it answers, and what it is to do is kept. */
  #listen(): void {
    this.#answers = false;
    clearInterval(this.#asking);
    this.#asking = setInterval(() => this.#send({ event: "listening", id: 1, channel: "widget" }), 250);
  }

  #tell(kind: "where" | "whether", command: () => void): void {
    if (this.#answers) command();
    else this.#kept.set(kind, command);
  }

  #command(func: string, args: readonly unknown[] = []): void {
    this.#send({ event: "command", func, args });
  }

  #send(message: object): void {
    this.frame.contentWindow?.postMessage(JSON.stringify(message), origin);
  }

  #hear(event: MessageEvent): void {
    if (event.origin !== origin || event.source !== this.frame.contentWindow) return;
    const { currentTime, playerState } = info(event.data);
    clearInterval(this.#asking);
    this.#answers = true;
    for (const command of this.#kept.values()) command();
    this.#kept.clear();
    if (isTime(currentTime)) this.time = currentTime;
    if (typeof playerState === "number") this.playing = playerState === playingState;
    this.tell();
  }
}

/** What a message tells of the player: `{"event":"infoDelivery","info":{"currentTime":900.5}}`. */
function info(data: unknown): { currentTime?: unknown; playerState?: unknown } {
  try {
    const message = JSON.parse(String(data));
    return ["initialDelivery", "infoDelivery"].includes(message.event) ? (message.info ?? {}) : {};
  } catch {
    return {};
  }
}
