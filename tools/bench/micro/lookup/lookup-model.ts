import { existsSync } from "node:fs";
import { join } from "node:path";
import { ShardpoolError } from "../../../../lib/errors.js";
import { type Model, openModel } from "../../../../lib/model/model-directory.js";
import { synthModel } from "../../../model/synth/synth-model.js";
import type { MicroContext } from "../micro-bench.js";
import type { LookupWorkload } from "./lookup-workload.js";

/** Rows are the same whatever `--seed` draws from them, so one model serves every run. */
const MODEL_SEED = 1;

/** The workload's model; kept between runs under a name that says its parameters. */
export async function lookupModel(
  workload: LookupWorkload,
  { cacheDir, note }: Pick<MicroContext, "cacheDir" | "note">,
): Promise<Model> {
  const { tableCount, rowCount, embeddingDim, dtype, bagLength } = workload;
  const name = `synth-${tableCount}x${rowCount}x${embeddingDim}-${dtype}`;
  const dir = join(cacheDir, name);
  const kept = await openKept(dir);
  if (kept !== undefined) return kept;
  note(`making ${tableCount} tables of ${rowCount} x ${embeddingDim} ${dtype}, kept in ${dir}`);
  const preset = {
    title: name,
    rowCounts: new Array<number>(tableCount).fill(rowCount),
    poolingFactors: new Array<number>(tableCount).fill(bagLength),
    embeddingDim,
    // The dense part is not used: it is as small as one can be.
    denseFeatureCount: 1,
    bottomHidden: [],
    topHidden: [4],
    interaction: "cat" as const,
  };
  await synthModel({ preset, name, seed: MODEL_SEED, dtype, out: dir, onRows: () => {} });
  return await openModel(dir);
}

async function openKept(dir: string): Promise<Model | undefined> {
  if (!existsSync(dir)) return undefined;
  try {
    return await openModel(dir);
  } catch (error) {
    // What is no whole model any more is made again.
    if (error instanceof ShardpoolError) return undefined;
    throw error;
  }
}
