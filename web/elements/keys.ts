/** What a key that is pressed alone stands for; if for anything, it does nothing else. */
export function stepOf<T>(event: KeyboardEvent, steps: Readonly<Record<string, T>>): T | undefined {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const step = steps[event.key];
  if (step !== undefined) event.preventDefault();
  return step;
}
