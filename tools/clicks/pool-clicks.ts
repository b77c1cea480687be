import type { Model, TableSource } from "../../lib/model/model-directory.js";
import { decodeRows } from "../../lib/model/row-codec.js";
import type { TableReader } from "../../lib/model/table-reader.js";
import type { BagColumn, ClickBatch } from "./click-batch.js";

/** Decoded rows of a table held at once; a larger table is read row by row where it is touched. */
const TABLE_BYTES_MAX = 2 ** 30;
/** Bytes read at once while a whole table is decoded. */
const READ_BYTES = 4 << 20;

/** A model on disk, or one that is being written. */
type TableFiles = Pick<TableSource, "manifest"> & Pick<Model, "openTable">;

/**
 * Pools the bags of a run of samples, table by table, so that memory holds one table and the answer.
 * Rows are added four at a time, so sums may differ from a shard's in the last bits: good for drawing
 * labels, not for checking answers.
 *
 * @returns `[B, ΣE]`, features in order.
 */
export function poolClicks(
  model: TableFiles,
  clicks: ClickBatch,
  pooledWidth: number,
): Float32Array {
  const { tables, features } = model.manifest;
  const pooled = new Float32Array(clicks.sampleCount * pooledWidth);
  const dims = new Map(tables.map((table) => [table.name, table.embeddingDim]));
  const columns: number[] = [];
  let column = 0;
  for (const feature of features) {
    columns.push(column);
    column += dims.get(feature.table) ?? 0;
  }
  for (const table of tables) {
    const own = features.flatMap((feature, f) => (feature.table === table.name ? [f] : []));
    const bags = own.map((f) => clicks.features[f]!);
    const rows = loadRows(model, table.name, bags, clicks.sampleCount);
    own.forEach((f, i) => {
      const { pooling } = features[f]!;
      poolFeature(rows, bags[i]!, pooling === "mean", pooled.subarray(columns[f]), pooledWidth);
    });
  }
  return pooled;
}

/** Rows of a table, decoded. */
interface LoadedRows {
  readonly embeddingDim: number;
  readonly values: Float32Array;
  /** The row ids held, rising; absent when all rows are. */
  readonly heldIds?: Int32Array;
}

function loadRows(
  model: TableFiles,
  table: string,
  bags: readonly BagColumn[],
  sampleCount: number,
): LoadedRows {
  const reader = model.openTable(table);
  try {
    const { rowCount, embeddingDim } = reader.table;
    const isSmall = rowCount * embeddingDim * Float32Array.BYTES_PER_ELEMENT <= TABLE_BYTES_MAX;
    return isSmall ? loadTable(reader) : loadTouched(reader, touchedIds(bags, sampleCount));
  } finally {
    reader.close();
  }
}

function loadTable(reader: TableReader): LoadedRows {
  const { rowCount, embeddingDim, dtype } = reader.table;
  const values = new Float32Array(rowCount * embeddingDim);
  const chunkRows = Math.max(1, Math.floor(READ_BYTES / reader.rowBytes));
  const bytes = new Uint8Array(chunkRows * reader.rowBytes);
  for (let start = 0; start < rowCount; start += chunkRows) {
    const count = Math.min(chunkRows, rowCount - start);
    const chunk = bytes.subarray(0, count * reader.rowBytes);
    reader.readRowBytes(start, count, chunk);
    const out = values.subarray(start * embeddingDim, (start + count) * embeddingDim);
    decodeRows(dtype, embeddingDim, chunk, out);
  }
  return { embeddingDim, values };
}

function loadTouched(reader: TableReader, heldIds: Int32Array): LoadedRows {
  const { embeddingDim } = reader.table;
  const values = new Float32Array(heldIds.length * embeddingDim);
  reader.readRows(heldIds, values);
  return { embeddingDim, values, heldIds };
}

/** Distinct row ids of some features, rising: a file is read front to back. */
function touchedIds(bags: readonly BagColumn[], sampleCount: number): Int32Array {
  const parts = bags.map(({ offsets, rowIds }) =>
    rowIds.subarray(offsets[0], offsets[sampleCount]),
  );
  const ids = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    ids.set(part, position);
    position += part.length;
  }
  ids.sort();
  let distinct = 0;
  for (let i = 0; i < ids.length; i++) {
    if (i === 0 || ids[i] !== ids[i - 1]) ids[distinct++] = ids[i]!;
  }
  return ids.subarray(0, distinct);
}

function poolFeature(
  { embeddingDim, values, heldIds }: LoadedRows,
  { offsets, rowIds }: BagColumn,
  isMean: boolean,
  out: Float32Array,
  stride: number,
): void {
  const places = heldIds === undefined ? rowIds : placesOf(heldIds, offsets, rowIds);
  for (let i = 0; i + 1 < offsets.length; i++) {
    const start = offsets[i]!;
    const end = offsets[i + 1]!;
    const to = i * stride;
    let at = start;
    // Half the time of adding row by row, which loads and stores `out` for each.
    for (; at + 4 <= end; at += 4) {
      const from0 = places[at]! * embeddingDim;
      const from1 = places[at + 1]! * embeddingDim;
      const from2 = places[at + 2]! * embeddingDim;
      const from3 = places[at + 3]! * embeddingDim;
      for (let c = 0; c < embeddingDim; c++) {
        out[to + c]! +=
          values[from0 + c]! + values[from1 + c]! + (values[from2 + c]! + values[from3 + c]!);
      }
    }
    for (; at < end; at++) {
      const from = places[at]! * embeddingDim;
      for (let c = 0; c < embeddingDim; c++) out[to + c]! += values[from + c]!;
    }
    if (isMean && end > start) {
      for (let c = 0; c < embeddingDim; c++) out[to + c]! /= end - start;
    }
  }
}

/** Where each row id of the bags stands among rising ids that hold it. */
function placesOf(heldIds: Int32Array, offsets: Int32Array, rowIds: Int32Array): Int32Array {
  const places = new Int32Array(rowIds.length);
  const end = offsets.at(-1)!;
  for (let at = offsets[0]!; at < end; at++) places[at] = placeOf(heldIds, rowIds[at]!);
  return places;
}

/** Where an id stands among rising ids that hold it. */
function placeOf(ids: Int32Array, id: number): number {
  let low = 0;
  let high = ids.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ids[middle]! < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
