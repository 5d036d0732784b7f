// What this machine's apt knows: its sources, its settings; and installing a package with it, announced.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, which } from "./places.mjs";
import { outputOf, run, SetupError, tail, withProgress } from "./process.mjs";

export const hasApt = () => Boolean(which("apt-get") && which("dpkg"));
const isRoot = () => process.getuid?.() === 0;

/** Entries of a one-line sources file: `deb [key=value …] uri suite component…`. */
export function parseOneLine(text) {
  const entries = [];
  for (const line of text.split("\n")) {
    const found = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    if (!found) continue;
    const options = Object.fromEntries((found[1] ?? "").split(/\s+/).map((option) => option.split("=")));
    entries.push({
      uris: [found[2]],
      suites: [found[3]],
      components: found[4].trim().split(/\s+/),
      signedBy: options["signed-by"],
      trusted: options.trusted === "yes",
    });
  }
  return entries;
}

/** Entries of a deb822 sources file: stanzas of `Field: value`, continued on indented lines. */
export function parseDeb822(text) {
  const entries = [];
  for (const stanza of text.replace(/^#.*\n?/gm, "").split(/\n\s*\n/)) {
    const field = (name) => new RegExp(`^${name}:(.*(?:\\n[ \\t].*)*)`, "im").exec(stanza)?.[1].trim();
    const words = (name) => field(name)?.split(/\s+/) ?? [];
    if (!words("Types").includes("deb") || field("Enabled")?.toLowerCase() === "no") continue;
    entries.push({
      uris: words("URIs"),
      suites: words("Suites"),
      components: words("Components"),
      signedBy: field("Signed-By"),
      trusted: field("Trusted")?.toLowerCase() === "yes",
    });
  }
  return entries;
}

/** Every enabled binary source of this machine, in apt's own order. */
export function aptSources(etc = "/etc/apt") {
  const read = (file) => {
    try {
      const parse = file.endsWith(".sources") ? parseDeb822 : parseOneLine;
      return parse(readFileSync(file, "utf8").replaceAll("\r\n", "\n"));
    } catch {
      return [];
    }
  };
  let parts = [];
  try {
    parts = readdirSync(join(etc, "sources.list.d")).sort();
  } catch {
    // None.
  }
  const files = parts
    .filter((name) => /\.(list|sources)$/.test(name))
    .map((name) => join(etc, "sources.list.d", name));
  return [join(etc, "sources.list"), ...files].flatMap(read);
}

const DEBIAN_SUITES =
  /^(bullseye|bookworm|trixie|forky|duke|sid|oldoldstable|oldstable|stable|testing|unstable)$/;

/**
 * The Debian archive that this machine installs from: `{ uri, signedBy, trusted }`, or undefined.
 *
 * Others name their suites and components as Debian does, so the likeliest wins: one signed with Debian's own keys, or
 * in a folder of the name that mirrors give it. Should it be a stranger all the same, then its signature is.
 */
export function debianArchive(sources = aptSources()) {
  const candidates = [];
  for (const { uris, suites, components, ...rest } of sources) {
    const uri = uris.find((candidate) => !candidate.startsWith("cdrom:"));
    if (!uri || !components.includes("main") || !suites.some((suite) => DEBIAN_SUITES.test(suite))) continue;
    const signs = [/debian-archive/.test(rest.signedBy), /\/debian\/?$/.test(uri), uri.startsWith("mirror")];
    candidates.push({ likely: signs.filter(Boolean).length, archive: { uri, ...rest } });
  }
  candidates.sort((a, b) => b.likely - a.likely);
  return candidates[0]?.archive;
}

/** The settings by which this machine's apt reaches its archive (proxies, certificates, dates), as apt.conf lines. */
export async function aptNetworkSettings() {
  const dump = (await outputOf(["apt-config", "dump"])) ?? "";
  const wanted =
    /^Acquire::(https?|mirror|Retries|ForceIPv[46]|Check-Valid-Until|Check-Date|Max-FutureTime|Allow[A-Za-z]+)\b.* "[^"]+";$/;
  return dump.split("\n").filter((line) => wanted.test(line));
}

/**
 * Install packages: as root after saying so, otherwise stop with the command to run.
 *
 * Two runs of Ropewalk take turns (flock), and apt waits for its other users.
 */
export async function aptInstall(packages, what) {
  const install = `apt-get install --no-install-recommends ${packages.join(" ")}`;
  if (!isRoot()) {
    throw new SetupError(`${what} is needed. Please run this, and then the same command again:\n
    sudo apt-get update && sudo ${install}\n`);
  }
  console.log(`${what} is needed: this will install these packages with apt-get: ${packages.join(" ")}`);
  const log = join(cacheFolder(), "apt.log");
  // A third-party source that is down fails the update, but not what the install needs: let the install decide.
  const script = `apt-get update; apt-get -y -o DPkg::Lock::Timeout=300 ${install.slice("apt-get ".length)}`;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };
  try {
    await withProgress(`apt-get (log: ${log})`, () =>
      run(["flock", join(cacheFolder(), "apt.lock"), "sh", "-c", script], { env, log }),
    );
  } catch {
    throw new SetupError(
      `${tail(log)}\n\napt-get could not install ${packages.join(" ")}; the whole log: ${log}`,
    );
  }
}
