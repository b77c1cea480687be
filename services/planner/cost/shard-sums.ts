import type { ShardSpec } from "../../../lib/plan/plan.js";
import type { CostCoefficients } from "../cost-model.js";
import { cacheBudgetOf, memoryBytesOf } from "../shard-memory.js";
import { type CostUnit, type Load, loadOf, mayLieOn } from "./cost-units.js";
import { type Pricing, usualValueOf } from "./price-grid.js";

/** What one shard holds in a search, with its sums: what it costs with a unit more or less is quick. */
export class ShardSums {
  readonly spec: ShardSpec;
  readonly index: number;
  readonly units: CostUnit[] = [];
  readonly #pricing: Pricing;
  readonly #messageUs: number;
  readonly #blockMissUs: number;
  readonly #cacheBytesAt: Float64Array;
  readonly #blocksAt: Float64Array;
  #memoryUs = 0;
  #bytes = 0;
  #rowCount = 0;
  #leastCacheBytes = 0;
  #costUs = 0;

  constructor(
    spec: ShardSpec,
    index: number,
    coefficients: Pick<CostCoefficients, "messageUs" | "blockMissUs">,
    pricing: Pricing,
  ) {
    this.spec = spec;
    this.index = index;
    this.#pricing = pricing;
    this.#messageUs = coefficients.messageUs;
    this.#blockMissUs = coefficients.blockMissUs;
    this.#cacheBytesAt = new Float64Array(pricing.priceCount);
    this.#blocksAt = new Float64Array(pricing.priceCount);
  }

  /** Microseconds of the planned query on this shard, its weight counted in. */
  get costUs(): number {
    return this.#costUs;
  }

  get bytesFree(): number {
    return this.spec.diskBytesMax - this.#bytes;
  }

  /** What it would cost with one unit more and another less; infinite where there is no room. */
  costWith(added: CostUnit | undefined, removed?: CostUnit): number {
    if (added !== undefined && !mayLieOn(added, this.spec)) return Number.POSITIVE_INFINITY;
    const unitCount = this.units.length + (added ? 1 : 0) - (removed ? 1 : 0);
    return this.#costOf(unitCount, added, removed);
  }

  #costOf(unitCount: number, added: Load | undefined, removed: Load | undefined): number {
    if (unitCount === 0) return 0;
    const bytes = this.#bytes + (added?.bytes ?? 0) - (removed?.bytes ?? 0);
    if (bytes > this.spec.diskBytesMax) return Number.POSITIVE_INFINITY;
    const rowCount = this.#rowCount + (added?.rowCount ?? 0) - (removed?.rowCount ?? 0);
    const budget = cacheBudgetOf(this.spec, rowCount);
    const least =
      this.#leastCacheBytes + (added?.leastCacheBytes ?? 0) - (removed?.leastCacheBytes ?? 0);
    if (least > budget) return Number.POSITIVE_INFINITY;
    const memoryUs = this.#memoryUs + (added?.memoryUs ?? 0) - (removed?.memoryUs ?? 0);
    const blocks = this.#blocksWith(budget, added, removed);
    return (this.#messageUs + memoryUs + blocks * this.#blockMissUs) / this.spec.weight;
  }

  /** The same with several units more and less, all of which may lie here. */
  costWithAll(added: readonly CostUnit[], removed: readonly CostUnit[]): number {
    const unitCount = this.units.length + added.length - removed.length;
    return this.#costOf(unitCount, loadOf(added), loadOf(removed));
  }

  /**
   * How full it would be with one unit more, of `shardUs` microseconds of work and of its memory, at
   * the usual price of memory: the larger of the two parts. Infinite where there is no room.
   */
  fullnessWith(added: CostUnit, shardUs: number): number {
    if (!Number.isFinite(this.costWith(added))) return Number.POSITIVE_INFINITY;
    const usualOf = (values: Float64Array): number => usualValueOf(values, this.#pricing);
    const blocks = usualOf(this.#blocksAt) + usualOf(added.blocksAt);
    const us = this.#memoryUs + added.memoryUs + blocks * this.#blockMissUs;
    const cacheBytes = usualOf(this.#cacheBytesAt) + usualOf(added.cacheBytesAt);
    const memoryBytes = memoryBytesOf(this.#rowCount + added.rowCount, cacheBytes);
    return Math.max(us / (shardUs * this.spec.weight), memoryBytes / this.spec.memoryBytesMax);
  }

  add(unit: CostUnit): void {
    this.units.push(unit);
    this.#change(unit, 1);
  }

  remove(unit: CostUnit): void {
    this.units.splice(this.units.indexOf(unit), 1);
    this.#change(unit, -1);
  }

  /** Blocks read with the budget shared out by price, straight between two prices of the grid. */
  #blocksWith(budget: number, added?: Load, removed?: Load): number {
    let low = 0;
    let high = this.#cacheBytesAt.length - 1;
    const cacheAt = (k: number): number =>
      this.#cacheBytesAt[k]! + (added?.cacheBytesAt[k] ?? 0) - (removed?.cacheBytesAt[k] ?? 0);
    const blocksAt = (k: number): number =>
      this.#blocksAt[k]! + (added?.blocksAt[k] ?? 0) - (removed?.blocksAt[k] ?? 0);
    if (cacheAt(high) <= budget) return Math.max(0, blocksAt(high));
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (cacheAt(middle) <= budget) low = middle;
      else high = middle;
    }
    const from = cacheAt(low);
    const to = cacheAt(high);
    const along = to > from ? Math.min(1, Math.max(0, (budget - from) / (to - from))) : 0;
    return Math.max(0, blocksAt(low) + (blocksAt(high) - blocksAt(low)) * along);
  }

  #change(unit: CostUnit, sign: 1 | -1): void {
    this.#memoryUs += sign * unit.memoryUs;
    this.#bytes += sign * unit.bytes;
    this.#rowCount += sign * unit.rowCount;
    this.#leastCacheBytes += sign * unit.leastCacheBytes;
    for (let k = 0; k < this.#cacheBytesAt.length; k++) {
      this.#cacheBytesAt[k] = this.#cacheBytesAt[k]! + sign * unit.cacheBytesAt[k]!;
      this.#blocksAt[k] = this.#blocksAt[k]! + sign * unit.blocksAt[k]!;
    }
    this.#costUs = this.costWith(undefined);
  }
}
