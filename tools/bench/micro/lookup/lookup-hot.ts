import { rowBytesOf } from "../../../../lib/model/dtype.js";
import type { MicroBench, MicroContext } from "../micro-bench.js";
import { engineContender, hasSameBits, loopContender, rowDetails } from "./lookup-contender.js";
import { lookupModel } from "./lookup-model.js";
import { openWarmEngine } from "./lookup-store.js";
import { drawBatches, HOT_WORKLOAD, rowsPerBatch, scaleWorkload } from "./lookup-workload.js";
import { loadDecodedTables, plainLookup } from "./plain-lookup.js";

/** Enough that a batch's rows are not in the cache because they were in the last one. */
const BATCH_COUNT = 64;

/** The memory tier's budget: everything resident, one thread, index and recency included. */
export const lookupHot: MicroBench = {
  name: "lookup-hot",
  summary: "26 x 100k x 64 float32, batch 128 x 20 ids, zipf 1.05, all resident: rows/s",
  run: runLookupHot,
};

async function runLookupHot(context: MicroContext): Promise<void> {
  const workload = scaleWorkload(HOT_WORKLOAD, context.scale);
  const { embeddingDim, dtype } = workload;
  const model = await lookupModel(workload, context);
  const engine = await openWarmEngine(model, context);
  try {
    const tables = loadDecodedTables(model);
    const batches = drawBatches(workload, BATCH_COUNT, context.seed);
    const { pooled } = await engine.lookup(batches[0]!);
    const batchRows = rowsPerBatch(workload);
    await context.measure({
      case: "rows scattered",
      unit: "rows/s",
      better: "higher",
      correct: hasSameBits(pooled, plainLookup(tables, embeddingDim, batches[0]!)),
      subject: engineContender("lookup engine", engine, batches, batchRows),
      baseline: loopContender(
        "plain loop over Float32Array",
        (batch) => plainLookup(tables, embeddingDim, batch),
        batches,
        batchRows,
      ),
      details: rowDetails(rowBytesOf(dtype, embeddingDim)),
    });
  } finally {
    engine.close();
  }
}
