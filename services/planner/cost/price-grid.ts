import { blocksMissedAt, type MissCurve } from "../miss-curve.js";
import { SLOPE_STEP } from "../shard-memory.js";

/** What a partition takes and misses at each price of memory. */
export interface PricedCurve {
  readonly cacheBytesAt: Float64Array;
  readonly blocksAt: Float64Array;
}

/**
 * Prices of memory, in blocks read a byte, falling. At one price every partition takes the bytes whose
 * next one would save less: what several take at one price is the best sharing of their sum. So the
 * miss curve of a shard is, price by price, the sum of its partitions' curves, and adding or taking
 * away a partition needs no sharing anew.
 */
export interface Pricing {
  readonly priceCount: number;
  /** The last price at which the cluster's memory is enough for all, by its place. */
  readonly usualPrice: number;
  /** How far from there to the next price memory goes, in `[0, 1]`. */
  readonly usualAlong: number;
  /** Memory lies anywhere: what one partition takes, others on any shard have less. */
  readonly isPooled: boolean;
  /** @param leastBytes Taken at any price. */
  pricedCurveOf(curve: MissCurve, leastBytes: number): PricedCurve;
}

/** A partition as memory is priced for. */
export interface Priceable {
  readonly missCurve: MissCurve;
  readonly leastBytes: number;
}

/** A curve's value where the cluster's memory is used up: what is compared without a shard. */
export function usualValueOf(values: Float64Array, pricing: Pricing): number {
  const value = values[pricing.usualPrice]!;
  if (pricing.usualAlong === 0) return value;
  return value + (values[pricing.usualPrice + 1]! - value) * pricing.usualAlong;
}

/** So many prices: between two of them a shard's curve is taken for a straight line. */
const PRICE_COUNT = 48;

/** Below this part of the dearest byte's price, memory saves nothing that a plan should turn on. */
const PRICE_RANGE = 1e-6;

/** Prices for shards that each have memory of their own, `budgetBytes` of cache in all. */
export function gridPricing(partitions: readonly Priceable[], budgetBytes: number): Pricing {
  const prices = pricesOf(partitions);
  const pricedCurveOf = (curve: MissCurve, leastBytes: number): PricedCurve =>
    curveAtPrices(curve, leastBytes, prices);
  const cacheBytesAt = new Float64Array(prices.length);
  for (const { missCurve, leastBytes } of partitions) {
    const priced = pricedCurveOf(missCurve, leastBytes);
    for (let k = 0; k < prices.length; k++) cacheBytesAt[k]! += priced.cacheBytesAt[k]!;
  }
  const above = cacheBytesAt.findIndex((bytes) => bytes > budgetBytes);
  const usualPrice = above === -1 ? prices.length - 1 : Math.max(0, above - 1);
  const from = cacheBytesAt[usualPrice]!;
  const usualAlong =
    above < 1 ? 0 : Math.max(0, (budgetBytes - from) / (cacheBytesAt[above]! - from));
  return {
    priceCount: prices.length,
    usualPrice,
    usualAlong,
    isPooled: false,
    pricedCurveOf,
  };
}

/**
 * The one price at which partitions take `budgetBytes` of cache together: memory that lies wherever
 * it saves most. Bytes about at that price are given in part, to all alike, as `shareByMisses` does.
 */
export function pooledPricing(partitions: readonly Priceable[], budgetBytes: number): Pricing {
  const bytesAt = (price: number): number =>
    partitions.reduce((sum, { missCurve, leastBytes }) => {
      return sum + curveAtPrices(missCurve, leastBytes, [price]).cacheBytesAt[0]!;
    }, 0);
  const [dear, cheap] = bytesAt(0) <= budgetBytes ? [0, 0] : edgePrices(bytesAt, budgetBytes);
  const least = bytesAt(dear);
  const most = bytesAt(cheap);
  const along = most > least ? Math.min(1, Math.max(0, (budgetBytes - least) / (most - least))) : 0;
  const pricedCurveOf = (curve: MissCurve, leastBytes: number): PricedCurve => {
    const { cacheBytesAt, blocksAt } = curveAtPrices(curve, leastBytes, [dear, cheap]);
    const between = (values: Float64Array): Float64Array =>
      Float64Array.of(values[0]! + (values[1]! - values[0]!) * along);
    return { cacheBytesAt: between(cacheBytesAt), blocksAt: between(blocksAt) };
  };
  return { priceCount: 1, usualPrice: 0, usualAlong: 0, isPooled: true, pricedCurveOf };
}

/** The bounds of the slope class in which the budget is used up. */
function edgePrices(bytesAt: (price: number) => number, budgetBytes: number): [number, number] {
  const floorOf = (slopeClass: number): number => SLOPE_STEP ** (slopeClass - 0.5);
  // Prices of 1e-30 to 1e30 blocks a byte.
  let fits = Math.ceil(70 / Math.log(SLOPE_STEP));
  let exceeds = -fits;
  while (fits - exceeds > 1) {
    const middle = Math.floor((fits + exceeds) / 2);
    if (bytesAt(floorOf(middle)) <= budgetBytes) fits = middle;
    else exceeds = middle;
  }
  return [floorOf(fits), floorOf(exceeds)];
}

/** From above that of the dearest byte to nothing, where everything useful is in memory. */
function pricesOf(partitions: readonly Priceable[]): Float64Array {
  let highest = 0;
  let lowest = Number.POSITIVE_INFINITY;
  for (const { missCurve } of partitions) {
    for (let i = 1; i < missCurve.length; i++) {
      const price = priceOf(missCurve, i);
      highest = Math.max(highest, price);
      lowest = Math.min(lowest, price);
    }
  }
  if (highest === 0) return Float64Array.of(0);
  const last = Math.max(lowest, highest * PRICE_RANGE);
  const step = (last / highest) ** (1 / (PRICE_COUNT - 3));
  const prices = Float64Array.from({ length: PRICE_COUNT }, (_, i) => highest * step ** (i - 1));
  // All prices equal make a step of 1: the first still has to stand above them.
  prices[0] = highest * 1.01;
  prices[PRICE_COUNT - 1] = 0;
  return prices;
}

function curveAtPrices(
  curve: MissCurve,
  leastBytes: number,
  prices: ArrayLike<number>,
): PricedCurve {
  const cacheBytesAt = new Float64Array(prices.length);
  const blocksAt = new Float64Array(prices.length);
  let point = 0;
  for (let k = 0; k < prices.length; k++) {
    while (point + 1 < curve.length && priceOf(curve, point + 1) >= prices[k]!) point++;
    const at = curve[point];
    if (at !== undefined && at.bytes >= leastBytes) {
      cacheBytesAt[k] = at.bytes;
      blocksAt[k] = at.blocks;
    } else {
      cacheBytesAt[k] = leastBytes;
      blocksAt[k] = blocksMissedAt(curve, leastBytes);
    }
  }
  return { cacheBytesAt, blocksAt };
}

function priceOf(curve: MissCurve, i: number): number {
  const a = curve[i - 1]!;
  const b = curve[i]!;
  return (a.blocks - b.blocks) / (b.bytes - a.bytes);
}
