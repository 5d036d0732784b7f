// Firefox by WebDriver BiDi, which it speaks itself: https://w3c.github.io/webdriver-bidi/
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import WebSocket from "ws";
import { type Driver, inJson } from "./driver.js";

interface Message {
  id?: number;
  result?: Record<string, unknown>;
  message?: string;
  method?: string;
  params?: { level: string; text: string };
}

/** The Firefox that $FIREFOX names, without a window, on a profile of its own. */
export async function launchFirefox(): Promise<Driver> {
  const profile = await mkdtemp(join(tmpdir(), "ropewalk-firefox-"));
  const firefox = spawn(
    process.env.FIREFOX ?? "firefox-esr",
    ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const ended = once(firefox, "exit");
  let address: string | undefined;
  for await (const line of createInterface(firefox.stderr)) {
    address = /BiDi listening on (ws:\S+)/.exec(line)?.[1];
    if (address !== undefined) break;
  }
  if (address === undefined) throw new Error("Firefox ended before it could be driven.");
  firefox.stderr.resume();

  const socket = new WebSocket(`${address}/session`);
  await once(socket, "open");
  const waiting = new Map<number, (message: Message) => void>();
  const errors: string[] = [];
  socket.on("message", (data) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.id !== undefined) waiting.get(message.id)?.(message);
    else if (
      message.method === "log.entryAdded" &&
      message.params?.level === "error" &&
      !message.params.text.includes("ResizeObserver loop")
    )
      errors.push(message.params.text);
  });
  let id = 0;
  async function send<R>(method: string, params: object = {}): Promise<R> {
    const sent = ++id;
    const answered = new Promise<Message>((done) => waiting.set(sent, done));
    socket.send(JSON.stringify({ id: sent, method, params }));
    const { result, message } = await answered;
    waiting.delete(sent);
    if (result === undefined) throw new Error(`${method}: ${message}`);
    return result as R;
  }

  await send("session.new", { capabilities: {} });
  await send("session.subscribe", { events: ["log.entryAdded"] });
  const { contexts } = await send<{ contexts: { context: string }[] }>("browsingContext.getTree");
  const context = contexts[0]?.context;
  await send("browsingContext.setViewport", { context, viewport: { width: 1440, height: 900 } });

  return {
    async go(url) {
      await send("browsingContext.navigate", { context, url, wait: "complete" });
    },
    async evaluate(run, ...args) {
      const returned = await send<{
        result?: { value: string };
        exceptionDetails?: { text: string };
      }>("script.callFunction", {
        functionDeclaration: inJson(run),
        arguments: [{ type: "string", value: JSON.stringify(args) }],
        target: { context },
        awaitPromise: false,
      });
      if (returned.result === undefined) throw new Error(returned.exceptionDetails?.text);
      return JSON.parse(returned.result.value);
    },
    errors: () => errors.splice(0),
    async close() {
      await send("browser.close");
      await ended;
      await rm(profile, { recursive: true, force: true });
    },
  };
}
