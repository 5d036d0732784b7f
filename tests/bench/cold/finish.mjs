/** Tell the driver of the first result, and when it was there, in ms since the navigation. */
export function finish(out) {
  console.log(JSON.stringify({ time: performance.now(), out: [...out] }));
}

/** The bytes of a model, which the bundler has put into the page's script. */
export function modelBytes() {
  return Uint8Array.from(atob(__MODEL__), (character) => character.charCodeAt(0));
}
