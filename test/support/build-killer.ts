import { fork } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Random } from "../../lib/random.js";

const CHILD_FILE = fileURLToPath(new URL("./build-store-child.js", import.meta.url));

/** What `build-store-child` builds. */
export interface ChildBuild {
  readonly modelDir: string;
  readonly planFile: string;
  readonly statsFile: string;
  readonly out: string;
}

/**
 * Builds a store in a process of its own.
 *
 * @param killAfterMs Kills it this long after it begins to build; not at all without.
 * @returns How long it built, or until it was killed.
 */
export function buildInChild(build: ChildBuild, killAfterMs?: number): Promise<number> {
  const child = fork(CHILD_FILE, [JSON.stringify(build)]);
  let beganMs = 0;
  child.once("message", () => {
    beganMs = performance.now();
    if (killAfterMs !== undefined) setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (exitCode, signal) => {
      if (exitCode === 0 || signal === "SIGKILL") resolve(performance.now() - beganMs);
      else reject(new Error(`the child ended with ${exitCode ?? signal}`));
    });
  });
}

export interface Killed {
  /** Kills after which the store was not there. */
  readonly unfinished: number;
  /** Kills after which there was something beside it. */
  readonly abandoned: number;
}

/**
 * Kills builds at random points, from their first step to past their last.
 *
 * @param check Called when a store stands in spite of the kill, which it then has to be whole; it
 * removes it.
 */
export async function killBuilds(
  build: ChildBuild,
  count: number,
  random: Random,
  check: () => void,
): Promise<Killed> {
  const wholeMs = await buildInChild(build);
  check();
  let unfinished = 0;
  let abandoned = 0;
  for (let i = 0; i < count; i++) {
    await buildInChild(build, random.nextFloat() * wholeMs * 1.1);
    if (existsSync(build.out)) check();
    else unfinished++;
    if (readdirSync(dirname(build.out)).length > 0) abandoned++;
  }
  return { unfinished, abandoned };
}
