/** How far a finger has to go before it is known where it goes, in CSS pixels. */
const slop = 8;

/**
 * Listens for whoever points at a place, and goes along from there: to `pointerdown`, `pointermove` and `click`. A finger
 * that goes up or down means to scroll the page, so one is heard only when it has gone sideways, or has tapped.
 */
export class Drag {
  /** Where a finger has come down, until it is known what it means. */
  #down: { x: number; y: number } | undefined;

  constructor(private readonly put: (event: MouseEvent) => void) {}

  handleEvent(event: Event): void {
    if (event.type === "click") this.put(event as MouseEvent);
    else if (event.type === "pointerdown") this.#press(event as PointerEvent);
    else this.#move(event as PointerEvent);
  }

  #press(event: PointerEvent): void {
    if (event.button !== 0) return;
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    this.#down = undefined;
    if (event.pointerType === "touch") this.#down = { x: event.clientX, y: event.clientY };
    else this.put(event);
  }

  #move(event: PointerEvent): void {
    if (!(event.currentTarget as Element).hasPointerCapture(event.pointerId)) return;
    if (this.#down !== undefined) {
      const [x, y] = [Math.abs(event.clientX - this.#down.x), Math.abs(event.clientY - this.#down.y)];
      if (x < slop || x < y) return;
      this.#down = undefined;
    }
    this.put(event);
  }
}
