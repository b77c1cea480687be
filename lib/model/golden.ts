import { ShardpoolError } from "../errors.js";
import type { JaggedBatch } from "../jagged-batch.js";
import { type NpyArray, type NpyData, npyArray } from "../npy/npy-dtype.js";
import { readNpz, writeNpz } from "../npy/npz.js";
import { type ModelManifest, pooledWidthOf } from "./manifest.js";

/**
 * Requests with their right answers, recorded when the model was made: a frontend answers them
 * before it says it is ready. B samples, D dense features, W the pooled width of the model.
 */
export interface GoldenRequests {
  readonly sampleCount: number;
  /** `[B, D]`. */
  readonly denseFeatures: Float32Array;
  readonly batch: JaggedBatch;
  /** `[B, W]`: the features' pooled vectors side by side, in feature order. */
  readonly pooled: Float32Array;
  /** `[B]`, where the dense part gives it. */
  readonly logit?: Float32Array;
  /** `[B]`. */
  readonly probability: Float32Array;
}

/** What the sizes of golden requests follow from. */
export type GoldenShape = Pick<ModelManifest, "denseFeatureCount" | "features" | "tables">;

/** More than any start-up check needs. */
export const GOLDEN_SAMPLES_MAX = 65536;
const BYTES_MAX = 1024 ** 3;

/** Writes `golden.npz`, whole or not at all. */
export async function writeGolden(
  path: string,
  golden: GoldenRequests,
  model: GoldenShape,
): Promise<void> {
  const { batch, sampleCount } = golden;
  const arrays = new Map<string, NpyArray>();
  arrays.set(
    "dense",
    npyArray("<f4", [sampleCount, model.denseFeatureCount], golden.denseFeatures),
  );
  arrays.set("lengths", npyArray("<i4", [batch.featureCount, sampleCount], batch.lengths));
  arrays.set("values", npyArray("<i4", [batch.values.length], batch.values));
  if (batch.weights) {
    arrays.set("weights", npyArray("<f4", [batch.values.length], batch.weights));
  }
  arrays.set("pooled", npyArray("<f4", [sampleCount, pooledWidthOf(model)], golden.pooled));
  if (golden.logit) arrays.set("logit", npyArray("<f4", [sampleCount, 1], golden.logit));
  arrays.set("probability", npyArray("<f4", [sampleCount, 1], golden.probability));
  await writeNpz(path, arrays);
}

/**
 * Reads and checks golden requests: array names, dtypes and shapes, that the lengths add up and that
 * row ids are in their tables where the feature refuses others.
 *
 * @throws ShardpoolError FILE_NOT_FOUND, FILE_UNREADABLE, FORMAT_UNSUPPORTED or FILE_CORRUPT.
 */
export async function readGolden(path: string, model: GoldenShape): Promise<GoldenRequests> {
  const arrays = new GoldenArrays(path, await readNpz(path, BYTES_MAX));
  const sampleCount = arrays.firstExtentOf("probability");
  assertSampleCount(sampleCount, path);
  const featureCount = model.features.length;
  const lengths = arrays.take("lengths", "<i4", [featureCount, sampleCount]);
  const valueCount = arrays.firstExtentOf("values");
  const batch = {
    featureCount,
    sampleCount,
    lengths,
    values: arrays.take("values", "<i4", [valueCount]),
    ...(arrays.has("weights") && { weights: arrays.take("weights", "<f4", [valueCount]) }),
  };
  assertRowsExist(batch, model, path);
  const golden = {
    sampleCount,
    denseFeatures: arrays.take("dense", "<f4", [sampleCount, model.denseFeatureCount]),
    batch,
    pooled: arrays.take("pooled", "<f4", [sampleCount, pooledWidthOf(model)]),
    ...(arrays.has("logit") && { logit: arrays.take("logit", "<f4", [sampleCount, 1]) }),
    probability: arrays.take("probability", "<f4", [sampleCount, 1]),
  };
  arrays.assertNothingLeft();
  return golden;
}

/** The arrays of the file, each taken once with the dtype and shape it has to have. */
class GoldenArrays {
  readonly #path: string;
  readonly #arrays: Map<string, NpyArray>;

  constructor(path: string, arrays: Map<string, NpyArray>) {
    this.#path = path;
    this.#arrays = arrays;
  }

  has(name: string): boolean {
    return this.#arrays.has(name);
  }

  firstExtentOf(name: string): number {
    return this.#get(name).shape[0] ?? 0;
  }

  take<D extends "<f4" | "<i4">(name: string, dtype: D, shape: readonly number[]): NpyData<D> {
    const array = this.#get(name);
    if (array.dtype !== dtype || array.shape.join() !== shape.join()) {
      throw this.#corrupt(
        `${name} is ${array.dtype} [${array.shape.join(", ")}], the model wants ${dtype} [${shape.join(", ")}]`,
      );
    }
    this.#arrays.delete(name);
    return array.data as NpyData<D>;
  }

  assertNothingLeft(): void {
    const [name] = this.#arrays.keys();
    if (name !== undefined) throw this.#corrupt(`array ${name} is not known`);
  }

  #get(name: string): NpyArray {
    const array = this.#arrays.get(name);
    if (array === undefined) throw this.#corrupt(`there is no array ${name}`);
    return array;
  }

  #corrupt(problem: string): ShardpoolError {
    return new ShardpoolError("FILE_CORRUPT", `${this.#path}: ${problem}`);
  }
}

function assertSampleCount(sampleCount: number, path: string): void {
  if (sampleCount >= 1 && sampleCount <= GOLDEN_SAMPLES_MAX) return;
  throw new ShardpoolError(
    "FILE_CORRUPT",
    `${path} has ${sampleCount} samples; 1 to ${GOLDEN_SAMPLES_MAX} are read`,
  );
}

function assertRowsExist(batch: JaggedBatch, model: GoldenShape, path: string): void {
  const { featureCount, sampleCount, lengths, values } = batch;
  const rowCounts = new Map(model.tables.map((table) => [table.name, table.rowCount]));
  let end = 0;
  for (let f = 0; f < featureCount; f++) {
    const feature = model.features[f]!;
    const rowCount = rowCounts.get(feature.table)!;
    const start = end;
    for (let b = 0; b < sampleCount; b++) {
      const length = lengths[f * sampleCount + b]!;
      if (length < 0 || end + length > values.length) {
        throw new ShardpoolError(
          "FILE_CORRUPT",
          `${path}: feature ${feature.name} has a bag of ${length} row ids, ${values.length - end} are left`,
        );
      }
      end += length;
    }
    if (feature.outOfRange !== "error") continue;
    for (let i = start; i < end; i++) {
      if (values[i]! >= 0 && values[i]! < rowCount) continue;
      throw new ShardpoolError(
        "FILE_CORRUPT",
        `${path}: feature ${feature.name} has row id ${values[i]}, its table has ${rowCount} rows`,
      );
    }
  }
  if (end !== values.length) {
    throw new ShardpoolError(
      "FILE_CORRUPT",
      `${path}: lengths add up to ${end}, there are ${values.length} values`,
    );
  }
}
