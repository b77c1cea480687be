import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { PACKAGE_ROOT } from "../../../lib/package-root.js";

/** What a result was measured with; a number without it cannot be compared. */
export interface Environment {
  readonly shardpoolVersion: string;
  /** Of the checkout, with `+changes` when files differ from it; null outside a checkout. */
  readonly commit: string | null;
  readonly node: string;
  readonly kernel: string;
  readonly cpu: string;
  readonly coreCount: number;
  readonly memoryBytes: number;
  /** Runnable processes averaged over the minute before the run. */
  readonly loadAverageBefore: number;
}

export function describeEnvironment(): Environment {
  const cores = cpus();
  return {
    shardpoolVersion: readVersion(),
    commit: readCommit(),
    node: process.version,
    kernel: release(),
    cpu: cores[0]?.model.trim() ?? "unknown",
    coreCount: cores.length,
    memoryBytes: totalmem(),
    loadAverageBefore: loadavg()[0] ?? 0,
  };
}

function readVersion(): string {
  const raw: unknown = JSON.parse(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8"));
  return (raw as { version: string }).version;
}

function readCommit(): string | null {
  const git = (...args: string[]): string =>
    execFileSync("git", ["-C", PACKAGE_ROOT, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  try {
    // A copy inside somebody else's checkout must not take that one's commit.
    if (git("rev-parse", "--show-prefix") !== "") return null;
    const hash = git("rev-parse", "HEAD");
    return git("status", "--porcelain", "--untracked-files=no") === "" ? hash : `${hash}+changes`;
  } catch {
    return null;
  }
}
