import { createWriteStream, rmSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fromFileError, ShardpoolError } from "../../../lib/errors.js";
import { FileRegion } from "../../../lib/npy/file-region.js";
import { TensorReference } from "../../model/import/pickle-values.js";
import { readTorchArchive, type TorchArchive } from "../../model/import/torch-state.js";
import { hashCategory } from "./hash-category.js";
import type { ImportContext, ImportedEntry } from "./import-format.js";
import { isGzip, readUnpacked } from "./read-lines.js";

/** Samples read at a time: one read a table for so many bags. */
const SAMPLES_A_READ = 4096;

export interface TraceOptions {
  /** Which of the trace's tables the features read, in order; the first ones unless told. */
  readonly traceTables: readonly number[];
  /** Where a packed trace is unpacked to; removed afterwards. */
  readonly unpackedPath: string;
}

/**
 * Reads one of Meta's published lookup traces (https://github.com/facebookresearch/dlrm_datasets, MIT): a
 * torch.save of `(indices [N], offsets [T·B + 1], lengths [T, B])`, all tables' bags end to end, gzip or
 * plain. The trace has no labels and no dense features: they are 0.
 *
 * An id below the model table's row count is that row; a larger one is hashed by `hashCategory`.
 *
 * @throws ShardpoolError CLICKS_INVALID when it is no such trace or has too few tables,
 * FORMAT_UNSUPPORTED or FILE_CORRUPT for what torch.save did not write.
 */
export async function* readDlrmDatasets(
  context: ImportContext,
  options: TraceOptions,
): AsyncGenerator<ImportedEntry> {
  const { path } = context;
  if (!isGzip(path)) return yield* readTrace(path, context, options);
  const { unpackedPath } = options;
  try {
    const packed = Readable.from(readUnpacked(path, context.onBytes));
    await pipeline(packed, createWriteStream(unpackedPath));
    yield* readTrace(unpackedPath, context, options);
  } catch (error) {
    throw ofPacked(error, options, path);
  } finally {
    rmSync(unpackedPath, { force: true });
  }
}

/** Names the log that was given, not only the file it was unpacked to. */
function ofPacked(error: unknown, { unpackedPath }: TraceOptions, path: string): unknown {
  const coded = fromFileError(error, unpackedPath);
  const isOfContents =
    coded instanceof ShardpoolError &&
    (coded.code === "FILE_CORRUPT" || coded.code === "FORMAT_UNSUPPORTED");
  if (!isOfContents || coded.detail.startsWith(path)) return coded;
  return new ShardpoolError(coded.code, `${path}, unpacked: ${coded.detail}`, { cause: error });
}

async function* readTrace(
  file: string,
  context: ImportContext,
  { traceTables }: TraceOptions,
): AsyncGenerator<ImportedEntry> {
  const { path, manifest } = context;
  const { indices, offsets, tableCount, sampleCount } = await openTrace(file, path);
  const tables = manifest.features.map((_, f) => traceTables[f] ?? f);
  const wrong = tables.find((table) => table >= tableCount);
  try {
    if (wrong !== undefined) {
      throw new ShardpoolError(
        "CLICKS_INVALID",
        `${path} has ${tableCount} tables, feature ${tables.indexOf(wrong) + 1} of model ${manifest.name} wants table ${wrong}`,
      );
    }
    const dense = new Float32Array(manifest.denseFeatureCount);
    for (let start = 0; start < sampleCount; start += SAMPLES_A_READ) {
      const count = Math.min(SAMPLES_A_READ, sampleCount - start);
      const columns = tables.map((table) =>
        readBags(path, indices, offsets, table * sampleCount + start, count),
      );
      for (let b = 0; b < count; b++) {
        const bags = columns.map((column, f) => bagOf(column, b, f, context));
        yield { label: 0, dense, bags };
      }
    }
  } finally {
    indices.close();
    offsets.close();
  }
}

interface Bags {
  readonly offsets: readonly number[];
  readonly values: readonly number[];
}

function readBags(
  path: string,
  indices: IntTensor,
  offsets: IntTensor,
  firstBag: number,
  count: number,
): Bags {
  const bounds = offsets.read(firstBag, count + 1);
  for (let i = 0; i < count; i++) {
    if (bounds[i + 1]! >= bounds[i]! && bounds[i]! >= 0) continue;
    throw new ShardpoolError(
      "CLICKS_INVALID",
      `${path}: offsets ${bounds[i]} and ${bounds[i + 1]} of bag ${firstBag + i} do not rise`,
    );
  }
  if (bounds[count]! > indices.length) {
    throw new ShardpoolError(
      "CLICKS_INVALID",
      `${path}: bag ${firstBag + count - 1} ends at ${bounds[count]} of ${indices.length} indices`,
    );
  }
  const values = indices.read(bounds[0]!, bounds[count]! - bounds[0]!);
  return { offsets: bounds, values };
}

function bagOf(
  { offsets, values }: Bags,
  sample: number,
  feature: number,
  { rowCounts, tableIndices, seed }: ImportContext,
): number[] {
  const rowCount = rowCounts[feature]!;
  const first = offsets[0]!;
  return values
    .slice(offsets[sample]! - first, offsets[sample + 1]! - first)
    .map((id) =>
      id >= 0 && id < rowCount
        ? id
        : hashCategory(id >>> 0, tableIndices[feature]!, seed, rowCount),
    );
}

interface Trace {
  readonly indices: IntTensor;
  readonly offsets: IntTensor;
  readonly tableCount: number;
  readonly sampleCount: number;
}

async function openTrace(file: string, path: string): Promise<Trace> {
  const archive = await readTorchArchive(file);
  const parts = Array.isArray(archive.root) ? archive.root : [];
  const [indices, offsets, lengths] = parts.filter((part) => part instanceof TensorReference);
  const [tableCount, sampleCount] = lengths?.shape ?? [];
  const bagCount = (tableCount ?? 0) * (sampleCount ?? 0);
  if (
    indices?.shape.length !== 1 ||
    offsets?.shape.length !== 1 ||
    lengths?.shape.length !== 2 ||
    offsets.shape[0] !== bagCount + 1
  ) {
    throw new ShardpoolError(
      "CLICKS_INVALID",
      `${path} is no lookup trace: it must hold (indices [N], offsets [T·B + 1], lengths [T, B])`,
    );
  }
  return {
    indices: new IntTensor(file, indices, archive),
    offsets: new IntTensor(file, offsets, archive),
    tableCount: tableCount!,
    sampleCount: sampleCount!,
  };
}

/** A one-dimensional tensor of integers, read piece by piece. Whoever opens it closes it. */
class IntTensor {
  readonly length: number;
  readonly #file: FileRegion;
  readonly #start: number;
  readonly #isWide: boolean;

  constructor(path: string, reference: TensorReference, archive: TorchArchive) {
    const { storage, offset, shape } = reference;
    const entry = archive.entryOf(reference);
    const isInteger = storage.dtype === "int64" || storage.dtype === "int32";
    if (!isInteger || !reference.isContiguous) {
      throw new ShardpoolError(
        "FORMAT_UNSUPPORTED",
        `${path}: a tensor of ${storage.dtype}${reference.isContiguous ? "" : ", strided"}; traces hold int64 or int32`,
      );
    }
    if (entry?.region.bytes !== storage.elementCount * storage.elementBytes) {
      throw new ShardpoolError("FILE_CORRUPT", `${path}: storage ${storage.key} is not whole`);
    }
    this.length = shape[0]!;
    this.#isWide = storage.dtype === "int64";
    this.#start = offset * storage.elementBytes;
    this.#file = FileRegion.open(path, entry.region);
  }

  read(start: number, count: number): number[] {
    const itemBytes = this.#isWide ? 8 : 4;
    const bytes = new Uint8Array(count * itemBytes);
    this.#file.read(this.#start + start * itemBytes, bytes);
    const words = new Int32Array(bytes.buffer);
    if (!this.#isWide) return Array.from(words);
    // Pairs of 32 bits, low first; a BigInt a value costs ten times as much.
    return Array.from(
      { length: count },
      (_, i) => words[2 * i + 1]! * 2 ** 32 + (words[2 * i]! >>> 0),
    );
  }

  close(): void {
    this.#file.close();
  }
}
