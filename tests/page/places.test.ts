// Every place that the chapters and the lecture's notes point to is one that there is.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readPlace } from "../../web/page/address.js";
import { visitor } from "./visitor.js";

const site = visitor();
const folder = new URL("../../web/page/chapters/en/", import.meta.url);
const places = readdirSync(folder).flatMap((file) =>
  [...readFileSync(new URL(file, folder), "utf8").matchAll(/\]\((#[^)]+)\)/g)].map(
    ([, hash]) => hash as string,
  ),
);

test("there are such places", () => {
  expect(places.length).toBeGreaterThan(6);
});

test("each leads to its chapter, and into the very state that it names", async () => {
  const page = await site.visit("");
  for (const hash of places) {
    const { chapter, state = {} } = readPlace(hash);
    await page.goto("about:blank");
    await page.goto(site.address(hash));
    const instrument = page.locator(`#${chapter}:not([hidden]) .instrument > :first-child`).first();
    await instrument.waitFor();
    const told = () =>
      instrument.evaluate((element, names) => {
        const { fields } = element.constructor as unknown as {
          fields: Record<string, { write(value: unknown): string }>;
        };
        const property = (name: string) => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
        return Object.fromEntries(
          names.map((name) => [name, fields[property(name)]?.write(Reflect.get(element, property(name)))]),
        );
      }, Object.keys(state));
    await expect.poll(told).toEqual(state);
  }
});
