// `npm start`: set up, build, and serve the page. The address is the last line.
import { createServer } from "node:net";
import { join } from "node:path";
import { BUILD_LOCK, PROJECT } from "../cpp/toolchain/places.mjs";
import { die, inTurn, SetupError, watchForTheEnd } from "../cpp/toolchain/process.mjs";
import { toolchain } from "../cpp/toolchain/toolchain.mjs";
import { buildEngine, buildPage, buildWasm, installPackages } from "./build.mjs";

const HOST = "localhost";

watchForTheEnd();
try {
  const port = portFrom(process.env.PORT || "5173");
  await requireFree(port);
  console.log(`Toolchain: ${(await toolchain()).description}`);
  await inTurn(BUILD_LOCK, async () => {
    await installPackages();
    await buildWasm();
    await buildEngine();
    await buildPage();
  });
  await serve(port);
} catch (error) {
  die(error);
}

function portFrom(text) {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65535) return port;
  throw new SetupError(`PORT is "${text}"; it has to be a number from 1 to 65535.`);
}

/** Better said now than after the build. */
function requireFree(port) {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", (error) => reject(error.code === "EADDRINUSE" ? busy(port) : refused(port, error)));
    probe.listen({ port, host: HOST, exclusive: true }, () => probe.close(resolve));
  });
}

function busy(port) {
  const other = port < 65535 ? port + 1 : port - 1;
  return new SetupError(`Port ${port} is in use. Choose another: PORT=${other} npm start`);
}

function refused(port, { message }) {
  return new SetupError(`Port ${port} cannot be served on: ${message}`);
}

async function serve(port) {
  const { preview } = await import("vite");
  const configFile = join(PROJECT, "vite.config.ts");
  try {
    await preview({ configFile, preview: { host: HOST, port, strictPort: true } });
  } catch (error) {
    throw /in use/.test(error.message) ? busy(port) : error;
  }
  console.log(`http://${HOST}:${port}/`);
}
