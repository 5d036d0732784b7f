import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { property, state } from "lit/decorators.js";
import { theme } from "../../elements/theme.js";
import type { Place } from "../address.js";
import { ChapterEvent, type Companion } from "../companion.js";
import type { Desk } from "../desk.js";
import { forms } from "../forms.js";
import { readTime, writeTime } from "../time.js";
import { words } from "../words/en.js";
import { Clock } from "./clock.js";
import { Host } from "./host.js";
import { stampLane } from "./lane.js";
import type { Source } from "./source.js";
import { documents, Video } from "./video.js";
import { YouTube, youtubeAddress, youtubeId } from "./youtube.js";

/** What can be followed: a clock, a video of this page or its host, a file of the student's, a player of YouTube's. */
type Kind = keyof typeof words.follow.kinds;

/** Goes to a place; whoever holds on to the controls of the video keeps hold of them. */
export function goer(companion: Companion): (place: Place) => void {
  const { document } = companion;
  return (place) => {
    const part = document.activeElement;
    const held = part instanceof CompanionFollow ? part.shadowRoot?.activeElement : undefined;
    if (held instanceof HTMLElement)
      document.addEventListener(ChapterEvent.type, () => held.focus({ preventScroll: true }), { once: true });
    companion.go(place);
  };
}

/** The lecture's clock: what it is, what it says, and whether the page follows. */
export class CompanionFollow extends LitElement {
  static override styles = [
    theme,
    forms,
    css`
      section {
        padding-top: 16px;
        border-top: 1px solid var(--line);
      }

      .open {
        width: 100%;
        padding: 4px 8px;
      }

      .head {
        justify-content: space-between;
        gap: 0;
        margin-bottom: 8px;
      }

      h2 {
        flex: 1;
      }

      fieldset {
        min-width: 0;
        margin: 0 0 12px;
        padding: 0;
        border: 0;
      }

      .kinds {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(84px, 1fr));
        gap: 2px 8px;
      }

      .kinds label,
      .following {
        display: flex;
        align-items: center;
        gap: 8px;
        min-height: 28px;
        color: var(--ink);
        font-weight: 500;
      }

      input[type="radio"],
      input[type="checkbox"] {
        width: 16px;
        height: 16px;
        margin: 0;
        accent-color: var(--ink);
      }

      .stage {
        display: grid;
        gap: 8px;
        margin-bottom: 12px;
      }

      .stage form {
        display: grid;
        gap: 6px;
      }

      input[type="file"] {
        width: 100%;
        min-height: 28px;
        font: 13px var(--label);
      }

      video,
      iframe {
        display: block;
        width: 100%;
        border: 0;
        border-radius: 8px;
        background: #000;
      }

      video {
        aspect-ratio: 16 / 9;
      }

      /* The least that YouTube's player has to have. */
      iframe {
        aspect-ratio: 16 / 9;
        min-height: 200px;
      }

      .now {
        justify-content: space-between;
        gap: 4px 16px;
      }

      #time {
        font-size: 36px;
        font-weight: 500;
        line-height: 1.1;
      }

      .set {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: 4px 8px;
        margin: 12px 0 0;
      }

      .set label {
        grid-column: 1 / -1;
      }

      .problem {
        grid-column: 1 / -1;
      }

      #resume {
        margin-top: 6px;
      }

      .stamps {
        margin-top: 14px;
      }

      .stamps h2 {
        margin-bottom: 4px;
      }

      .stamps button {
        display: grid;
        grid-template-columns: 44px minmax(0, 1fr);
        width: 100%;
        padding: 5px 0;
        border: 0;
        border-radius: 4px;
        color: var(--soft);
        font-weight: 400;
        text-align: left;
      }

      .stamps span {
        grid-column: 2;
      }

      .stamps button:hover,
      .stamps [aria-current] {
        color: var(--ink);
      }

      .stamps [aria-current] time {
        font-weight: 650;
      }

      @media (width >= 900px) {
        .large {
          position: fixed;
          right: 24px;
          bottom: 24px;
          z-index: 2;
          width: min(560px, 45vw);
          margin: 0;
          padding: 10px;
          border: 1px solid var(--line);
          border-radius: 14px;
          background: var(--panel);
        }
      }

      /* A sheet at the thumb. */
      @media (width < 900px) {
        section {
          position: fixed;
          inset: auto 0 0;
          z-index: 2;
          max-height: 75vh;
          padding: 10px 16px 14px;
          overflow-y: auto;
          background: var(--paper);
        }

        .open {
          width: auto;
        }

        .open span {
          position: absolute;
          width: 1px;
          height: 1px;
          overflow: hidden;
          clip-path: inset(50%);
        }

        .size {
          display: none;
        }

        video {
          max-height: 30vh;
        }

        .now {
          justify-content: start;
        }
      }
    `,
  ];

  @property({ attribute: false }) desk: Desk | undefined;
  /** Whether everything is shown that there is to choose, and not only the clock. */
  @property({ type: Boolean, reflect: true }) open = false;
  /** Undefined while nothing is followed, nor anything chosen. */
  @state() private kind: Kind | undefined;
  /** The student's own file. */
  @state() private file = "";
  /** The video at YouTube: nothing is asked for before there is one. */
  @state() private youtube = "";
  @state() private problem = "";
  @state() private wrongTime = "";
  @state() private isLarge = false;
  /** Who has ended it is not asked again by the next video that plays. */
  #wasEnded = false;
  readonly #leaving = new AbortController();

  get #source(): Source | undefined {
    return this.desk?.follower.source;
  }

  override firstUpdated(): void {
    const { desk } = this;
    if (desk === undefined) return;
    desk.follower.addEventListener("change", () => this.requestUpdate());
    const { signal } = this.#leaving;
    // Media events do not bubble, but can be caught on their way down.
    for (const document of documents(window))
      document.addEventListener("play", (event) => this.#offer(event.target), { capture: true, signal });
    // A host's page outlives this one.
    window.addEventListener("pagehide", ({ persisted }) => persisted || this.#leaving.abort());
    if (window.parent !== window) {
      const host = new Host(window);
      host.addEventListener("change", () => this.#take("page", host), { once: true });
    }
    for (const event of ["pointerdown", "pointermove", "keydown", "input"])
      document.querySelector("main")?.addEventListener(event, (moved) => {
        // To move over the page is not to be busy with it.
        if (!(moved instanceof PointerEvent) || moved.buttons !== 0) desk.follower.touch();
      });
  }

  protected override updated(changed: PropertyValues): void {
    this.toggleAttribute("active", this.kind !== undefined);
    const lane = this.closest(".lane");
    const { desk } = this;
    if (desk === undefined) return;
    if (lane !== null)
      stampLane(
        lane,
        desk.chapters,
        this.#source && (({ id, time }) => desk.follower.seek(time as number, { chapter: id })),
      );
    if (changed.has("file") && this.file !== "")
      desk.follower.use(new Video(this.renderRoot.querySelector("video") as HTMLVideoElement));
    if (changed.has("youtube") && this.youtube !== "")
      desk.follower.use(new YouTube(this.renderRoot.querySelector("iframe") as HTMLIFrameElement, window));
  }

  protected override render() {
    if (this.desk === undefined) return nothing;
    if (this.kind === undefined)
      return html`<button type="button" class="open" aria-expanded="false" @click=${this.#open}>
        ${words.follow.open}<span> ${words.follow.openWhat}</span>
      </button>`;
    return html`<section aria-labelledby="heading">
      <div class="row head">
        <h2 id="heading">${words.follow.heading}</h2>
        <button type="button" class="plain" id="more" aria-expanded=${this.open ? "true" : "false"} @click=${() => {
          this.open = !this.open;
        }}>
          ${this.open ? words.follow.less : words.follow.more}
        </button>
        <button type="button" class="plain" id="end" @click=${this.#end}>${words.follow.end}</button>
      </div>
      ${this.open ? this.#kinds() : nothing} ${this.#stage()} ${this.#source === undefined ? nothing : this.#clock(this.#source)}
    </section>`;
  }

  #kinds() {
    const kinds = (Object.keys(words.follow.kinds) as Kind[]).filter(
      (kind) =>
        kind !== "page" || this.kind === "page" || window.parent !== window || this.#videos.length > 0,
    );
    return html`<fieldset>
      <legend class="visually-hidden">${words.follow.what}</legend>
      <div class="kinds">
        ${kinds.map(
          (kind) =>
            html`<label
              ><input type="radio" name="kind" value=${kind} .checked=${this.kind === kind} @change=${() => this.#choose(kind)} />${words.follow.kinds[kind]}</label
            >`,
        )}
      </div>
    </fieldset>`;
  }

  /** Where a video is asked for, and shown. */
  #stage() {
    const size = html`<button type="button" class="plain size" @click=${() => {
      this.isLarge = !this.isLarge;
    }}>${this.isLarge ? words.follow.smaller : words.follow.larger}</button>`;
    const look = this.isLarge ? "stage large" : "stage";
    const problem = html`<p role="alert">${this.problem}</p>`;
    if (this.kind === "file")
      return html`${
        this.open || this.file === ""
          ? html`<form class="stage">
                <label for="file">${words.follow.file}</label>
                <input id="file" type="file" accept="video/*,audio/*" @change=${this.#read} />
                <p class="soft">${words.follow.fileStays}</p>
                ${problem}
              </form>`
          : nothing
      }
        ${
          this.file === ""
            ? nothing
            : html`<div class=${look}>
                <video controls playsinline src=${this.file} @error=${() => {
                  this.problem = words.follow.notPlayable;
                }}></video>
                ${size}
              </div>`
        }`;
    if (this.kind === "youtube")
      return this.youtube === ""
        ? html`<form class="stage" @submit=${this.#load}>
            <label for="address">${words.follow.youtube}</label>
            <input id="address" type="text" autocomplete="off" spellcheck="false" />
            <button>${words.follow.youtubeLoad}</button>
            <p class="soft">${words.follow.youtubeAsks}</p>
            ${problem}
          </form>`
        : html`<div class=${look}>
            <iframe
              title=${words.follow.player}
              src=${youtubeAddress(this.youtube, location.origin)}
              allow="autoplay; encrypted-media; fullscreen; picture-in-picture"
              referrerpolicy="strict-origin-when-cross-origin"
            ></iframe>
            ${size}
          </div>`;
    return nothing;
  }

  #clock(source: Source) {
    const { follower } = this.desk as Desk;
    return html`
      <div class="row now">
        <span id="time" role="timer" aria-label=${words.follow.time}>${writeTime(source.time)}</span>
        <button type="button" id="play" @click=${() => (source.playing ? source.pause() : source.play())}>
          ${source.playing ? words.follow.pause : words.follow.play}
        </button>
      <label class="following"
        ><input id="follow" type="checkbox" .checked=${follower.following} @change=${(event: Event) =>
          follower.follow((event.target as HTMLInputElement).checked)} />${words.follow.follow}</label
      >
      </div>
      <div class="soft" id="status" role="status">${this.#status()}</div>
      ${
        follower.strayed
          ? html`<button type="button" id="resume" @click=${() => follower.follow(true)}>${words.follow.resume}</button>`
          : nothing
      }
      ${
        this.open
          ? html`<form class="set" @submit=${this.#set}>
              <label for="to">${words.follow.setTo}</label>
              <input id="to" type="text" autocomplete="off" placeholder="15:00" />
              <button>${words.follow.set}</button>
              <p class="problem" role="alert">${this.wrongTime}</p>
            </form>`
          : nothing
      }
      ${this.open ? this.#stamps() : nothing}
    `;
  }

  #status(): string {
    const { follower } = this.desk as Desk;
    if (follower.strayed) return words.follow.strayed;
    if (!follower.following) return words.follow.off;
    if (follower.waits) return words.follow.waits;
    const next = follower.stamps.find(({ time }) => time > (follower.time ?? 0));
    return next === undefined ? words.follow.last : words.follow.next(writeTime(next.time));
  }

  #stamps() {
    const { follower } = this.desk as Desk;
    return html`<div class="stamps">
      <h2>${words.follow.stamps}</h2>
      <ol>
        ${follower.stamps.map(
          ({ time, text, place }, index) => html`<li>
            <button
              type="button"
              aria-current=${follower.passed?.time === time ? "true" : nothing}
              @click=${() => follower.seek(time, place)}
            >
              <time class=${time === follower.stamps[index - 1]?.time ? "visually-hidden" : ""}>${writeTime(time)}</time><span>${text}</span>
            </button>
          </li>`,
        )}
      </ol>
    </div>`;
  }

  /** Videos that are there to be followed. */
  get #videos(): HTMLVideoElement[] {
    return documents(window).flatMap((document) => [...document.querySelectorAll("video")]);
  }

  async #open(): Promise<void> {
    this.open = true;
    this.#choose(this.#videos.length > 0 ? "page" : "clock");
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>("input:checked")?.focus();
  }

  async #end(): Promise<void> {
    this.#wasEnded = true;
    this.open = false;
    this.#choose(undefined);
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(".open")?.focus();
  }

  #choose(kind: Kind | undefined): void {
    URL.revokeObjectURL(this.file);
    this.file = "";
    this.youtube = "";
    this.problem = "";
    this.isLarge = false;
    this.kind = kind;
    const videos = this.#videos;
    const video = videos.find(({ paused }) => !paused) ?? videos[0];
    this.desk?.follower.use(
      kind === "clock"
        ? new Clock()
        : kind === "page"
          ? video === undefined
            ? new Host(window)
            : new Video(video)
          : undefined,
    );
  }

  /** A video has begun to play, and is followed unless the student has chosen otherwise. */
  #offer(target: EventTarget | null): void {
    const video = target as HTMLVideoElement | null;
    const followed = this.#source instanceof Video ? this.#source.video : undefined;
    if (video?.localName === "video" && video !== followed) this.#take("page", new Video(video));
  }

  #take(kind: Kind, source: Source): void {
    if (this.#wasEnded || (this.kind !== undefined && this.kind !== "page")) {
      source.close();
      return;
    }
    this.kind = kind;
    this.desk?.follower.use(source);
  }

  #read(event: Event): void {
    const file = (event.target as HTMLInputElement).files?.[0];
    if (file === undefined) return;
    URL.revokeObjectURL(this.file);
    this.problem = "";
    this.file = URL.createObjectURL(file);
  }

  #load(event: Event): void {
    event.preventDefault();
    const id = youtubeId(this.renderRoot.querySelector<HTMLInputElement>("#address")?.value ?? "");
    this.problem = id === undefined ? words.follow.notYoutube : "";
    this.youtube = id ?? "";
  }

  #set(event: Event): void {
    event.preventDefault();
    const field = this.renderRoot.querySelector<HTMLInputElement>("#to") as HTMLInputElement;
    const time = readTime(field.value);
    this.wrongTime = time === undefined ? words.follow.notTime : "";
    if (time === undefined) return;
    this.#source?.seek(time);
    field.value = "";
  }
}
