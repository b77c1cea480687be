import { ShardpoolError } from "../../lib/errors.js";
import type { ModelManifest } from "../../lib/model/manifest.js";
import type { AccessStatsDraft, FeatureStats } from "../../lib/stats/access-stats.js";
import { BagLengthHistogram } from "../../lib/stats/bag-length-histogram.js";
import { CoAccessCounter } from "../../lib/stats/co-access-counter.js";
import { SAMPLED_ROWS_MAX } from "../../lib/stats/miss-ratio-counter.js";
import { createRowCounters } from "../../lib/stats/row-counter.js";
import type { RowCounts } from "../../lib/stats/row-counts.js";
import type { BagColumn, ClickBatch } from "./click-batch.js";
import { TableTally } from "./table-tally.js";

/** Counters of 4 bytes: 1 GiB at most, which MLPerf's 204 million rows fit. */
export const EXACT_ROWS_MAX = 2 ** 28;

/** Rows followed for all curves together, so that a thousand tables do not take a gigabyte. */
const SAMPLED_ROWS_TOTAL_MAX = 2 ** 21;

export interface CountOptions {
  /** Counters of 4 bytes over all tables; beyond them, counts are sketched. */
  readonly exactRowsMax?: number;
  /** Rows of a table whose reads are followed for its LRU curve; Infinity for all. */
  readonly sampledRowsMax?: number;
}

export interface ClickCounts
  extends Pick<
    AccessStatsDraft,
    "sampleCount" | "queryCount" | "tables" | "features" | "coAccess"
  > {
  /** Rows that were read, heaviest first; ties by row id. */
  readonly countsByTable: ReadonlyMap<string, RowCounts>;
}

/** Counts what a click log reads, before any de-duplication. */
export class ClickCounter {
  readonly #manifest: Pick<ModelManifest, "tables" | "features">;
  readonly #tables: readonly TableTally[];
  /** Features by their table's index. */
  readonly #featuresByTable: readonly (readonly number[])[];
  readonly #tableByFeature: readonly number[];
  readonly #features: { readCount: number; readonly lengths: BagLengthHistogram }[];
  readonly #coAccess: CoAccessCounter;
  /** `[T]`, tables that the query at hand reads. */
  readonly #isRead: Uint8Array;
  #sampleCount = 0;
  /** The query whose samples are still coming; null before the first. */
  #openQuery: number | null = null;

  constructor(manifest: Pick<ModelManifest, "tables" | "features">, options: CountOptions = {}) {
    const { exactRowsMax = EXACT_ROWS_MAX, sampledRowsMax = SAMPLED_ROWS_MAX } = options;
    const { tables, features } = manifest;
    const counters = createRowCounters(
      tables.map((table) => table.rowCount),
      exactRowsMax,
    );
    const sampledRows =
      sampledRowsMax === Number.POSITIVE_INFINITY
        ? sampledRowsMax
        : Math.min(sampledRowsMax, Math.floor(SAMPLED_ROWS_TOTAL_MAX / tables.length));
    this.#manifest = manifest;
    this.#tables = tables.map((table, t) => new TableTally(table, counters[t]!, sampledRows));
    this.#tableByFeature = features.map((feature) =>
      tables.findIndex((table) => table.name === feature.table),
    );
    this.#featuresByTable = tables.map((_, t) =>
      this.#tableByFeature.flatMap((table, f) => (table === t ? [f] : [])),
    );
    this.#features = features.map(() => ({ readCount: 0, lengths: new BagLengthHistogram() }));
    this.#coAccess = new CoAccessCounter(tables.map((table) => table.name));
    this.#isRead = new Uint8Array(tables.length);
  }

  /** Whether {@link recount} would make counts exact that are not. */
  get needsRecount(): boolean {
    return this.#tables.some((table) => table.isSketched);
  }

  /**
   * @throws ShardpoolError CLICKS_INVALID for an id that is no row of its feature's table;
   * LIMIT_EXCEEDED for more reads of a table than a count can hold.
   */
  add(batch: ClickBatch): void {
    if (batch.sampleCount === 0) return;
    const queryStarts = queryStartsOf(batch.queries);
    this.#featuresByTable.forEach((own, t) => {
      for (const f of own) this.#checkRows(f, batch.features[f]!);
      this.#countReads(t, own, batch, queryStarts);
    });
    for (const [f, { offsets }] of batch.features.entries()) {
      this.#features[f]!.readCount += offsets.at(-1)! - offsets[0]!;
      this.#features[f]!.lengths.addOffsets(offsets);
    }
    this.#countQueries(batch, queryStarts);
    this.#sampleCount += batch.sampleCount;
  }

  /** Starts a second pass over the same log, in which rows found heavy are counted exactly. */
  startRecount(): void {
    for (const table of this.#tables) table.startRecount();
  }

  /** A batch of the second pass. */
  recount(batch: ClickBatch): void {
    this.#featuresByTable.forEach((own, t) => {
      for (const f of own) {
        const { offsets, rowIds } = batch.features[f]!;
        this.#tables[t]!.recountAll(rowIds, offsets[0]!, offsets.at(-1)!);
      }
    });
  }

  result(): ClickCounts {
    this.#finishQuery();
    const tallies = this.#tables.map((table, t) => table.result(this.#coAccess.queriesOf(t)));
    return {
      sampleCount: this.#sampleCount,
      queryCount: this.#coAccess.queryCount,
      countsByTable: new Map(tallies.map(({ stats, counts }) => [stats.table, counts])),
      tables: tallies.map(({ stats }) => stats),
      features: this.#manifest.features.map((feature, f) => this.#featureStats(feature, f)),
      coAccess: this.#coAccess.result(),
    };
  }

  #featureStats({ name, table }: { name: string; table: string }, f: number): FeatureStats {
    const { readCount, lengths } = this.#features[f]!;
    return {
      feature: name,
      table,
      readCount,
      poolingFactor: readCount / Math.max(1, this.#sampleCount),
      bagLengthMax: lengths.lengthMax,
      emptyBagCount: lengths.emptyBagCount,
      bagLengths: lengths.bins(),
    };
  }

  #checkRows(f: number, { offsets, rowIds }: BagColumn): void {
    const feature = this.#manifest.features[f]!;
    const { rowCount } = this.#manifest.tables[this.#tableByFeature[f]!]!;
    const end = offsets.at(-1)!;
    for (let i = offsets[0]!; i < end; i++) {
      // As unsigned, a negative id is above every row count.
      if (rowIds[i]! >>> 0 < rowCount) continue;
      throw new ShardpoolError(
        "CLICKS_INVALID",
        `feature ${feature.name}: row id ${rowIds[i]}, table ${feature.table} has ${rowCount} rows`,
      );
    }
  }

  /** In the order of serving: query by query where features share a table. */
  #countReads(
    t: number,
    own: readonly number[],
    batch: ClickBatch,
    queryStarts: readonly number[],
  ): void {
    const table = this.#tables[t]!;
    const columns = own.map((f) => batch.features[f]!);
    const [only] = columns;
    if (columns.length === 1 && only !== undefined) {
      table.addAll(only.rowIds, only.offsets[0]!, only.offsets.at(-1)!);
      return;
    }
    queryStarts.forEach((start, q) => {
      const end = queryStarts[q + 1] ?? batch.sampleCount;
      for (const { offsets, rowIds } of columns)
        table.addAll(rowIds, offsets[start]!, offsets[end]!);
    });
  }

  #countQueries(batch: ClickBatch, queryStarts: readonly number[]): void {
    queryStarts.forEach((start, q) => {
      const query = batch.queries[start]!;
      if (query !== this.#openQuery) this.#finishQuery();
      this.#openQuery = query;
      const end = queryStarts[q + 1] ?? batch.sampleCount;
      for (let f = 0; f < batch.features.length; f++) {
        const { offsets } = batch.features[f]!;
        if (offsets[end]! > offsets[start]!) this.#isRead[this.#tableByFeature[f]!] = 1;
      }
    });
  }

  #finishQuery(): void {
    if (this.#openQuery === null) return;
    this.#coAccess.addQuery(this.#isRead);
    this.#isRead.fill(0);
    this.#openQuery = null;
  }
}

function queryStartsOf(queries: Int32Array): number[] {
  const starts: number[] = [];
  for (let i = 0; i < queries.length; i++) {
    if (i === 0 || queries[i] !== queries[i - 1]) starts.push(i);
  }
  return starts;
}
