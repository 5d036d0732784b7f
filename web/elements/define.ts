/** An element, and those that it is drawn with. */
export interface Part extends CustomElementConstructor {
  readonly parts?: Readonly<Record<string, Part>>;
}

/** Register an element under its name, and its parts under theirs; what is registered already stays as it is. */
export function define(name: string, element: Part): void {
  if (customElements.get(name) !== undefined) return;
  for (const [partName, part] of Object.entries(element.parts ?? {})) define(partName, part);
  customElements.define(name, element);
}
