/** The children that are shown: of a shadow root where there is one, and in a slot whatever was put there. */
export function shownChildren(node: Node): readonly Node[] {
  if (node instanceof HTMLSlotElement) {
    const assigned = node.assignedNodes();
    return assigned.length > 0 ? assigned : [...node.childNodes];
  }
  const root = node instanceof Element ? (node.shadowRoot ?? node) : node;
  return [...root.childNodes];
}

/** All elements beneath one, as they are shown, in order. */
export function* shownElements(node: Node): Generator<Element> {
  for (const child of shownChildren(node)) {
    if (child instanceof Element) yield child;
    yield* shownElements(child);
  }
}
