// WebKitGTK by WebDriver, on a screen that nobody sees: https://www.w3.org/TR/webdriver2/
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { type Driver, freePort, inJson } from "./driver.js";

/** An X server on a display of its own: it chooses that itself, and says so. */
async function screen(): Promise<{ process: ChildProcess; display: string }> {
  const process_ = spawn(
    process.env.XVFB ?? "Xvfb",
    ["-displayfd", "3", "-screen", "0", "1500x1000x24", "-nolisten", "tcp"],
    { stdio: ["ignore", "ignore", "ignore", "pipe"] },
  );
  for await (const line of createInterface(process_.stdio[3] as Readable))
    return { process: process_, display: `:${line}` };
  throw new Error("The X server ended before it began.");
}

/** WebKitGTK's own small browser, by the driver that $WEBKIT_DRIVER names. */
export async function launchWebKit(): Promise<Driver> {
  const { process: xvfb, display } = await screen();
  const port = await freePort();
  const driver = spawn(process.env.WEBKIT_DRIVER ?? "WebKitWebDriver", [`--port=${port}`], {
    stdio: "ignore",
    env: { ...process.env, DISPLAY: display, GDK_BACKEND: "x11", GSETTINGS_BACKEND: "memory" },
  });
  const ended = Promise.all([once(driver, "exit"), once(xvfb, "exit")]);

  async function send<R>(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<R> {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const { value } = (await response.json()) as { value: R & { error?: string; message?: string } };
    if (!response.ok) throw new Error(`${path}: ${value.error}: ${value.message}`);
    return value;
  }

  // It listens a moment after it has started.
  for (let patience = 100; ; --patience) {
    try {
      await send("GET", "/status");
      break;
    } catch (error) {
      if (patience === 0 || driver.exitCode !== null) throw error;
      await new Promise((later) => setTimeout(later, 100));
    }
  }
  const { sessionId } = await send<{ sessionId: string }>("POST", "/session", { capabilities: {} });
  const session = `/session/${sessionId}`;
  await send("POST", `${session}/window/rect`, { x: 0, y: 0, width: 1440, height: 980 });

  return {
    async go(url) {
      await send("POST", `${session}/url`, { url });
    },
    async evaluate(run, ...args) {
      const script = `return (${inJson(run)})(arguments[0])`;
      return JSON.parse(
        await send<string>("POST", `${session}/execute/sync`, { script, args: [JSON.stringify(args)] }),
      );
    },
    errors: () => [],
    async close() {
      await send("DELETE", session);
      driver.kill();
      xvfb.kill();
      await ended;
    },
  };
}
