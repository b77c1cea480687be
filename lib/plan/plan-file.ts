import { readJsonFile, writeJsonFile } from "../files.js";
import { parsePlan, type ShardingPlan } from "./plan.js";

/**
 * Reads and checks a `plan.json`.
 *
 * @throws ShardpoolError FILE_NOT_FOUND, FILE_UNREADABLE, FILE_CORRUPT, PLAN_INVALID or HASH_MISMATCH.
 */
export async function readPlan(path: string): Promise<ShardingPlan> {
  return parsePlan(await readJsonFile(path), path);
}

/** Writes a plan whole or not at all. */
export async function writePlan(path: string, plan: ShardingPlan): Promise<void> {
  await writeJsonFile(path, plan);
}
