import { html, LitElement, nothing, type PropertyDeclaration, type PropertyValues } from "lit";
import { state } from "lit/decorators.js";
import { type Ropewalk, RopewalkError } from "ropewalk";
import { sharedEngine } from "./engine.js";
import { type Fields, kebab, type Values } from "./fields.js";
import { words } from "./words/en/instrument.js";

/** Told by an instrument when any of its state has changed. */
export class StateEvent extends Event {
  static readonly type = "ropewalk-state";

  constructor() {
    super(StateEvent.type, { bubbles: true, composed: true });
  }
}

declare global {
  interface HTMLElementEventMap {
    "ropewalk-state": StateEvent;
  }
}

/**
 * What all instruments have in common: they begin when they come into view or are printed, share one engine, say what is
 * wrong when it refuses, and their whole state is a few texts that an address can hold.
 */
export abstract class Instrument extends LitElement {
  static readonly fields: Fields = {};

  /** Undefined until the instrument has begun and the engine is there. */
  @state() protected engine: Ropewalk | undefined;
  /** What cannot be done, in words for the user. */
  @state() protected problem = "";

  readonly #inView = new IntersectionObserver(
    (entries) => {
      if (entries.some((entry) => entry.isIntersecting)) void this.#begin();
    },
    // A little before it is seen, so that it is there when it is.
    { rootMargin: "300px" },
  );

  /** All of the page comes into view on paper. */
  readonly #print = () => {
    if (this.checkVisibility()) void this.#begin();
  };

  get #fields(): Fields {
    return (this.constructor as typeof Instrument).fields;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.engine !== undefined) return;
    this.#inView.observe(this);
    window.addEventListener("beforeprint", this.#print);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopWaiting();
    this.release();
    this.engine = undefined;
  }

  #stopWaiting(): void {
    this.#inView.disconnect();
    window.removeEventListener("beforeprint", this.#print);
  }

  async #begin(): Promise<void> {
    this.#stopWaiting();
    try {
      const engine = await sharedEngine();
      // Taken out of the page meanwhile.
      if (this.isConnected) this.engine = engine;
    } catch (error) {
      this.problem = words.notStarted((error as Error).message);
    }
  }

  /** Whatever differs from what it is initially, by the names that attributes have. */
  get state(): Record<string, string> {
    const texts: Record<string, string> = {};
    for (const [name, field] of Object.entries(this.#fields)) {
      const text = field.write(Reflect.get(this, name));
      if (text !== field.write(field.initial)) texts[kebab(name)] = text;
    }
    return texts;
  }

  /** What is not named, or not allowed, is as it is initially. */
  set state(texts: Readonly<Record<string, string>>) {
    for (const [name, field] of Object.entries(this.#fields)) {
      const text = Object.hasOwn(texts, kebab(name)) ? texts[kebab(name)] : undefined;
      const value = text === undefined ? undefined : field.read(text);
      Reflect.set(this, name, value ?? field.initial);
    }
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (this.engine === undefined) return;
    // What was set before there was an engine has not been computed with yet.
    const fresh = changed.has("engine")
      ? Object.keys(this.#fields).map((name) => [name, undefined] as const)
      : [];
    try {
      this.compute(this.engine, new Map([...fresh, ...changed]));
      this.problem = "";
    } catch (error) {
      if (!(error instanceof RopewalkError)) throw error;
      this.problem = words.refused(error.message);
    }
  }

  protected override updated(changed: PropertyValues): void {
    if (Object.keys(this.#fields).some((name) => changed.has(name))) this.dispatchEvent(new StateEvent());
  }

  protected override render(): unknown {
    return html`
      ${this.problem === "" ? nothing : html`<p class="problem" role="alert">${this.problem}</p>`}
      ${
        this.engine !== undefined
          ? this.renderInstrument()
          : this.problem === ""
            ? html`<p class="empty" role="status">${words.starting}</p>`
            : nothing
      }
    `;
  }

  /** Have the engine compute what is shown, of what `changed` bears on; a refusal is told to the user. */
  protected abstract compute(engine: Ropewalk, changed: PropertyValues): void;

  /** What is shown once there is an engine. */
  protected abstract renderInstrument(): unknown;

  /** Give back whatever is held of the engine's memory. */
  protected release(): void {}
}

type InstrumentClass<F extends Fields> = (abstract new () => Instrument & Values<F>) & {
  readonly fields: F;
  readonly styles?: unknown;
};

/** The base class of an instrument with such a state: a property and an attribute for each of the fields. */
export function instrument<F extends Fields>(fields: F): InstrumentClass<F> {
  abstract class Stateful extends Instrument {
    static override readonly fields = fields;
    static override readonly properties: Record<string, PropertyDeclaration> = Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [
        name,
        {
          attribute: kebab(name),
          converter: {
            fromAttribute: (text: string | null) =>
              (text === null ? undefined : field.read(text)) ?? field.initial,
          },
        },
      ]),
    );

    constructor() {
      super();
      for (const [name, field] of Object.entries(fields)) Reflect.set(this, name, field.initial);
    }
  }
  return Stateful as unknown as InstrumentClass<F>;
}
