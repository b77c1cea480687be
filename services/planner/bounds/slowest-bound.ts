import type { ShardSpec } from "../../../lib/plan/plan.js";
import { accessCounterBytesOf } from "../../../lib/stats/access-counter-bytes.js";
import type { CostCoefficients } from "../cost-model.js";
import type { LinearSolver } from "../linear-solver.js";
import { blocksMissedAt, type MissCurve } from "../miss-curve.js";
import type { PlanConstraints } from "../plan-constraints.js";
import { MEMORY_BYTES_A_ROW, MEMORY_OVERHEAD_FRACTION } from "../shard-memory.js";
import type { TableDemand } from "../table-demand.js";
import { type TableFloor, tableFloorOf } from "./table-floor.js";

/** A slowest shard below which no plan comes, and why. */
export interface SlowestBound {
  readonly boundUs: number;
  readonly boundBy: string;
}

export interface BoundRequest {
  readonly demands: readonly TableDemand[];
  readonly specs: readonly ShardSpec[];
  readonly coefficients: CostCoefficients;
  readonly constraints: PlanConstraints;
  /** Bytes of cache that all partitions have together, where memory lies anywhere; else undefined. */
  readonly pooledCacheBytes?: number | undefined;
  readonly replicasMax: number;
  /** Proves more, and places better, in small clusters. */
  readonly solver?: LinearSolver | undefined;
}

/**
 * The best lower bound on the slowest shard of any plan under the same shards, memory and constraints
 * that two arguments prove: all work spread evenly by weight, and pieces that cannot be split. It is a
 * bound under the cost model, whatever the search.
 */
export function slowestBoundOf(request: BoundRequest): SlowestBound {
  const keptWhole = keptWholeOf(request.constraints);
  const floors = request.demands.map((demand) =>
    tableFloorOf(demand, request.coefficients, keptWhole.has(demand.table.name)),
  );
  const mean: SlowestBound = {
    boundUs: meanWorkBound(floors, keptWhole, request),
    boundBy: "mean work",
  };
  const others = [largestPieceBound(floors, keptWhole, request), pinnedBound(floors, request)];
  return others.reduce((best, other) => (other.boundUs > best.boundUs ? other : best), mean);
}

/** Tables that constraints keep in one piece. */
export function keptWholeOf({ pin, whole, together }: PlanConstraints): ReadonlySet<string> {
  return new Set([...Object.keys(pin), ...whole, ...together.flat()]);
}

/**
 * The least time in which all shards together can do all work, that of the cuts included which the
 * time itself forces: a table dearer than a shard's time is in several partitions, each with its own
 * segments and bags.
 */
function meanWorkBound(
  floors: readonly TableFloor[],
  keptWhole: ReadonlySet<string>,
  request: BoundRequest,
): number {
  const { specs, coefficients } = request;
  const { messageUs } = coefficients;
  const blocks = leastBlocksOf(floors, request);
  const baseUs =
    floors.reduce((sum, floor) => sum + floor.memoryUs, 0) + blocks * coefficients.blockMissUs;
  const weightMax = Math.max(...specs.map((spec) => spec.weight));
  const isEnough = (us: number): boolean => {
    const room = specs.reduce((sum, spec) => sum + Math.max(0, us * spec.weight - messageUs), 0);
    if (room < baseUs) return false;
    const largest = us * weightMax - messageUs;
    const forced = floors.reduce((sum, floor) => {
      if (keptWhole.has(floor.demand.table.name) || floor.memoryUs <= largest) return sum;
      return sum + (Math.ceil(floor.memoryUs / largest) - 1) * floor.partUs;
    }, 0);
    return room >= baseUs + forced;
  };
  let low = 0;
  let high = 1;
  while (!isEnough(high)) high *= 2;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return low;
}

/** Blocks that all tables read at least, with all memory where it saves most. */
export function leastBlocksOf(floors: readonly TableFloor[], request: BoundRequest): number {
  return leastBlocks(
    floors.map((floor) => floor.missFloor),
    cacheBytesOf(request),
  );
}

/** Row bytes that all caches hold together at most. */
function cacheBytesOf({ specs, demands, pooledCacheBytes }: BoundRequest): number {
  if (pooledCacheBytes !== undefined) return pooledCacheBytes;
  const rows = demands.reduce((sum, demand) => sum + demand.table.rowCount, 0);
  const memory = specs.reduce((sum, spec) => sum + spec.memoryBytesMax, 0);
  const fixed = rows * MEMORY_BYTES_A_ROW + leastCounterBytes(specs, rows);
  return Math.max(0, (memory - fixed) / (1 + MEMORY_OVERHEAD_FRACTION));
}

/**
 * Memory that counters of reads take at least: a shard has one a row, to a limit, so that they take least where
 * few shards hold as many rows as their memory can find.
 */
function leastCounterBytes(specs: readonly ShardSpec[], rowCount: number): number {
  let left = rowCount;
  let bytes = 0;
  for (const { memoryBytesMax } of specs.toSorted((a, b) => b.memoryBytesMax - a.memoryBytesMax)) {
    const rows = Math.min(left, memoryBytesMax / MEMORY_BYTES_A_ROW);
    bytes += accessCounterBytesOf(rows);
    left -= rows;
  }
  return bytes;
}

/** Blocks read with memory where it saves most, over all tables. */
function leastBlocks(curves: readonly MissCurve[], cacheBytes: number): number {
  let blocks = curves.reduce((sum, curve) => sum + blocksMissedAt(curve, 0), 0);
  const steps = curves.flatMap((curve) =>
    curve.slice(1).map((point, i) => {
      const before = curve[i]!;
      return { bytes: point.bytes - before.bytes, blocks: before.blocks - point.blocks };
    }),
  );
  steps.sort((a, b) => b.blocks / b.bytes - a.blocks / a.bytes);
  let left = cacheBytes;
  for (const step of steps) {
    if (left <= 0) break;
    blocks -= step.blocks * Math.min(1, left / step.bytes);
    left -= step.bytes;
  }
  return Math.max(0, blocks);
}

/** A table or a group that stays in one piece, alone on the fastest shard with all rows in memory. */
function largestPieceBound(
  floors: readonly TableFloor[],
  keptWhole: ReadonlySet<string>,
  { specs, coefficients, constraints, replicasMax }: BoundRequest,
): SlowestBound {
  const weightMax = Math.max(...specs.map((spec) => spec.weight));
  const usByTable = new Map(floors.map((floor) => [floor.demand.table.name, floor.memoryUs]));
  const grouped = new Set(constraints.together.flat());
  const alone = [...keptWhole].filter((table) => !grouped.has(table)).map((table) => [table]);
  let best: SlowestBound = { boundUs: 0, boundBy: "largest piece" };
  for (const tables of [...constraints.together, ...alone]) {
    const us = tables.reduce((sum, table) => sum + usByTable.get(table)!, 0);
    const boundUs = (coefficients.messageUs + us / replicasMax) / weightMax;
    if (boundUs <= best.boundUs) continue;
    best = { boundUs, boundBy: `${tables.join(" with ")} in one piece` };
  }
  return best;
}

/** What is pinned to one shard is that shard's work, whatever else it does. */
function pinnedBound(
  floors: readonly TableFloor[],
  { specs, coefficients, constraints }: BoundRequest,
): SlowestBound {
  let best: SlowestBound = { boundUs: 0, boundBy: "pinned tables" };
  for (const spec of specs) {
    const us = floors
      .filter((floor) => constraints.pin[floor.demand.table.name] === spec.id)
      .reduce((sum, floor) => sum + floor.memoryUs, 0);
    const boundUs = us === 0 ? 0 : (coefficients.messageUs + us) / spec.weight;
    if (boundUs > best.boundUs) best = { boundUs, boundBy: `tables pinned to ${spec.id}` };
  }
  return best;
}
