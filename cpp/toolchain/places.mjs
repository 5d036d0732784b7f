// Where things are: the project, and the cache folder.
import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";

export const PROJECT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Held while something is built or tested in this folder. */
export const BUILD_LOCK = join(PROJECT, "build/.lock");

/** `${XDG_CACHE_HOME:-~/.cache}/ropewalk`. A relative XDG_CACHE_HOME is void, as its specification says. */
export function cacheFolder() {
  const xdg = process.env.XDG_CACHE_HOME;
  return join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), ".cache"), "ropewalk");
}

/** The first of `names` that is a program on PATH, as an absolute path. */
export function which(...names) {
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  for (const name of names) {
    for (const folder of folders) {
      const file = join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        if (statSync(file).isFile()) return file;
      } catch {
        // Not here.
      }
    }
  }
  return undefined;
}
