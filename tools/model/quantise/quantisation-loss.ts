import { ShardpoolError } from "../../../lib/errors.js";
import { type ModelManifest, pooledWidthOf } from "../../../lib/model/manifest.js";
import type { Model } from "../../../lib/model/model-directory.js";
import type { ModelWriter } from "../../../lib/model/model-writer.js";
import { referencePooled } from "../../../lib/model/reference-pooled.js";
import { createDenseSession, type DenseSession } from "../../../services/frontend/index.js";
import { areaUnderCurve } from "../../clicks/auc.js";
import { type ClickBatch, sliceClickBatch } from "../../clicks/click-batch.js";
import type { ClickLog } from "../../clicks/click-log-reader.js";
import { poolClicks } from "../../clicks/pool-clicks.js";
import { drawRequests } from "../compute-golden.js";
import { AnswerDifferences } from "./answer-differences.js";

/** What storing rows in fewer bits changes in a model's answers. */
export interface QuantisationLoss {
  /** What was answered: a click log, or requests drawn as the golden ones are. */
  readonly source: "clicks" | "drawn requests";
  readonly sampleCount: number;
  /** |logit of the quantised model − of the source|; null where the dense part gives no logit. */
  readonly logit: { readonly max: number; readonly mean: number } | null;
  readonly probability: { readonly max: number; readonly mean: number };
  /** On a log with both kinds of labels; null elsewhere. */
  readonly auc: { readonly before: number; readonly after: number; readonly change: number } | null;
}

const DRAWN_SAMPLES = 512;
/** Pooled values held at once, for each of the two models. */
const POOLED_BYTES_MAX = 256 << 20;
/** Samples a run of the dense part: its time a sample falls no further above this. */
const DENSE_SAMPLES = 1024;

/** Answers drawn requests with the rows as they were and as they are stored. */
export async function lossOnDrawnRequests(
  source: Model,
  quantised: ModelWriter,
): Promise<QuantisationLoss> {
  const { denseFeatures, batch } = drawRequests(source.manifest, DRAWN_SAMPLES);
  const before = referencePooled(source, batch).pooled;
  const after = referencePooled(quantised, batch).pooled;
  return await withSession(quantised.densePath, async (session) => {
    const differences = new AnswerDifferences();
    differences.add(
      await session.run(denseFeatures, before, DRAWN_SAMPLES),
      await session.run(denseFeatures, after, DRAWN_SAMPLES),
    );
    return { source: "drawn requests", ...differences.summary(), auc: null };
  });
}

/**
 * Answers a click log with the rows as they were and as they are stored, batch by batch.
 *
 * @throws ShardpoolError CLICKS_INVALID for a row id that is in no row of its feature's table, or a
 * log with weights.
 */
export async function lossOnClicks(
  source: Model,
  quantised: ModelWriter,
  log: ClickLog,
): Promise<QuantisationLoss> {
  return await withSession(quantised.densePath, async (session) => {
    const differences = new AnswerDifferences();
    const labels: Uint8Array[] = [];
    for await (const batch of log.batches()) {
      assertMeasurable(batch, source.manifest, log.path);
      await addBatch(differences, session, source, quantised, batch);
      // Columns may be padded behind their last sample.
      labels.push(batch.labels.slice(0, batch.sampleCount));
    }
    const before = differences.probabilitiesBefore();
    const after = differences.probabilitiesAfter();
    const auc = aucChange(before, after, Buffer.concat(labels));
    return { source: "clicks", ...differences.summary(), auc };
  });
}

async function withSession<T>(
  densePath: string,
  use: (session: DenseSession) => Promise<T>,
): Promise<T> {
  const session = await createDenseSession(densePath, { threadCount: 2 });
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

async function addBatch(
  differences: AnswerDifferences,
  session: DenseSession,
  source: Model,
  quantised: ModelWriter,
  batch: ClickBatch,
): Promise<void> {
  const width = pooledWidthOf(source.manifest);
  const runSamples = Math.max(DENSE_SAMPLES, Math.floor(POOLED_BYTES_MAX / (4 * width)));
  for (let start = 0; start < batch.sampleCount; start += runSamples) {
    const run = sliceClickBatch(batch, start, Math.min(start + runSamples, batch.sampleCount));
    const before = poolClicks(source, run, width);
    const after = poolClicks(quantised, run, width);
    for (let from = 0; from < run.sampleCount; from += DENSE_SAMPLES) {
      const count = Math.min(DENSE_SAMPLES, run.sampleCount - from);
      const { dense } = sliceClickBatch(run, from, from + count);
      const rows = (pooled: Float32Array): Float32Array =>
        pooled.subarray(from * width, (from + count) * width);
      differences.add(
        await session.run(dense, rows(before), count),
        await session.run(dense, rows(after), count),
      );
    }
  }
}

function assertMeasurable(
  batch: ClickBatch,
  { tables, features }: Pick<ModelManifest, "tables" | "features">,
  path: string,
): void {
  for (const [f, { offsets, rowIds, weights }] of batch.features.entries()) {
    const { name, table } = features[f]!;
    if (weights !== undefined) {
      throw new ShardpoolError(
        "CLICKS_INVALID",
        `${path}: feature ${name} has weights; the loss is measured on logs without them`,
      );
    }
    const { rowCount } = tables.find((candidate) => candidate.name === table)!;
    for (let at = offsets[0]!; at < offsets.at(-1)!; at++) {
      // As unsigned, a negative id is above every row count.
      if (rowIds[at]! >>> 0 < rowCount) continue;
      throw new ShardpoolError(
        "CLICKS_INVALID",
        `${path}: feature ${name}: row id ${rowIds[at]}, table ${table} has ${rowCount} rows`,
      );
    }
  }
}

function aucChange(
  before: Float32Array,
  after: Float32Array,
  labels: Uint8Array,
): QuantisationLoss["auc"] {
  const auc = { before: areaUnderCurve(before, labels), after: areaUnderCurve(after, labels) };
  // Labels that are all alike have no AUC.
  if (Number.isNaN(auc.before)) return null;
  return { ...auc, change: auc.after - auc.before };
}
