import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openModel } from "../../../lib/model/model-directory.js";
import { writeDenseOnnx } from "../../../lib/onnx/dense-onnx-writer.js";
import { createDenseSession } from "../../../services/frontend/index.js";
import { medianOf } from "../../cli/median.js";
import { drawDenseWeights } from "./calibration-model.js";

/** A frontend joins queries into batches of about this size. */
const BATCH_SAMPLES = 128;
const TURNS = 5;

/** MLPerf's first DLRM: 26 tables of dim 64, 13-512-256-64, dot, 415-512-256-1. */
const DEFAULT_TABLE_COUNT = 26;
const DEFAULT_DIM = 64;
const DEFAULT_DENSE_FEATURES = 13;

export interface MeasuredDense {
  /** What was run, for the report. */
  readonly what: string;
  /** CPU a sample, in batches of 128, one thread. */
  readonly sampleUs: number;
}

/** Times a model's dense part, or that of MLPerf's DLRM when there is no model. */
export async function measureDense(
  workDir: string,
  modelDir: string | undefined,
  seconds: number,
): Promise<MeasuredDense> {
  if (modelDir !== undefined) {
    const model = await openModel(modelDir);
    const dims = new Map(model.manifest.tables.map((table) => [table.name, table.embeddingDim]));
    const width = model.manifest.features.reduce(
      (sum, feature) => sum + (dims.get(feature.table) ?? 0),
      0,
    );
    const sampleUs = await timeGraph(
      model.densePath,
      model.manifest.denseFeatureCount,
      width,
      seconds,
    );
    return { what: `dense part of ${model.manifest.name}`, sampleUs };
  }
  const path = join(workDir, "dense.onnx");
  const dims = new Array<number>(DEFAULT_TABLE_COUNT).fill(DEFAULT_DIM);
  const weights = drawDenseWeights(
    ...(["dot", DEFAULT_DIM, dims, [512, 256], [512, 256], DEFAULT_DENSE_FEATURES] as const),
  );
  writeFileSync(path, writeDenseOnnx(weights));
  try {
    const width = DEFAULT_TABLE_COUNT * DEFAULT_DIM;
    const sampleUs = await timeGraph(path, DEFAULT_DENSE_FEATURES, width, seconds);
    return { what: "26 tables x 64, 13-512-256-64, dot, 415-512-256-1", sampleUs };
  } finally {
    rmSync(path);
  }
}

async function timeGraph(
  path: string,
  denseFeatureCount: number,
  pooledWidth: number,
  seconds: number,
): Promise<number> {
  const session = await createDenseSession(path, { threadCount: 1 });
  try {
    const turns: number[] = [];
    for (let turn = 0; turn <= TURNS; turn++) {
      const endMs = performance.now() + (seconds * 1000) / (TURNS + 1);
      const before = process.cpuUsage();
      let samples = 0;
      do {
        const dense = new Float32Array(BATCH_SAMPLES * denseFeatureCount).fill(0.1);
        const pooled = new Float32Array(BATCH_SAMPLES * pooledWidth).fill(0.1);
        await session.run(dense, pooled, BATCH_SAMPLES);
        samples += BATCH_SAMPLES;
      } while (performance.now() < endMs);
      const { user, system } = process.cpuUsage(before);
      if (turn > 0) turns.push((user + system) / samples);
    }
    return medianOf(turns);
  } finally {
    await session.close();
  }
}
