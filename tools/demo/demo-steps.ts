import { existsSync } from "node:fs";
import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { readJsonFile, writeJsonFile } from "../../lib/files.js";

const recordSchema = z.strictObject({
  formatVersion: z.literal(1),
  /** The command line that made each step's output, by the step's name. */
  commandByStep: z.record(z.string(), z.string()),
});

/** One command of the demo, and the file or folder that it makes. */
export interface DemoStep {
  readonly name: string;
  /** As a user would type it, without `shardpool`. */
  readonly args: readonly string[];
  readonly output: string;
  readonly run: (args: readonly string[]) => Promise<void>;
}

/**
 * Runs steps that build on each other, and keeps what an earlier run made: a step runs when its
 * output is missing, when its command line is another than the one recorded, or when a step before it
 * ran. What was made is recorded step by step, so that a run that was stopped goes on from there.
 *
 * @returns The names of the steps that ran.
 */
export async function runSteps(
  steps: readonly DemoStep[],
  recordFile: string,
): Promise<ReadonlySet<string>> {
  const commandByStep = await readRecord(recordFile);
  const ran = new Set<string>();
  for (const step of steps) {
    const command = `shardpool ${step.args.join(" ")}`;
    const isStale =
      ran.size > 0 || commandByStep[step.name] !== command || !existsSync(step.output);
    console.log(isStale ? `\n$ ${command}` : `\n$ ${command}    (kept from an earlier run)`);
    if (!isStale) continue;
    delete commandByStep[step.name];
    await writeJsonFile(recordFile, { formatVersion: 1, commandByStep });
    await step.run(step.args);
    ran.add(step.name);
    commandByStep[step.name] = command;
    await writeJsonFile(recordFile, { formatVersion: 1, commandByStep });
  }
  return ran;
}

async function readRecord(recordFile: string): Promise<Record<string, string>> {
  if (!existsSync(recordFile)) return {};
  const record = parseConfig(recordSchema, await readJsonFile(recordFile), recordFile);
  return { ...record.commandByStep };
}
