import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { fontsPlugin } from "./web/page/fonts.mjs";
import { chaptersPlugin } from "./web/page/markdown.mjs";
import { offlinePlugin } from "./web/page/offline.mjs";
import { preloadPlugin } from "./web/page/preload.mjs";

/**
 * What a course site may demand of the page, and what `npm start` serves it under: nothing inline, nothing from
 * elsewhere but a video that the student asks for, no eval but the compiling of WebAssembly; anybody may frame it. A
 * blob: is a video that the student has.
 */
export const contentSecurityPolicy =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; " +
  "media-src 'self' blob:; frame-src https://www.youtube-nocookie.com; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors *";

/** `import … from "ropewalk"` here is the engine's source, not a build of it. */
export const alias = [
  { find: /^ropewalk$/, replacement: fileURLToPath(new URL("web/engine/index.ts", import.meta.url)) },
];

const page = (name: string) => fileURLToPath(new URL(`web/page/${name}`, import.meta.url));

export default defineConfig({
  root: fileURLToPath(new URL("web/page", import.meta.url)),
  // Relative addresses: the built page works in any folder of any site.
  base: "./",
  plugins: [
    fontsPlugin("en"),
    chaptersPlugin(),
    // What the first chapter is drawn with.
    preloadPlugin(["elements/order.ts", "elements/doubt.ts", "page/tools.ts"]),
    offlinePlugin(),
  ],
  resolve: { alias },
  // A worker imports the engine, as the page does.
  worker: { format: "es" },
  build: {
    outDir: fileURLToPath(new URL("build/page", import.meta.url)),
    emptyOutDir: true,
    // An inlined asset is a data: address, and the policy has none for fonts and wasm; the polyfill is an inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: { input: ["index.html", "embed.html"].map(page) },
  },
  preview: {
    headers: { "Content-Security-Policy": contentSecurityPolicy, "X-Content-Type-Options": "nosniff" },
  },
});
