import type { JaggedBatch } from "../../lib/jagged-batch.js";
import type { BagColumn, ClickBatch } from "./click-batch.js";

/** The samples of one query, ready to be sent. */
export interface ClickQuery {
  /** The query's number in the log. */
  readonly query: number;
  readonly sampleCount: number;
  /** When the query's first sample was logged. */
  readonly timestampMs: number;
  /** `[B]`. */
  readonly labels: Uint8Array;
  /** `[B * D]`. */
  readonly dense: Float32Array;
  readonly bags: JaggedBatch;
}

/**
 * Groups a log's samples into queries: neighbours with one number in `query`, across record batches
 * too. Arrays are copies.
 */
export async function* readClickQueries(
  batches: AsyncIterable<ClickBatch>,
): AsyncGenerator<ClickQuery> {
  let open: ClickQuery[] = [];
  for await (const batch of batches) {
    for (let start = 0; start < batch.sampleCount; ) {
      const end = queryEnd(batch.queries, start);
      const part = takeQuery(batch, start, end);
      if (open[0] !== undefined && open[0].query !== part.query) {
        yield joinQueries(open);
        open = [];
      }
      open.push(part);
      start = end;
    }
  }
  if (open.length > 0) yield joinQueries(open);
}

/**
 * The bags of samples `[start, end)`, feature-major as a request carries them. The values are copied.
 */
export function buildJaggedBatch(batch: ClickBatch, start: number, end: number): JaggedBatch {
  const sampleCount = end - start;
  const featureCount = batch.features.length;
  const lengths = new Int32Array(featureCount * sampleCount);
  let valueCount = 0;
  for (let f = 0; f < featureCount; f++) {
    const { offsets } = batch.features[f]!;
    for (let i = 0; i < sampleCount; i++) {
      lengths[f * sampleCount + i] = offsets[start + i + 1]! - offsets[start + i]!;
    }
    valueCount += offsets[end]! - offsets[start]!;
  }
  const values = new Int32Array(valueCount);
  fillFeatureMajor(batch.features, start, end, (column, from, to, position) => {
    values.set(column.rowIds.subarray(from, to), position);
  });
  if (!batch.features.every((column) => column.weights !== undefined)) {
    return { featureCount, sampleCount, lengths, values };
  }
  const weights = new Float32Array(valueCount);
  fillFeatureMajor(batch.features, start, end, (column, from, to, position) => {
    weights.set(column.weights?.subarray(from, to) ?? [], position);
  });
  return { featureCount, sampleCount, lengths, values, weights };
}

function fillFeatureMajor(
  features: readonly BagColumn[],
  start: number,
  end: number,
  copy: (column: BagColumn, from: number, to: number, position: number) => void,
): void {
  let position = 0;
  for (const column of features) {
    const from = column.offsets[start]!;
    const to = column.offsets[end]!;
    copy(column, from, to, position);
    position += to - from;
  }
}

function queryEnd(queries: Int32Array, start: number): number {
  let end = start + 1;
  while (end < queries.length && queries[end] === queries[start]) end++;
  return end;
}

function takeQuery(batch: ClickBatch, start: number, end: number): ClickQuery {
  const width = batch.dense.length / batch.sampleCount;
  return {
    query: batch.queries[start]!,
    sampleCount: end - start,
    timestampMs: batch.timestampsMs[start]!,
    labels: batch.labels.slice(start, end),
    dense: batch.dense.slice(start * width, end * width),
    bags: buildJaggedBatch(batch, start, end),
  };
}

/** One query out of the parts that lie in several record batches. */
function joinQueries(parts: readonly ClickQuery[]): ClickQuery {
  const first = parts[0]!;
  if (parts.length === 1) return first;
  return {
    query: first.query,
    sampleCount: parts.reduce((sum, part) => sum + part.sampleCount, 0),
    timestampMs: first.timestampMs,
    labels: Uint8Array.from(parts.flatMap((part) => [...part.labels])),
    dense: joinFloats(parts.map((part) => part.dense)),
    bags: joinJaggedBatches(parts.map((part) => part.bags)),
  };
}

function joinJaggedBatches(parts: readonly JaggedBatch[]): JaggedBatch {
  const { featureCount } = parts[0]!;
  const sampleCount = parts.reduce((sum, part) => sum + part.sampleCount, 0);
  const lengths = new Int32Array(featureCount * sampleCount);
  const values = new Int32Array(parts.reduce((sum, part) => sum + part.values.length, 0));
  const isWeighted = parts.every((part) => part.weights !== undefined);
  const weights = new Float32Array(isWeighted ? values.length : 0);
  const taken = parts.map(() => 0);
  let sample = 0;
  let position = 0;
  for (let f = 0; f < featureCount; f++) {
    parts.forEach((part, p) => {
      const bags = part.lengths.subarray(f * part.sampleCount, (f + 1) * part.sampleCount);
      const from = taken[p]!;
      const to = bags.reduce((sum, length) => sum + length, from);
      lengths.set(bags, sample);
      values.set(part.values.subarray(from, to), position);
      if (isWeighted) weights.set(part.weights?.subarray(from, to) ?? [], position);
      taken[p] = to;
      sample += part.sampleCount;
      position += to - from;
    });
  }
  return { featureCount, sampleCount, lengths, values, ...(isWeighted ? { weights } : {}) };
}

function joinFloats(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    joined.set(part, position);
    position += part.length;
  }
  return joined;
}
