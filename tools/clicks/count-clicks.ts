import { ShardpoolError } from "../../lib/errors.js";
import type { ModelManifest } from "../../lib/model/manifest.js";
import type { AccessStatsDraft } from "../../lib/stats/access-stats.js";
import type { RowCounts } from "../../lib/stats/counts-file.js";
import type { BagColumn, ClickBatch } from "./click-batch.js";

/** Rows that are counted exactly, over all tables: 4 bytes each. */
export const COUNTED_ROWS_MAX = 2 ** 29;

export interface ClickCounts {
  readonly sampleCount: number;
  readonly queryCount: number;
  readonly tables: AccessStatsDraft["tables"];
  readonly features: AccessStatsDraft["features"];
  /** Every row that was read, heaviest first; ties by row id. */
  readonly countsByTable: ReadonlyMap<string, RowCounts>;
}

/** Counts the reads of every row of a click log, exactly, before any de-duplication. */
export class ClickCounter {
  readonly #manifest: ModelManifest;
  readonly #readsByTable: ReadonlyMap<string, Uint32Array>;
  readonly #features: { readCount: number; bagLengthMax: number; emptyBagCount: number }[];
  #sampleCount = 0;
  #queryCount = 0;
  #lastQuery = -1;

  /** @throws ShardpoolError LIMIT_EXCEEDED for tables with more than `COUNTED_ROWS_MAX` rows in all. */
  constructor(manifest: ModelManifest) {
    const rowCount = manifest.tables.reduce((sum, table) => sum + table.rowCount, 0);
    if (rowCount > COUNTED_ROWS_MAX) {
      throw new ShardpoolError(
        "LIMIT_EXCEEDED",
        `the model has ${rowCount} rows, reads of at most ${COUNTED_ROWS_MAX} are counted`,
      );
    }
    this.#manifest = manifest;
    this.#readsByTable = new Map(
      manifest.tables.map((table) => [table.name, new Uint32Array(table.rowCount)]),
    );
    this.#features = manifest.features.map(() => ({
      readCount: 0,
      bagLengthMax: 0,
      emptyBagCount: 0,
    }));
  }

  /** @throws ShardpoolError CLICKS_INVALID for an id that is no row of its feature's table. */
  add(batch: ClickBatch): void {
    for (const [f, column] of batch.features.entries()) this.#addFeature(f, column);
    this.#sampleCount += batch.sampleCount;
    for (let i = 0; i < batch.sampleCount; i++) {
      if (batch.queries[i] !== this.#lastQuery) this.#queryCount++;
      this.#lastQuery = batch.queries[i]!;
    }
  }

  #addFeature(f: number, { offsets, rowIds }: BagColumn): void {
    const feature = this.#manifest.features[f]!;
    const reads = this.#readsByTable.get(feature.table)!;
    const start = offsets[0]!;
    const end = offsets.at(-1)!;
    for (let i = start; i < end; i++) {
      const rowId = rowIds[i]!;
      // As unsigned, a negative id is above every row count.
      if (rowId >>> 0 >= reads.length) {
        throw new ShardpoolError(
          "CLICKS_INVALID",
          `feature ${feature.name}: row id ${rowId}, table ${feature.table} has ${reads.length} rows`,
        );
      }
      reads[rowId]!++;
    }
    const stats = this.#features[f]!;
    stats.readCount += end - start;
    for (let i = 1; i < offsets.length; i++) {
      const length = offsets[i]! - offsets[i - 1]!;
      if (length === 0) stats.emptyBagCount++;
      else if (length > stats.bagLengthMax) stats.bagLengthMax = length;
    }
  }

  result(): ClickCounts {
    const countsByTable = new Map(
      [...this.#readsByTable].map(([table, reads]) => [table, heaviestFirst(reads)]),
    );
    return {
      sampleCount: this.#sampleCount,
      queryCount: this.#queryCount,
      countsByTable,
      tables: [...countsByTable].map(([table, { rowIds, counts }]) => ({
        table,
        readCount: counts.reduce((sum, count) => sum + count, 0),
        distinctRowCount: rowIds.length,
        listedRowCount: rowIds.length,
        tailReadCount: 0,
        countErrorMax: 0,
        missRatioCurve: [],
        missRatioError: null,
      })),
      features: this.#manifest.features.map(({ name, table }, f) => ({
        feature: name,
        table,
        ...this.#features[f]!,
        poolingFactor: this.#features[f]!.readCount / Math.max(1, this.#sampleCount),
      })),
    };
  }
}

/** Sorts packed numbers instead of objects: count above, row id below, one float64 a row. */
function heaviestFirst(reads: Uint32Array): RowCounts {
  let touched = 0;
  for (let i = 0; i < reads.length; i++) if (reads[i]! > 0) touched++;
  const packed = new Float64Array(touched);
  let position = 0;
  for (let rowId = 0; rowId < reads.length; rowId++) {
    // Counts stay below 2^21 times 2^32 exactly; heavier rows are clamped for the order alone.
    if (reads[rowId]! > 0) {
      packed[position++] = -Math.min(reads[rowId]!, 0x1fffff) * 4294967296 + rowId;
    }
  }
  packed.sort();
  const rowIds = new Int32Array(touched);
  const counts = new Uint32Array(touched);
  for (let i = 0; i < touched; i++) {
    const rowId = packed[i]! - Math.floor(packed[i]! / 4294967296) * 4294967296;
    rowIds[i] = rowId;
    counts[i] = reads[rowId]!;
  }
  return { rowIds, counts };
}
