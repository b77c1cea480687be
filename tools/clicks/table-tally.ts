import { ShardpoolError } from "../../lib/errors.js";
import type { ModelTable } from "../../lib/model/manifest.js";
import type { TableStats } from "../../lib/stats/access-stats.js";
import { MissRatioCounter } from "../../lib/stats/miss-ratio-counter.js";
import { RowCountTable } from "../../lib/stats/row-count-table.js";
import { type RowCounter, TABLE_READS_MAX } from "../../lib/stats/row-counter.js";
import {
  type RowCounts,
  readsOf,
  reuseBinsOf,
  staticMissRatioCurveOf,
} from "../../lib/stats/row-counts.js";

/** Counts the reads of one table, row by row, and follows some rows for its LRU curve. */
export class TableTally {
  readonly #table: ModelTable;
  readonly #counter: RowCounter;
  readonly #misses: MissRatioCounter;
  #readCount = 0;
  #isRecounted = false;

  constructor(table: ModelTable, counter: RowCounter, sampledRowsMax: number) {
    this.#table = table;
    this.#counter = counter;
    this.#misses = new MissRatioCounter(sampledRowsMax);
  }

  /** Whether counts lack something, so that a second pass would make them exact. */
  get isSketched(): boolean {
    return this.#counter.droppedCountMax > 0;
  }

  addAll(rowIds: Int32Array, start: number, end: number): void {
    this.#readCount += end - start;
    if (this.#readCount > TABLE_READS_MAX) {
      throw new ShardpoolError(
        "LIMIT_EXCEEDED",
        `table ${this.#table.name} is read more than ${TABLE_READS_MAX} times: count the log in parts`,
      );
    }
    this.#counter.addAll(rowIds, start, end);
    this.#misses.addAll(rowIds, start, end);
  }

  startRecount(): void {
    if (!this.isSketched || !(this.#counter instanceof RowCountTable)) return;
    this.#counter.restart();
    this.#isRecounted = true;
  }

  recountAll(rowIds: Int32Array, start: number, end: number): void {
    if (this.#isRecounted && this.#counter instanceof RowCountTable) {
      this.#counter.addKnown(rowIds, start, end);
    }
  }

  result(queryCount: number): { stats: TableStats; counts: RowCounts } {
    const counts = this.#counter.toRowCounts();
    const listedRowCount = counts.rowIds.length;
    const { distinctRowCount, distinctRowError, sampleRate: _, ...curve } = this.#misses.result();
    // While all rows are listed, their number is the better answer than the sample's.
    const distinctRows = this.isSketched
      ? Math.max(listedRowCount, Math.min(distinctRowCount, this.#table.rowCount))
      : listedRowCount;
    const tailReadCount = this.#readCount - readsOf(counts);
    const dropped = this.#counter.droppedCountMax;
    return {
      counts,
      stats: {
        table: this.#table.name,
        readCount: this.#readCount,
        distinctRowCount: distinctRows,
        distinctRowError: this.isSketched ? distinctRowError : 0,
        listedRowCount,
        tailReadCount,
        countErrorMax: this.#isRecounted ? 0 : dropped,
        unlistedCountMax: dropped,
        queryCount,
        reuse: reuseBinsOf(counts, dropped),
        ...curve,
        staticMissRatioCurve: staticMissRatioCurveOf(
          counts,
          distinctRows - listedRowCount,
          tailReadCount,
        ),
      },
    };
  }
}
