// A small server of files, on a port of its own of this machine.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { brotliCompressSync } from "node:zlib";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

/**
 * Serve `folders`, by the paths that they stand under, and `pages`, HTML by path. With `compressed`, a folder to keep them
 * in, what can be compressed is, as a good host has it. Pages are isolated unless they are not to be: their clock is finer
 * then, and they may have threads. `sent` is how many bytes of bodies went out since it was last set.
 */
export async function serve({ folders, pages, compressed = "", isolated = true }) {
  const served = { sent: 0 };
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    const content = pages[path] ?? contentOf(folders, path);
    if (content === undefined) return response.writeHead(404).end();
    const brotli = compressed && /\bbr\b/.test(request.headers["accept-encoding"] ?? "");
    const body = brotli ? brotliOf(compressed, content) : Buffer.from(content);
    served.sent += body.length;
    response.writeHead(200, {
      "Content-Type": TYPES[path in pages ? ".html" : extname(path)] ?? "application/octet-stream",
      "Content-Length": body.length,
      ...(brotli && { "Content-Encoding": "br" }),
      ...(isolated && {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
      }),
    });
    response.end(body);
  });
  await new Promise((resolve, reject) => server.on("error", reject).listen(0, "localhost", resolve));
  const { port } = server.address();
  return Object.assign(served, {
    url: `http://localhost:${port}`,
    close: () => new Promise((resolve) => server.close(resolve)),
  });
}

function contentOf(folders, path) {
  for (const [prefix, folder] of Object.entries(folders)) {
    const file = join(folder, path.slice(prefix.length));
    if (path.startsWith(prefix) && existsSync(file)) return readFileSync(file);
  }
  return undefined;
}

/** Compressed as far as it goes, which takes long and is done once. */
export function brotliOf(folder, content) {
  const file = join(folder, `${createHash("sha256").update(content).digest("hex")}.br`);
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, brotliCompressSync(content));
  }
  return readFileSync(file);
}
