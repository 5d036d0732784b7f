import { html, nothing } from "lit";

const ifSo = (isCertain: boolean) => (isCertain ? nothing : ", if so");
const left = (rest: number, all: number) =>
  rest > 0 ? `; the other ${rest} of ${all} are left as they are` : nothing;

/** What the components of a head that make pairs say. */
export const words = {
  layouts: { half: "half", interleaved: "interleaved" },
  label: (layout: string, first: string, second: string, goesOn: boolean) =>
    `${layout}: components ${first}, then ${second}${goesOn ? " …" : ""}`,
  components: (first: number, second: number) => `${first} and ${second}`,
  /** `rest` of all components are in no pair. */
  half: (offset: number, isCertain: boolean, rest: number, all: number) =>
    html`<b>half</b>: component i with i + ${offset}${ifSo(isCertain)}${left(rest, all)}`,
  interleaved: (isCertain: boolean, rest: number, all: number) =>
    html`<b>interleaved</b>: component 2i with 2i + 1${ifSo(isCertain)}${left(rest, all)}`,
};
