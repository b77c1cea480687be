import type { MicroBench, MicroContext } from "../micro-bench.js";
import { lookupModel } from "./lookup-model.js";
import { drawWorkload, measureAgainstLoop } from "./lookup-runs.js";
import { openWarmEngine } from "./lookup-store.js";
import { RANDOM_WORKLOAD, scaleWorkload } from "./lookup-workload.js";

/** Rows read evenly from one large partition: what the memory's latency allows. */
export const lookupRandom: MicroBench = {
  name: "lookup-random",
  summary: "one partition of 1 GiB, 4M x 64 float32, uniform ids, all resident: rows/s",
  run: runLookupRandom,
};

async function runLookupRandom(context: MicroContext): Promise<void> {
  const workload = scaleWorkload(RANDOM_WORKLOAD, context.scale);
  const model = await lookupModel(workload, context);
  const engine = await openWarmEngine(model, context);
  try {
    await measureAgainstLoop(context, engine, await drawWorkload(workload, model, context));
  } finally {
    engine.close();
  }
}
