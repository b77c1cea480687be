import type { ModelManifest } from "../../../../lib/model/manifest.js";
import { Random } from "../../../../lib/random.js";
import { DenseRowCounter } from "../../../../lib/stats/row-counter.js";
import type { ClickBatch } from "../../../clicks/click-log.js";
import { ClickCounter } from "../../../clicks/count-clicks.js";
import { RowScatter } from "../../../clicks/row-scatter.js";
import { PRESETS, scalePreset } from "../../../model/synth/presets.js";
import type { MicroBench, MicroContext } from "../micro-bench.js";
import { rateContender } from "../rate-contender.js";

/** MLPerf's tables at a hundredth: 2 million rows, 214 ids a sample. */
const SCALE = 0.01;
const BATCH_COUNT = 8;
/** A record batch of a click log. */
const BATCH_SAMPLES = 4096;
const QUERY_SAMPLES = 270;
/** Row ids are `rowCount · u^SKEW`, scattered. */
const SKEW = 3;
/** Counters for the sketched case: the larger tables get an eighth of a share of them. */
const FEW_COUNTERS = 200_000;

/** `clicks stats` without reading: counting alone, with all else, and with too few counters. */
export const clicksCount: MicroBench = {
  name: "clicks-count",
  summary: "ids counted a second by clicks stats, against a plain loop over one array a table",
  run,
};

async function run(context: MicroContext): Promise<void> {
  const preset = scalePreset(PRESETS.mlperf, { scale: SCALE * context.scale });
  const model = modelOf(preset.rowCounts);
  context.note("drawing row ids");
  const batches = drawBatches(preset.rowCounts, preset.poolingFactors, context.seed);
  const idsPerBatch = batches[0]!.features.reduce((sum, { rowIds }) => sum + rowIds.length, 0);
  const plain = preset.rowCounts.map((rowCount) => new Uint32Array(rowCount));
  const eachBatch = (count: (batch: ClickBatch) => void): (() => number) => {
    let next = 0;
    return () => {
      count(batches[next++ % batches.length]!);
      return idsPerBatch;
    };
  };
  const baseline = rateContender(
    "plain loop",
    eachBatch((batch) => countPlainly(plain, batch)),
  );
  const exact = plainCounts(preset.rowCounts, batches);

  const dense = preset.rowCounts.map((rowCount) => new DenseRowCounter(rowCount));
  const countDense = (counters: readonly DenseRowCounter[]) => (batch: ClickBatch) =>
    batch.features.forEach(({ offsets, rowIds }, f) => {
      counters[f]!.addAll(rowIds, offsets[0]!, offsets.at(-1)!);
    });
  const checked = preset.rowCounts.map((rowCount) => new DenseRowCounter(rowCount));
  for (const batch of batches) countDense(checked)(batch);
  await context.measure({
    ...{ case: "counts alone", unit: "ids/s", better: "higher", baseline },
    correct: checked.every((counter, t) => {
      const { rowIds, counts } = counter.toRowCounts();
      return (
        rowIds.length === exact[t]!.filter((count) => count > 0).length &&
        rowIds.every((rowId, i) => counts[i] === exact[t]![rowId])
      );
    }),
    subject: rateContender("clicks stats", eachBatch(countDense(dense))),
  });

  for (const [name, options] of [
    ["counts, curves, bags, queries", {}],
    ["the same, sketched", { exactRowsMax: Math.ceil(FEW_COUNTERS * context.scale) }],
  ] as const) {
    const counter = new ClickCounter(model, options);
    await context.measure({
      ...{ case: name, unit: "ids/s", better: "higher", baseline },
      correct: isWithinBounds(new ClickCounter(model, options), batches, exact),
      subject: rateContender(
        "clicks stats",
        eachBatch((batch) => counter.add(batch)),
      ),
    });
  }
}

function modelOf(rowCounts: readonly number[]): Pick<ModelManifest, "tables" | "features"> {
  return {
    tables: rowCounts.map((rowCount, t) => ({
      ...{ name: `t${t}`, rowCount, embeddingDim: 64, dtype: "float32" },
    })),
    features: rowCounts.map((_, t) => ({
      ...{ name: `f${t}`, table: `t${t}`, pooling: "sum", outOfRange: "error" },
    })),
  };
}

function drawBatches(
  rowCounts: readonly number[],
  poolingFactors: readonly number[],
  seed: number,
): ClickBatch[] {
  const random = new Random(seed, "clicks-count");
  const scatters = rowCounts.map((rowCount, t) => new RowScatter(rowCount, seed + t));
  return Array.from({ length: BATCH_COUNT }, (_, b) => ({
    sampleCount: BATCH_SAMPLES,
    queries: Int32Array.from({ length: BATCH_SAMPLES }, (_, i) =>
      Math.floor((b * BATCH_SAMPLES + i) / QUERY_SAMPLES),
    ),
    timestampsMs: new Float64Array(BATCH_SAMPLES),
    labels: new Uint8Array(BATCH_SAMPLES),
    dense: new Float32Array(0),
    features: rowCounts.map((rowCount, t) => {
      const length = poolingFactors[t]!;
      return {
        offsets: Int32Array.from({ length: BATCH_SAMPLES + 1 }, (_, i) => i * length),
        rowIds: Int32Array.from({ length: BATCH_SAMPLES * length }, () =>
          scatters[t]!.rowAt(Math.floor(rowCount * random.nextFloat() ** SKEW)),
        ),
      };
    }),
  }));
}

function countPlainly(counts: readonly Uint32Array[], { features }: ClickBatch): void {
  for (let f = 0; f < features.length; f++) {
    const own = counts[f]!;
    const { rowIds } = features[f]!;
    for (let i = 0; i < rowIds.length; i++) own[rowIds[i]!]!++;
  }
}

function plainCounts(
  rowCounts: readonly number[],
  batches: readonly ClickBatch[],
): readonly Uint32Array[] {
  const counts = rowCounts.map((rowCount) => new Uint32Array(rowCount));
  for (const batch of batches) countPlainly(counts, batch);
  return counts;
}

/** Listed counts lack no more than they say, unlisted rows were read no more often than said. */
function isWithinBounds(
  counter: ClickCounter,
  batches: readonly ClickBatch[],
  exact: readonly Uint32Array[],
): boolean {
  for (const batch of batches) counter.add(batch);
  const { tables, countsByTable } = counter.result();
  return tables.every(({ table, countErrorMax, unlistedCountMax }, t) => {
    const { rowIds, counts } = countsByTable.get(table)!;
    const rest = exact[t]!.slice();
    let isRight = true;
    rowIds.forEach((rowId, i) => {
      const lacks = rest[rowId]! - counts[i]!;
      if (lacks < 0 || lacks > countErrorMax) isRight = false;
      rest[rowId] = 0;
    });
    return isRight && rest.every((count) => count <= (unlistedCountMax ?? 0));
  });
}
