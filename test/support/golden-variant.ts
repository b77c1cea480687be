import assert from "node:assert/strict";
import { join } from "node:path";
import type { JaggedBatch } from "../../lib/jagged-batch.js";
import type { DenseWeights, LinearLayer } from "../../lib/model/dense-weights.js";
import type { NpyArray } from "../../lib/npy/npy-dtype.js";
import { readNpz } from "../../lib/npy/npz.js";
import { PACKAGE_ROOT } from "../../lib/package-root.js";

/** A small model of the PyTorch reference with what it answered; see test/golden/README.md. */
export interface GoldenVariant {
  readonly weights: DenseWeights;
  /** Rows of each table, `[rows, dim]`, in feature order. */
  readonly tables: readonly Float32Array[];
  readonly dim: number;
  readonly dense: Float32Array;
  readonly batch: JaggedBatch;
  readonly pooled: Float32Array;
  readonly logit: Float32Array;
  readonly probability: Float32Array;
}

/** Reads a variant from test/golden. */
export async function readGoldenVariant(interaction: "dot" | "cat"): Promise<GoldenVariant> {
  const state = await readArrays(`${interaction}_state.npz`);
  const samples = await readArrays(`${interaction}_samples.npz`);
  const tableNames = [...state.keys()].filter((name) => name.startsWith("emb_l."));
  const dim = state.get(tableNames[0]!)!.shape[1]!;
  return {
    weights: {
      interaction,
      embeddingDims: tableNames.map(() => dim),
      bottomMlp: [layerOf(state, "bot_l.0"), layerOf(state, "bot_l.2")],
      topMlp: [layerOf(state, "top_l.0"), layerOf(state, "top_l.2")],
    },
    tables: tableNames.map((name) => floatsOf(state, name)),
    dim,
    dense: floatsOf(samples, "dense"),
    batch: batchOf(samples, tableNames.length),
    pooled: floatsOf(samples, "pooled"),
    logit: floatsOf(samples, "logit"),
    probability: floatsOf(samples, "prob"),
  };
}

async function readArrays(fileName: string): Promise<Map<string, NpyArray>> {
  return await readNpz(join(PACKAGE_ROOT, "test", "golden", fileName));
}

function layerOf(state: ReadonlyMap<string, NpyArray>, name: string): LinearLayer {
  const [outputWidth, inputWidth] = state.get(`${name}.weight`)!.shape;
  return {
    inputWidth: inputWidth!,
    outputWidth: outputWidth!,
    weight: floatsOf(state, `${name}.weight`),
    bias: floatsOf(state, `${name}.bias`),
  };
}

/** The reference's offsets and indices as a jagged batch. */
function batchOf(samples: ReadonlyMap<string, NpyArray>, featureCount: number): JaggedBatch {
  const offsets = wholeNumbersOf(samples, "offsets");
  const sampleCount = offsets.length / featureCount;
  const lengths = new Int32Array(offsets.length);
  const values: number[] = [];
  for (let f = 0; f < featureCount; f++) {
    const ids = wholeNumbersOf(samples, `indices_${f}`);
    for (let b = 0; b < sampleCount; b++) {
      const bag = f * sampleCount + b;
      lengths[bag] = (b + 1 < sampleCount ? offsets[bag + 1]! : ids.length) - offsets[bag]!;
    }
    values.push(...ids);
  }
  return { featureCount, sampleCount, lengths, values: Int32Array.from(values) };
}

function floatsOf(arrays: ReadonlyMap<string, NpyArray>, name: string): Float32Array {
  const array = arrays.get(name);
  assert.equal(array?.dtype, "<f4", name);
  return array?.data as Float32Array;
}

function wholeNumbersOf(arrays: ReadonlyMap<string, NpyArray>, name: string): number[] {
  const array = arrays.get(name);
  assert.equal(array?.dtype, "<i8", name);
  return Array.from(array?.data as BigInt64Array, Number);
}
