/**
 * Lays the page out for paper before it is printed: rules for print come too late for pictures, which are drawn at a width.
 * To be called before there are pictures, which hear of it next.
 */
export function prepareForPrint({ documentElement }: Document): void {
  window.addEventListener("beforeprint", () => documentElement.classList.add("printed"));
  window.addEventListener("afterprint", () => documentElement.classList.remove("printed"));
}
