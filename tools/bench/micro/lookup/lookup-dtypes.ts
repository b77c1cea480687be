import { type Dtype, rowBytesOf } from "../../../../lib/model/dtype.js";
import type { MicroBench, MicroContext } from "../micro-bench.js";
import { engineContender, rowDetails } from "./lookup-contender.js";
import { lookupModel } from "./lookup-model.js";
import { drawWorkload, isRight, measureAgainstLoop } from "./lookup-runs.js";
import { openWarmEngine } from "./lookup-store.js";
import { HOT_WORKLOAD, rowsPerBatch, scaleWorkload } from "./lookup-workload.js";

/** The workload of lookup-hot with rows in fewer bits, against its float32 rows. */
export const lookupF16 = lookupAs("lookup-f16", "float16");
export const lookupInt8 = lookupAs("lookup-int8", "int8");
export const lookupInt4 = lookupAs("lookup-int4", "int4");

function lookupAs(name: string, dtype: Dtype): MicroBench {
  return {
    name,
    summary: `lookup-hot's workload in ${dtype} rows, against its float32 rows: rows/s`,
    run: (context) => runLookupAs(context, dtype),
  };
}

async function runLookupAs(context: MicroContext, dtype: Dtype): Promise<void> {
  const wide = scaleWorkload(HOT_WORKLOAD, context.scale);
  const narrow = { ...wide, dtype };
  const wideModel = await lookupModel(wide, context);
  const narrowModel = await lookupModel(narrow, context);
  const wideDrawn = await drawWorkload(wide, wideModel, context);
  const narrowDrawn = await drawWorkload(narrow, narrowModel, context);
  const wideEngine = await openWarmEngine(wideModel, context, wideDrawn.stats);
  try {
    const narrowEngine = await openWarmEngine(narrowModel, context, narrowDrawn.stats);
    try {
      const batchRows = rowsPerBatch(narrow);
      const { batches } = narrowDrawn;
      const isBothRight =
        (await isRight(narrowEngine, narrowDrawn)) && (await isRight(wideEngine, wideDrawn));
      await context.measure({
        case: "against float32 rows",
        unit: "rows/s",
        better: "higher",
        correct: isBothRight,
        subject: engineContender(`lookup engine, ${dtype} rows`, narrowEngine, batches, batchRows),
        baseline: engineContender("lookup engine, float32 rows", wideEngine, batches, batchRows),
        details: rowDetails(rowBytesOf(dtype, narrow.embeddingDim)),
      });
      await measureAgainstLoop(context, narrowEngine, narrowDrawn, "against a plain loop");
    } finally {
      narrowEngine.close();
    }
  } finally {
    wideEngine.close();
  }
}
