/** A thread that helps the engine: a worker, told by its first message what with. Nothing else ever imports this. */
import type { ThreadStart } from "./threads.js";

interface Port {
  addEventListener(type: "message", listener: (event: { data: ThreadStart }) => void): void;
  postMessage(message: unknown): void;
  /** Of Node's, which does not listen before. */
  start?(): void;
  close(): void;
}

// Node's workers have their port in a module of its own, which bundlers for browsers do not know.
const { parentPort } = globalThis.process?.getBuiltinModule?.("node:worker_threads") ?? {};
const port = (parentPort ?? globalThis) as Port;

port.addEventListener("message", async ({ data: { module, memory, stackEnd, thread } }) => {
  // The boundary to JavaScript is the engine's alone: kernels call none of it.
  const imports: WebAssembly.Imports = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {};
    imports[from][name] = kind === "memory" ? memory : () => {};
  }
  const { exports } = await WebAssembly.instantiate(module, imports);
  const { _emscripten_stack_restore, help } = exports as Record<string, (value: number) => void>;
  _emscripten_stack_restore?.(stackEnd);
  port.postMessage("ready");
  help?.(thread);
  port.close();
});
port.start?.();
