import type { MicroBench, MicroContext } from "../micro-bench.js";
import { lookupModel } from "./lookup-model.js";
import { drawWorkload, measureAgainstLoop } from "./lookup-runs.js";
import { openWarmEngine } from "./lookup-store.js";
import { HOT_WORKLOAD, scaleWorkload } from "./lookup-workload.js";

/** The memory tier's budget: everything resident, one thread, index and recency included. */
export const lookupHot: MicroBench = {
  name: "lookup-hot",
  summary: "26 x 100k x 64 float32, batch 128 x 20 ids, zipf 1.05, all resident: rows/s",
  run: runLookupHot,
};

async function runLookupHot(context: MicroContext): Promise<void> {
  const workload = scaleWorkload(HOT_WORKLOAD, context.scale);
  const model = await lookupModel(workload, context);
  const drawn = await drawWorkload(workload, model, context);
  for (const [name, stats] of [
    ["rows scattered", undefined],
    ["rows laid out by statistics", drawn.stats],
  ] as const) {
    const engine = await openWarmEngine(model, context, stats);
    try {
      await measureAgainstLoop(context, engine, drawn, name);
    } finally {
      engine.close();
    }
  }
}
