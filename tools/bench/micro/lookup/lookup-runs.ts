import { rowBytesOf } from "../../../../lib/model/dtype.js";
import type { Model } from "../../../../lib/model/model-directory.js";
import type { AccessStatsFile } from "../../../../lib/stats/access-stats-file.js";
import type { LookupEngine, LookupRequest } from "../../../../shards/index.js";
import type { MicroContext } from "../micro-bench.js";
import { engineContender, hasSameBits, loopContender, rowDetails } from "./lookup-contender.js";
import { countBatches } from "./lookup-stats.js";
import { drawBatches, type LookupWorkload, rowsPerBatch } from "./lookup-workload.js";
import { loadDecodedTables, plainLookup } from "./plain-lookup.js";

/** Enough that a batch's rows are not in the cache because they were in the last one. */
const BATCH_COUNT = 64;

/** A workload's batches, the rows they read, and statistics of earlier batches of the same kind. */
export interface DrawnWorkload {
  readonly workload: LookupWorkload;
  readonly batches: readonly LookupRequest[];
  /** Decoded, one a partition. */
  readonly tables: readonly Float32Array[];
  readonly stats: AccessStatsFile | undefined;
}

/** Draws what a benchmark looks up. Statistics are of other draws, as a log of yesterday would be. */
export async function drawWorkload(
  workload: LookupWorkload,
  model: Model,
  context: MicroContext,
): Promise<DrawnWorkload> {
  const earlier =
    workload.zipfExponent === 0
      ? undefined
      : drawBatches(workload, BATCH_COUNT, context.seed, "statistics");
  return {
    workload,
    batches: drawBatches(workload, BATCH_COUNT, context.seed),
    tables: loadDecodedTables(model),
    stats: earlier && (await countBatches(model, earlier, context)),
  };
}

/** Whether the engine gives the bits of the plain loop for the first batch. */
export async function isRight(
  engine: LookupEngine,
  { workload, batches, tables }: DrawnWorkload,
): Promise<boolean> {
  const { pooled } = await engine.lookup(batches[0]!);
  return hasSameBits(pooled, plainLookup(tables, workload.embeddingDim, batches[0]!));
}

/** Times an engine against the plain loop over its decoded rows. */
export async function measureAgainstLoop(
  context: MicroContext,
  engine: LookupEngine,
  drawn: DrawnWorkload,
  name?: string,
): Promise<void> {
  const { workload, batches, tables } = drawn;
  const { dtype, embeddingDim } = workload;
  const batchRows = rowsPerBatch(workload);
  await context.measure({
    ...(name !== undefined && { case: name }),
    unit: "rows/s",
    better: "higher",
    correct: await isRight(engine, drawn),
    subject: engineContender(`lookup engine, ${dtype} rows`, engine, batches, batchRows),
    baseline: loopContender(
      "plain loop over Float32Array",
      (batch) => plainLookup(tables, embeddingDim, batch),
      batches,
      batchRows,
    ),
    details: rowDetails(rowBytesOf(dtype, embeddingDim)),
  });
}
