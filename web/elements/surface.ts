import type { View } from "./strip.js";

/** A canvas of which every pixel is set by hand; its memory is kept from drawing to drawing. */
export class Surface {
  #canvas: HTMLCanvasElement | undefined;
  #image: ImageData | undefined;
  #pixels = new Int32Array();

  /** Make the canvas so many CSS pixels large, at the resolution of the device. */
  begin(canvas: HTMLCanvasElement, cssWidth: number, cssHeight: number, from: number, to: number): View {
    const ratio = devicePixelRatio;
    const width = Math.max(1, Math.round(cssWidth * ratio));
    const height = Math.max(1, Math.round(cssHeight * ratio));
    if (canvas !== this.#canvas || canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      canvas.style.width = `${cssWidth}px`;
      canvas.style.height = `${cssHeight}px`;
    }
    if (this.#image === undefined || this.#image.width !== width || this.#image.height !== height) {
      this.#image = new ImageData(width, height);
      this.#pixels = new Int32Array(this.#image.data.buffer);
    }
    this.#canvas = canvas;
    return { pixels: this.#pixels, width, height, from, to, ratio };
  }

  end(): void {
    if (this.#image !== undefined) this.#canvas?.getContext("2d")?.putImageData(this.#image, 0, 0);
  }
}
