import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { launch, serve } from "./browser.mjs";

export const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");

/**
 * A browser on the served pages, for the tests of a file. After each test its pages are closed, and none may have
 * complained: no console error, exception, report of the policy, or request to another host.
 */
export function visitor() {
  let browser: Browser;
  let server: Awaited<ReturnType<typeof serve>>;
  const open: Page[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    [browser, server] = await Promise.all([launch(), serve()]);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  afterEach(async () => {
    for (const page of open.splice(0)) await page.context().close();
    expect(complaints.splice(0)).toEqual([]);
  });

  const address = (file = "") => new URL(file, server.url).href;

  /** A page that has not gone anywhere yet, and may complain. */
  async function newPage(options?: BrowserContextOptions): Promise<Page> {
    // What the service worker keeps for later is fetched anew for every test: those of it alone let it.
    const page = await (await browser.newContext({ serviceWorkers: "block", ...options })).newPage();
    open.push(page);
    return page;
  }

  return {
    address,
    newPage,

    /** What was complained of so far, which then does not count. */
    heard: () => complaints.splice(0).join(),

    /** A page of the site, watched for everything that must not happen. */
    async visit(file: string, options: BrowserContextOptions = {}): Promise<Page> {
      const page = await newPage({ viewport: { width: 1600, height: 1000 }, ...options });
      page.on("console", (message) => {
        const isOurs = !message.text().includes("Service Worker registration blocked by Playwright");
        if (["error", "warning"].includes(message.type()) && isOurs) complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("request", (request) => {
        const { protocol, origin } = new URL(request.url());
        if (protocol !== "data:" && origin !== new URL(server.url).origin) complaints.push(request.url());
      });
      await page.addInitScript(() => {
        document.addEventListener("securitypolicyviolation", (event) =>
          console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
        );
      });
      await page.goto(address(file));
      return page;
    },
  };
}

/**
 * Waits for everything that was asked for to be drawn: what is out of view too, which the pictures leave until values rest.
 */
export const allDrawn = (page: Page) =>
  page.evaluate(async () => {
    const isPending = (element: Element): boolean =>
      ("isUpdatePending" in element && element.isUpdatePending === true) || hasPending(element.shadowRoot);
    const hasPending = (root: ParentNode | null): boolean =>
      [...(root?.querySelectorAll("*") ?? [])].some(isPending);
    do {
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    } while (hasPending(document));
  });

/**
 * What axe finds wrong with the page, or with a part of it, by its own rules and the `more` that are named. It is put there
 * past the page's policy, as a tester's tool.
 */
export async function violations(page: Page, part?: string, more: string[] = []): Promise<string[]> {
  await page.evaluate(axe);
  const rules = Object.fromEntries(more.map((rule) => [rule, { enabled: true }]));
  return page.evaluate(
    async ({ part, rules }) => {
      // @ts-expect-error: axe is put into the page above.
      const found = await globalThis.axe.run(part ?? document, { rules });
      return found.violations.map(
        ({ id, nodes }: { id: string; nodes: { target: unknown; failureSummary?: string }[] }) =>
          `${id}: ${JSON.stringify(nodes.slice(0, 3).map((node) => [node.target, node.failureSummary]))}`,
      );
    },
    { part, rules },
  );
}
