import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const source = new URL("service_worker.js", import.meta.url);

/** What the engine has for threads, which the page does not ask for. */
const isForThreads = (name) => /\b(ropewalk_)?threads?-/.test(name);

/** Emits `service_worker.js` with the list of all files that the page is made of. */
export function offlinePlugin() {
  return {
    name: "ropewalk-offline",
    enforce: "post",
    generateBundle(_, bundle) {
      const files = Object.keys(bundle)
        .filter((name) => !isForThreads(name))
        .sort();
      const hash = createHash("sha256").update(readFileSync(source));
      for (const name of files) {
        const { code, source: bytes } = bundle[name];
        hash.update(name).update(code ?? bytes);
      }
      const text = readFileSync(source, "utf8")
        .replace("VERSION", `ropewalk-${hash.digest("hex").slice(0, 16)}`)
        .replace('["FILES"]', JSON.stringify(["./", "icon.svg", ...files]));
      this.emitFile({ type: "asset", fileName: "service_worker.js", source: text });
    },
  };
}
