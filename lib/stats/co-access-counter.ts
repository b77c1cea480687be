import type { CoAccess } from "./access-stats.js";

/** With more tables, pairs are not counted: they would take over 32 MiB and a list is no help. */
export const CO_ACCESS_TABLES_MAX = 2048;
/** Pairs listed at most. */
const PAIRS_MAX = 2000;
/** Pairs closer to chance than this are not listed. */
const DEVIATION_MIN = 0.001;

/**
 * Counts how often one query reads two tables. A query sends one message to each shard that holds a
 * table it reads, so two tables on one shard save a message in as many queries as read both. Where
 * every query reads every table, all pairs are alike and none is listed: fan-out then follows from the number
 * of shards alone.
 */
export class CoAccessCounter {
  readonly #tables: readonly string[];
  readonly #queriesByTable: Float64Array;
  /** `[a * T + b]`, a < b: queries of few tables that read both; of many tables, that read neither. */
  readonly #readBoth: Uint32Array;
  readonly #readNeither: Uint32Array;
  /** Queries that read more than half of the tables, and how many of them left a table out. */
  #wideQueryCount = 0;
  readonly #wideQueriesWithout: Float64Array;
  #queryCount = 0;
  readonly #listed: Int32Array;

  constructor(tables: readonly string[]) {
    const count = tables.length;
    this.#tables = tables;
    this.#queriesByTable = new Float64Array(count);
    this.#wideQueriesWithout = new Float64Array(count);
    const pairCount = count > CO_ACCESS_TABLES_MAX ? 0 : count * count;
    this.#readBoth = new Uint32Array(pairCount);
    this.#readNeither = new Uint32Array(pairCount);
    this.#listed = new Int32Array(count);
  }

  get queryCount(): number {
    return this.#queryCount;
  }

  /** Queries that read a table, by its index. */
  queriesOf(table: number): number {
    return this.#queriesByTable[table]!;
  }

  /** @param isRead `[T]`, not 0 for a table that the query reads. */
  addQuery(isRead: Uint8Array): void {
    let readCount = 0;
    for (let t = 0; t < isRead.length; t++) if (isRead[t] !== 0) readCount++;
    const isWide = readCount * 2 > isRead.length;
    // The shorter list is paired up: nothing at all for a query that reads every table.
    let length = 0;
    for (let t = 0; t < isRead.length; t++) {
      if (isRead[t] !== 0) this.#queriesByTable[t]!++;
      if ((isRead[t] !== 0) !== isWide) this.#listed[length++] = t;
    }
    this.#queryCount++;
    if (isWide) {
      this.#wideQueryCount++;
      for (let i = 0; i < length; i++) this.#wideQueriesWithout[this.#listed[i]!]!++;
    }
    if (this.#readBoth.length > 0)
      this.#addPairs(isWide ? this.#readNeither : this.#readBoth, length);
  }

  /** null when there are too many tables or no queries. */
  result(): CoAccess | null {
    const { length: count } = this.#tables;
    if (this.#queryCount === 0 || count > CO_ACCESS_TABLES_MAX) return null;
    const pairs: { a: number; b: number; deviation: number }[] = [];
    let unlistedDeviationMax = 0;
    for (let a = 0; a < count; a++) {
      for (let b = a + 1; b < count; b++) {
        const deviation = Math.abs(
          this.#togetherOf(a, b) / this.#queryCount -
            (this.#queriesByTable[a]! / this.#queryCount) *
              (this.#queriesByTable[b]! / this.#queryCount),
        );
        if (deviation >= DEVIATION_MIN) pairs.push({ a, b, deviation });
        else unlistedDeviationMax = Math.max(unlistedDeviationMax, deviation);
      }
    }
    pairs.sort((one, other) => other.deviation - one.deviation);
    return {
      pairs: pairs.slice(0, PAIRS_MAX).map(({ a, b }) => ({
        tables: [this.#tables[a]!, this.#tables[b]!],
        queryCount: this.#togetherOf(a, b),
      })),
      unlistedDeviationMax: pairs[PAIRS_MAX]?.deviation ?? unlistedDeviationMax,
    };
  }

  #addPairs(pairs: Uint32Array, length: number): void {
    const tableCount = this.#tables.length;
    for (let i = 0; i < length; i++) {
      const row = this.#listed[i]! * tableCount;
      for (let j = i + 1; j < length; j++) pairs[row + this.#listed[j]!]!++;
    }
  }

  #togetherOf(a: number, b: number): number {
    const at = a * this.#tables.length + b;
    // Inclusion and exclusion among the wide queries.
    const wide =
      this.#wideQueryCount -
      this.#wideQueriesWithout[a]! -
      this.#wideQueriesWithout[b]! +
      this.#readNeither[at]!;
    return this.#readBoth[at]! + wide;
  }
}
