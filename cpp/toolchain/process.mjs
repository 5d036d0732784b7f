// Child processes: started in a group of their own, so that whatever they start in turn ends with them, and ended
// when this process ends, by Ctrl-C, by a signal or by an error.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { dirname } from "node:path";

/** A failure whose message tells the reader what to do; shown without a stack. */
export class SetupError extends Error {
  name = "SetupError";
}

/** A command that ended with something other than 0. */
export class CommandError extends Error {
  name = "CommandError";
  constructor(argv, { code, signal, output = "" }) {
    const how = signal ? `was ended by ${signal}` : `ended with ${code}`;
    super(`${output}${output && !output.endsWith("\n") ? "\n" : ""}${argv.join(" ")}\n${how}`);
    Object.assign(this, { argv, code, signal, output });
  }
}

const running = new Set();
let stopping = false;

function signalGroups(signal) {
  for (const child of running) {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // Already gone.
    }
  }
}

function stop(signal) {
  if (stopping) return;
  stopping = true;
  const exit = () => process.exit(128 + constants.signals[signal]);
  if (running.size === 0) exit();
  signalGroups("SIGTERM");
  // mmdebstrap and ninja tidy up on SIGTERM; whoever has not by then is ended by the "exit" handler.
  const deadline = Date.now() + 5000;
  setInterval(() => (running.size === 0 || Date.now() > deadline) && exit(), 20);
}

let watching = false;

/** From now on end with all children on a signal. The first child does this too; a server without any calls it. */
export function watchForTheEnd() {
  if (watching) return;
  watching = true;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stop(signal));
  process.on("exit", () => signalGroups("SIGKILL"));
  // npm, when it is told to end, ends the shell between it and this process, and leaves this process behind.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event)
    setInterval(() => process.ppid !== parent && stop("SIGTERM"), 500).unref();
}

/**
 * Run a command to its end. Resolves to `{ code, signal, output }`; unless `check` is false, rejects with a
 * CommandError for any end but 0.
 *
 *   quiet   keep the output (both streams) for the result instead of showing it
 *   log     append the output to this file instead of showing it
 */
export function run(argv, { cwd, env, quiet = false, log, check = true } = {}) {
  watchForTheEnd();
  let logFile;
  if (log) {
    mkdirSync(dirname(log), { recursive: true });
    logFile = openSync(log, "a");
    writeSync(logFile, `\n$ ${argv.join(" ")}\n`);
  }
  return new Promise((resolve, reject) => {
    const out = logFile ?? (quiet ? "pipe" : "inherit");
    // No standard input: a group of its own may not read the terminal.
    const child = spawn(argv[0], argv.slice(1), { cwd, env, stdio: ["ignore", out, out], detached: true });
    if (child.pid) running.add(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    }
    const finish = () => {
      running.delete(child);
      if (logFile !== undefined) closeSync(logFile);
    };
    child.on("error", (error) => {
      finish();
      reject(error);
    });
    child.on("close", (code, signal) => {
      finish();
      if (stopping) return; // The exit code then is the signal's.
      const result = { code, signal, output };
      if (check && code !== 0) reject(new CommandError(argv, result));
      else resolve(result);
    });
  });
}

/** The standard output of a short command, or undefined where it is missing or fails. */
export async function outputOf(argv, options) {
  try {
    return (await run(argv, { ...options, quiet: true })).output;
  } catch {
    return undefined;
  }
}

/**
 * Do `work` while no other process does its own under the same lock: two builds in one folder spoil one another. The
 * lock is a file with the process in it; one that was left by a process now gone does not count.
 */
export async function inTurn(lock, work) {
  mkdirSync(dirname(lock), { recursive: true });
  for (let said = false; !take(lock); said = true) {
    if (!said)
      console.log(`Waiting for process ${holder(lock)}, which is at work in this folder (${lock}) …`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const release = () => rmSync(lock, { force: true });
  process.once("exit", release);
  try {
    return await work();
  } finally {
    process.off("exit", release);
    release();
  }
}

function take(lock) {
  try {
    writeFileSync(lock, `${process.pid}`, { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  try {
    process.kill(holder(lock), 0);
  } catch (error) {
    if (error.code === "ESRCH") rmSync(lock, { force: true });
  }
  return false;
}

function holder(lock) {
  try {
    return Number(readFileSync(lock, "utf8")) || process.pid;
  } catch {
    return process.pid; // Released between the two looks: alive, so that the next try takes it.
  }
}

/** Await `work` while saying what is being done, and for how long. */
export async function withProgress(what, work) {
  const start = performance.now();
  const seconds = () => `${Math.round((performance.now() - start) / 1000)} s`;
  const rewrite = process.stdout.isTTY;
  const show = () =>
    process.stdout.write(rewrite ? `\r  ${what} … ${seconds()} ` : `  ${what} … ${seconds()}\n`);
  process.stdout.write(rewrite ? `  ${what} … ` : `  ${what} …\n`);
  const timer = setInterval(show, rewrite ? 1000 : 10_000);
  try {
    const result = await work();
    process.stdout.write(`${rewrite ? "\r" : ""}  ${what}: done in ${seconds()}\n`);
    return result;
  } catch (error) {
    process.stdout.write(`${rewrite ? "\r" : ""}  ${what}: failed after ${seconds()}\n`);
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/** The last lines of a log, for an error message. */
export function tail(file, lines = 25) {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
  } catch {
    return "";
  }
}

/** End a command-line program: show an error as its reader needs it, and exit with 1. */
export function die(error) {
  const plain = error instanceof SetupError || error instanceof CommandError;
  console.error(`\n${plain ? error.message : error.stack}`);
  process.exit(1);
}
