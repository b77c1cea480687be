import { join } from "node:path";
import { openLookupEngine } from "../../../../shards/index.js";
import type { MicroBench, MicroContext } from "../micro-bench.js";
import { engineContender, rowDetails } from "./lookup-contender.js";
import { lookupModel } from "./lookup-model.js";
import { drawWorkload, isRight } from "./lookup-runs.js";
import { openWarmEngine } from "./lookup-store.js";
import { HOT_WORKLOAD, rowsPerBatch, scaleWorkload } from "./lookup-workload.js";

/** What counting which rows are read costs lookups: the same engine and store, with and without. */
export const accessCounts: MicroBench = {
  name: "access-counts",
  summary:
    "lookup-hot's workload with row reads counted (1 lookup in 64, in 32, in 1) against none counted",
  run: runAccessCounts,
};

async function runAccessCounts(context: MicroContext): Promise<void> {
  const workload = scaleWorkload(HOT_WORKLOAD, context.scale);
  const model = await lookupModel(workload, context);
  const drawn = await drawWorkload(workload, model, context);
  // Builds the store; both engines that are compared open it again.
  (await openWarmEngine(model, context)).close();
  const storePath = join(context.runDir, `${model.manifest.name}.sqlite`);
  const batchRows = rowsPerBatch(workload);
  const open = async (accessCountsEvery: number) => {
    const engine = openLookupEngine({ storePath, accessCountsEvery });
    await engine.preload();
    return engine;
  };
  const plain = await open(0);
  try {
    for (const every of [64, 32, 1]) {
      const counting = await open(every);
      try {
        await context.measure({
          case: `1 lookup in ${every}`,
          unit: "rows/s",
          better: "higher",
          correct: (await isRight(counting, drawn)) && counting.accesses(false)?.every === every,
          subject: engineContender("row reads counted", counting, drawn.batches, batchRows),
          baseline: engineContender("none counted", plain, drawn.batches, batchRows),
          details: rowDetails(workload.embeddingDim * 4),
        });
      } finally {
        counting.close();
      }
    }
  } finally {
    plain.close();
  }
}
