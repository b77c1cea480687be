import type { ShardSpec } from "../../../lib/plan/plan.js";
import { accessCounterBytesOf } from "../../../lib/stats/access-counter-bytes.js";
import type { CostCoefficients } from "../cost-model.js";
import type { LinearSolver } from "../linear-solver.js";
import { blocksMissedAt, type MissCurve } from "../miss-curve.js";
import type { PlanConstraints } from "../plan-constraints.js";
import { MEMORY_BYTES_A_ROW, MEMORY_OVERHEAD_FRACTION } from "../shard-memory.js";
import type { TableDemand } from "../table-demand.js";
import { meansOf, rowsFor, rowsForMeansOf } from "./rows-for-means.js";
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
 * time and memory themselves force: a table that asks more than the best shard has is in several partitions, each
 * with its own segments and bags. Replicas share queries without a cut.
 */
function meanWorkBound(
  floors: readonly TableFloor[],
  keptWhole: ReadonlySet<string>,
  request: BoundRequest,
): number {
  const { specs, coefficients, replicasMax } = request;
  const { messageUs } = coefficients;
  const memoryUs = floors.reduce((sum, floor) => sum + floor.memoryUs, 0);
  const curve = jointCurveOf(floors.map((floor) => floor.missFloor));
  const blocksWithin = leastBlocksWithin(floors, request, curve);
  const weightMax = Math.max(...specs.map((spec) => spec.weight));
  const memoryBytesMax = Math.max(...specs.map((spec) => spec.memoryBytesMax));
  const usAByte = usAByteOf(floors, request, curve);
  const meansUs = floors.map((floor) => meansOf(floor, coefficients, usAByte));
  const isEnough = (us: number): boolean => {
    const room = specs.reduce((sum, spec) => sum + Math.max(0, us * spec.weight - messageUs), 0);
    if (room < memoryUs) return false;
    const baseUs = memoryUs + blocksWithin(us) * coefficients.blockMissUs;
    if (room < baseUs) return false;
    const largestUs = (us * weightMax - messageUs) * replicasMax;
    const largestMeans = largestUs + memoryBytesMax * replicasMax * usAByte;
    const forced = floors.reduce((sum, floor, i) => {
      const parts = Math.ceil(Math.max(floor.memoryUs / largestUs, meansUs[i]! / largestMeans));
      if (keptWhole.has(floor.demand.table.name) || parts < 2) return sum;
      return sum + (parts - 1) * floor.partUs + floor.cutUs;
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

/** Blocks that all tables read at least, with all memory where it saves most and no shard slower than this. */
export function leastBlocksOf(
  floors: readonly TableFloor[],
  request: BoundRequest,
  slowestUs = Number.POSITIVE_INFINITY,
): number {
  const curve = jointCurveOf(floors.map((floor) => floor.missFloor));
  return leastBlocksWithin(floors, request, curve)(slowestUs);
}

/** The same by the time of the slowest shard: the more time, the fewer shards can hold most rows. */
function leastBlocksWithin(
  floors: readonly TableFloor[],
  request: BoundRequest,
  curve: MissCurve,
): (slowestUs: number) => number {
  const { pooledCacheBytes } = request;
  if (pooledCacheBytes !== undefined) {
    const blocks = blocksMissedAt(curve, pooledCacheBytes);
    return () => blocks;
  }
  const leastCounters = leastCountersOf(floors, request, usAByteOf(floors, request, curve));
  return (slowestUs) =>
    blocksMissedAt(curve, cacheBytesBeside(leastCounters(slowestUs), floors, request));
}

/** Cache of all shards together, beside counters and what rows take wherever they lie. */
function cacheBytesBeside(
  counterBytes: number,
  floors: readonly TableFloor[],
  { specs }: BoundRequest,
): number {
  const rows = floors.reduce((sum, { demand }) => sum + demand.table.rowCount, 0);
  const memoryBytes = specs.reduce((sum, spec) => sum + spec.memoryBytesMax, 0);
  const cacheBytes = memoryBytes - rows * MEMORY_BYTES_A_ROW - counterBytes;
  return Math.max(0, cacheBytes / (1 + MEMORY_OVERHEAD_FRACTION));
}

/** About what a byte of a shard's memory is worth; nothing where memory lies anywhere. */
function usAByteOf(floors: readonly TableFloor[], request: BoundRequest, curve: MissCurve): number {
  if (request.pooledCacheBytes !== undefined) return 0;
  const blocksAByte = priceAt(curve, cacheBytesBeside(0, floors, request));
  return (blocksAByte * request.coefficients.blockMissUs) / (1 + MEMORY_OVERHEAD_FRACTION);
}

/** Blocks that the next byte of cache saves. */
function priceAt(curve: MissCurve, cacheBytes: number): number {
  const next = curve.findIndex(({ bytes }) => bytes > cacheBytes);
  if (next < 1) return 0;
  const a = curve[next - 1]!;
  const b = curve[next]!;
  return (a.blocks - b.blocks) / (b.bytes - a.bytes);
}

/**
 * Memory that counters of reads take at least, by the time of the slowest shard. A shard has one a row, to a
 * limit, so they take least where rows lie on as few shards as can be; and so many shards hold at most
 * the rows that their time and memory are enough for.
 */
function leastCountersOf(
  floors: readonly TableFloor[],
  { specs, coefficients }: BoundRequest,
  usAByte: number,
): (slowestUs: number) => number {
  const rowsForMeans = rowsForMeansOf(floors, coefficients, usAByte);
  return (slowestUs) => {
    const means = specs.map(({ weight, memoryBytesMax }) => {
      return slowestUs * weight + memoryBytesMax * usAByte;
    });
    let us = 0;
    let rowsBefore = 0;
    let bytes = 0;
    for (const more of means.toSorted((a, b) => b - a)) {
      us += more;
      const rows = rowsFor(rowsForMeans, us);
      bytes += accessCounterBytesOf(rows - rowsBefore);
      rowsBefore = rows;
    }
    return bytes;
  };
}

/** Blocks read by cache, with memory where it saves most, over all tables. */
function jointCurveOf(curves: readonly MissCurve[]): MissCurve {
  const steps = curves.flatMap((curve) =>
    curve.slice(1).map((point, i) => {
      const before = curve[i]!;
      return { bytes: point.bytes - before.bytes, blocks: before.blocks - point.blocks };
    }),
  );
  steps.sort((a, b) => b.blocks / b.bytes - a.blocks / a.bytes);
  let bytes = 0;
  let blocks = curves.reduce((sum, curve) => sum + blocksMissedAt(curve, 0), 0);
  return [
    { bytes, blocks },
    ...steps.map((step) => {
      bytes += step.bytes;
      blocks = Math.max(0, blocks - step.blocks);
      return { bytes, blocks };
    }),
  ];
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
