import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describeEnvironment } from "../load/environment.js";
import { measureInTurns } from "./measure-in-turns.js";
import type { Comparison, MicroBench, MicroContext, MicroResult } from "./micro-bench.js";
import { PEER_TURN_PAIRS, peerContender } from "./peer-command.js";

export interface MicroOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Share of the workload's rows. */
  readonly scale: number;
  /** Folder for what runs keep between them. */
  readonly cacheDir: string;
  /** Runs in the baseline's turns instead of ours. */
  readonly peerCommand?: string | undefined;
}

/**
 * Runs a benchmark in this process and prints each result as a line of JSON.
 *
 * @throws What the benchmark or its peer throws.
 */
export async function runInProcess(bench: MicroBench, options: MicroOptions): Promise<void> {
  const { cacheDir, seconds, seed, scale, peerCommand } = options;
  const environment = describeEnvironment();
  const emit = (result: MicroResult): MicroResult => {
    const line = { ...result, seconds, seed, scale, environment };
    console.log(JSON.stringify(line));
    return line;
  };
  mkdirSync(cacheDir, { recursive: true });
  const runDir = mkdtempSync(join(cacheDir, `${bench.name}-run-`));
  const removeRunDir = (): void => rmSync(runDir, { recursive: true, force: true });
  process.once("exit", removeRunDir);
  const context: MicroContext = {
    seconds,
    seed,
    scale,
    cacheDir,
    runDir,
    note: (step) => console.error(`${bench.name}: ${step}`),
    measure: async (comparison) => emit(await measure(bench.name, comparison)),
    print: (result) => emit({ name: bench.name, ...result } as MicroResult),
  };
  const measure = (name: string, comparison: Comparison): Promise<MicroResult> => {
    if (peerCommand === undefined) return measureInTurns(name, comparison, seconds);
    const baseline = peerContender(peerCommand, comparison, seed);
    return measureInTurns(name, { ...comparison, baseline }, seconds, PEER_TURN_PAIRS);
  };
  try {
    await bench.run(context);
  } finally {
    process.off("exit", removeRunDir);
    removeRunDir();
  }
}
