import { html, svg } from "lit";
import { angleColor } from "./theme.js";

const steps = 48;
const angles = Array.from({ length: steps }, (_, k) => (2 * Math.PI * (k + 0.5)) / steps - Math.PI);

/** The hues of all angles, from −π to π. */
export const hues = html`<svg viewBox="0 0 ${steps} 1" preserveAspectRatio="none" aria-hidden="true">
  ${angles.map((angle, k) => svg`<rect x=${k} width="1.1" height="1" fill=${angleColor(angle)}></rect>`)}
</svg>`;
