// Programs in a process of their own, in which "ropewalk" is what Node makes of the package's `exports`.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const project = fileURLToPath(new URL("../..", import.meta.url));

/** A folder inside the project, for programs to stand in. Each file of the suite has its own. */
export function scratchFolder(name: string): { folder: string; remove: () => void } {
  mkdirSync(join(project, "build"), { recursive: true });
  const folder = mkdtempSync(join(project, "build", `test-${name}-`));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export interface Ended {
  code: number | string | null;
  stdout: string;
  stderr: string;
}

/** Run a program, from the project's root. */
export const runNode = (...parameters: string[]): Promise<Ended> => runIn(project, ...parameters);

function runIn(cwd: string, ...parameters: string[]): Promise<Ended> {
  return new Promise((done) => {
    const options = {
      cwd,
      timeout: 60_000,
      env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1" },
    };
    execFile(process.execPath, parameters, options, (error, stdout, stderr) => {
      done({ code: error ? (error.code ?? error.signal ?? "failed") : 0, stdout, stderr });
    });
  });
}

/** Run a module's source, in `folder`. */
export function runModule(folder: string, name: string, source: string): Promise<Ended> {
  const file = join(folder, name);
  writeFileSync(file, source);
  return runIn(folder, file);
}
