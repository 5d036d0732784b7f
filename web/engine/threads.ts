/** The engine with threads: a binary and glue of its own, which are fetched by nobody who has not asked for them. */
import createModule, { type MainModule } from "./generated/ropewalk_threads.mjs";

/** Bytes of a thread's stack: as many as Emscripten gives to the caller's. */
const STACK = 65_536;

/** What a thread begins with. */
export interface ThreadStart {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  stackEnd: number;
  thread: number;
}

/** Start `thread.js` as a worker that has been sent this; done once it has answered. */
export type StartThread = (start: ThreadStart) => Promise<unknown>;

/** The module, once `count` - 1 others help the thread that calls it. */
export async function createThreaded(
  count: number,
  bytes: Uint8Array,
  startThread: StartThread = inBrowser,
): Promise<MainModule> {
  const module = await WebAssembly.compile(bytes as BufferSource);
  let memory: WebAssembly.Memory | undefined;
  const main: MainModule = await new Promise((done, failed) => {
    const instantiateWasm = (
      imports: WebAssembly.Imports,
      receive: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
    ) => {
      memory = memoryIn(imports);
      WebAssembly.instantiate(module, imports).then((instance) => receive(instance, module), failed);
      return {};
    };
    createModule({ instantiateWasm, printErr: () => {} }).then(done, failed);
  });
  main.set_threads(count);
  try {
    await Promise.all(
      Array.from({ length: count - 1 }, (_, i) =>
        startThread({ module, memory: memory as WebAssembly.Memory, stackEnd: stackIn(main), thread: i + 1 }),
      ),
    );
  } catch (cause) {
    main.set_threads(1);
    throw cause;
  }
  return main;
}

function memoryIn(imports: WebAssembly.Imports): WebAssembly.Memory | undefined {
  const values = Object.values(imports).flatMap((names) => Object.values(names));
  return values.find((value) => value instanceof WebAssembly.Memory);
}

/** The end of a new stack, which is where it begins. It is never freed: nobody sees when a thread has gone. */
function stackIn(main: MainModule): number {
  const stack = main.U8Buffer.allocate(STACK)?.view();
  if (!stack) throw new RangeError("no memory for the stack of a thread");
  return stack.byteOffset + stack.length;
}

function inBrowser(start: ThreadStart): Promise<unknown> {
  return new Promise((done, failed) => {
    const worker = new Worker(new URL("./thread.js", import.meta.url), { type: "module" });
    worker.onmessage = done;
    worker.onerror = ({ message }) => failed(new Error(message || "thread.js could not be loaded"));
    worker.postMessage(start);
  });
}
