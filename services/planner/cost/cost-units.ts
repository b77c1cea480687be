import type { ShardSpec } from "../../../lib/plan/plan.js";
import type { AccessCells } from "../access-cells.js";
import type { CostCoefficients } from "../cost-model.js";
import { draftPartition, type PartitionDraft } from "../partition-draft.js";
import {
  leastCacheBytesOf,
  MEMORY_BYTES_A_ROW,
  MEMORY_OVERHEAD_FRACTION,
  rowCountOf,
} from "../shard-memory.js";
import type { TableDemand } from "../table-demand.js";
import { type PricedCurve, type Pricing, usualValueOf } from "./price-grid.js";

/** A rectangle of a table: a run of its cells by a range of its columns. */
export interface CellRange {
  readonly tableIndex: number;
  readonly cellFrom: number;
  readonly cellTo: number;
  readonly columnStart: number;
  readonly columnEnd: number;
}

/** What a part of the work asks of a shard. */
export interface Load extends PricedCurve {
  /** Microseconds of a query with all rows in memory. */
  readonly memoryUs: number;
  /** Row bytes on disk. */
  readonly bytes: number;
  /** Rows of all its partitions: they take memory beside any cache. */
  readonly rowCount: number;
  /** Cache without which the shard does not work. */
  readonly leastCacheBytes: number;
}

/** Partitions that are placed together; mostly one. */
export interface CostUnit extends Load {
  /** Names it, for ties and for messages. */
  readonly key: string;
  readonly parts: readonly CellRange[];
  readonly drafts: readonly PartitionDraft[];
  /** The only shard it may be on; undefined where it is free. */
  readonly pinnedTo: string | undefined;
  readonly canSplit: boolean;
  /** Of the queries, those it answers: less than 1 where replicas answer the others. */
  readonly queryShare: number;
}

/** What a shard of weight 1 has for a query: time, and, in the mean of the shards, memory beside its counters. */
export interface ShardShare {
  readonly us: number;
  readonly memoryBytes: number;
}

export interface UnitRules {
  readonly pinnedTo?: string | undefined;
  readonly canSplit: boolean;
}

/** Works out units over cut tables, once each. */
export class UnitSource {
  readonly demands: readonly TableDemand[];
  readonly cells: readonly AccessCells[];
  readonly coefficients: CostCoefficients;
  readonly pricing: Pricing;
  readonly shardShare: ShardShare;
  /** Partitions worked out so far: the work of a search, beside its comparisons. */
  draftCount = 0;

  constructor(
    demands: readonly TableDemand[],
    cells: readonly AccessCells[],
    coefficients: CostCoefficients,
    pricing: Pricing,
    shardShare: ShardShare,
  ) {
    this.demands = demands;
    this.cells = cells;
    this.coefficients = coefficients;
    this.pricing = pricing;
    this.shardShare = shardShare;
  }

  wholeTable(tableIndex: number): CellRange {
    return {
      tableIndex,
      cellFrom: 0,
      cellTo: this.cells[tableIndex]!.cellCount,
      columnStart: 0,
      columnEnd: this.demands[tableIndex]!.table.embeddingDim,
    };
  }

  unitOf(parts: readonly CellRange[], rules: UnitRules): CostUnit {
    const drafts = parts.map((part) => this.#draftOf(part));
    const cacheBytesAt = new Float64Array(this.pricing.priceCount);
    const blocksAt = new Float64Array(this.pricing.priceCount);
    const sums = { memoryUs: 0, bytes: 0, leastCacheBytes: 0 };
    for (const draft of drafts) {
      const least = leastCacheBytesOf(draft);
      const priced = this.pricing.pricedCurveOf(draft.missCurve, least);
      addInto(cacheBytesAt, priced.cacheBytesAt);
      addInto(blocksAt, priced.blocksAt);
      sums.memoryUs += draft.memoryUs;
      sums.bytes += draft.bytes;
      sums.leastCacheBytes += least;
    }
    return {
      ...sums,
      cacheBytesAt,
      blocksAt,
      key: drafts.map(draftName).join(" with "),
      parts,
      drafts,
      pinnedTo: rules.pinnedTo,
      canSplit: rules.canSplit && parts.length === 1,
      queryShare: 1,
      rowCount: rowCountOf(drafts),
    };
  }

  /** Microseconds a shard of weight 1 spends on it at the usual price of memory. */
  usOf(unit: CostUnit): number {
    return unit.memoryUs + this.blocksUsOf(unit);
  }

  /** Of that, the blocks it reads. */
  blocksUsOf(unit: CostUnit): number {
    return usualValueOf(unit.blocksAt, this.pricing) * this.coefficients.blockMissUs;
  }

  /** Of a shard's memory, what it takes at the usual price. */
  memoryShareOf(unit: CostUnit): number {
    const cacheBytes = usualValueOf(unit.cacheBytesAt, this.pricing);
    return (
      (unit.rowCount * MEMORY_BYTES_A_ROW + cacheBytes * (1 + MEMORY_OVERHEAD_FRACTION)) /
      this.shardShare.memoryBytes
    );
  }

  /** Of a shard's time. */
  timeShareOf(unit: CostUnit): number {
    return this.usOf(unit) / this.shardShare.us;
  }

  #draftOf(part: CellRange): PartitionDraft {
    this.draftCount++;
    const access = this.cells[part.tableIndex]!.accessOf(part.cellFrom, part.cellTo);
    return draftPartition(this.demands[part.tableIndex]!, access, part, this.coefficients);
  }
}

/** What several units ask of a shard together. */
export function loadOf(units: readonly CostUnit[]): Load | undefined {
  const [first, ...others] = units;
  if (first === undefined || others.length === 0) return first;
  const cacheBytesAt = first.cacheBytesAt.slice();
  const blocksAt = first.blocksAt.slice();
  for (const unit of others) {
    addInto(cacheBytesAt, unit.cacheBytesAt);
    addInto(blocksAt, unit.blocksAt);
  }
  const sumOf = (amountOf: (unit: CostUnit) => number): number =>
    units.reduce((sum, unit) => sum + amountOf(unit), 0);
  return {
    memoryUs: sumOf((unit) => unit.memoryUs),
    bytes: sumOf((unit) => unit.bytes),
    rowCount: sumOf((unit) => unit.rowCount),
    leastCacheBytes: sumOf((unit) => unit.leastCacheBytes),
    ...{ cacheBytesAt, blocksAt },
  };
}

/** The unit as one of so many replicas: all of its bytes, a part of its queries. */
export function replicaOf(unit: CostUnit, replicaCount: number): CostUnit {
  const factor = 1 / (replicaCount * unit.queryShare);
  return {
    ...unit,
    canSplit: false,
    memoryUs: unit.memoryUs * factor,
    blocksAt: unit.blocksAt.map((blocks) => blocks * factor),
    queryShare: 1 / replicaCount,
  };
}

/** Whether the unit may lie on this shard, room aside. */
export function mayLieOn(unit: CostUnit, spec: ShardSpec): boolean {
  return unit.pinnedTo === undefined || unit.pinnedTo === spec.id;
}

function draftName(draft: PartitionDraft): string {
  const rows = `${draft.table.name} rows ${draft.rowStart}-${draft.rowEnd}`;
  const isWide = draft.columnEnd - draft.columnStart === draft.table.embeddingDim;
  return isWide ? rows : `${rows} columns ${draft.columnStart}-${draft.columnEnd}`;
}

function addInto(sums: Float64Array, values: Float64Array): void {
  for (let i = 0; i < sums.length; i++) sums[i] = sums[i]! + values[i]!;
}
