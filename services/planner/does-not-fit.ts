import { ShardpoolError } from "../../lib/errors.js";
import type { ShardSpec } from "../../lib/plan/plan.js";
import type { PlacementUnit } from "./place-greedy.js";
import { memoryBytesOf } from "./shard-memory.js";

export type UnplacedUnit = Pick<PlacementUnit, "key" | "bytes" | "rowCount" | "leastCacheBytes">;

export interface Misfit {
  readonly specs: readonly ShardSpec[];
  /** What found no room in the last try. */
  readonly unplaced: readonly UnplacedUnit[];
  /** Row bytes of all tables. */
  readonly rowBytes: number;
  /** Memory that all tables need at least, wherever they lie. */
  readonly memoryBytesLeast: number;
  /** Plans for shards that are not there, to say how many or how large ones would do. */
  fits(specs: readonly ShardSpec[]): boolean;
}

/** No cluster of this design is larger. */
const SHARD_COUNT_MAX = 1024;

/** Limits are tried up to this many times what they are, and named to within a thousandth. */
const FACTOR_MAX = 2 ** 20;
const FACTOR_PRECISION = 1.001;

/**
 * The error for tables that fit no way: what found no room, how many bytes of disk are missing, and
 * how many shards like these, or how large ones, would do. Each of these was tried before it is
 * named.
 */
export function doesNotFit(misfit: Misfit): ShardpoolError {
  const remedies = [...moreShards(misfit), ...largerShards(misfit)];
  const parts = [
    ...noRoomFor(misfit.unplaced),
    ...diskShortage(misfit),
    ...memoryShortage(misfit),
    remedies.length === 0
      ? "neither more nor larger shards would do"
      : `it fits with ${remedies.join(", or with ")}`,
  ];
  return new ShardpoolError("PLAN_DOES_NOT_FIT", parts.join("; "));
}

function noRoomFor(unplaced: readonly UnplacedUnit[]): string[] {
  const [first] = unplaced.toSorted((a, b) => b.bytes - a.bytes);
  if (first === undefined) return [];
  const others = unplaced.length === 1 ? "" : ` and ${unplaced.length - 1} more`;
  return [
    `no shard has room for ${first.key}${others}: ${first.bytes} bytes of disk and ${Math.ceil(memoryBytesOf(first.rowCount, first.leastCacheBytes))} bytes of memory at least on one shard`,
  ];
}

function diskShortage({ specs, rowBytes }: Misfit): string[] {
  const diskBytes = specs.reduce((sum, spec) => sum + spec.diskBytesMax, 0);
  if (rowBytes <= diskBytes) return [];
  return [
    `the tables are ${rowBytes} bytes, the shards' disks ${diskBytes}: ${rowBytes - diskBytes} are missing`,
  ];
}

function memoryShortage({ specs, memoryBytesLeast }: Misfit): string[] {
  const memoryBytes = specs.reduce((sum, spec) => sum + spec.memoryBytesMax, 0);
  const least = Math.ceil(memoryBytesLeast);
  if (least <= memoryBytes) return [];
  return [
    `the tables need ${least} bytes of memory at least, the shards have ${memoryBytes}: ${least - memoryBytes} are missing`,
  ];
}

/** The least number of shards that does, the further ones like the largest there is. */
function moreShards({ specs, fits }: Misfit): string[] {
  const largest = specs.reduce((a, b) => (roomOf(b) > roomOf(a) ? b : a));
  const withCount = (count: number): ShardSpec[] => [
    ...specs,
    ...Array.from({ length: count - specs.length }, (_, i) => ({ ...largest, id: `+${i}` })),
  ];
  let tooFew = specs.length;
  let enough = specs.length * 2;
  while (enough <= SHARD_COUNT_MAX && !fits(withCount(enough))) {
    tooFew = enough;
    enough *= 2;
  }
  if (enough > SHARD_COUNT_MAX) return [];
  while (enough - tooFew > 1) {
    const middle = (tooFew + enough) >> 1;
    if (fits(withCount(middle))) enough = middle;
    else tooFew = middle;
  }
  return [`${enough} shards`];
}

function roomOf(spec: ShardSpec): number {
  return Math.min(spec.diskBytesMax, spec.memoryBytesMax);
}

/** The least disk and memory a shard that do: one alone where that is enough, else both. */
function largerShards(misfit: Misfit): string[] {
  const { specs, fits } = misfit;
  const disk = leastFactor((factor) => fits(scaled(specs, factor, 1)));
  if (disk !== undefined) return [limitText(specs, "disk", disk)];
  const memory = leastFactor((factor) => fits(scaled(specs, 1, factor)));
  if (memory !== undefined) return [limitText(specs, "memory", memory)];
  const diskOfBoth = leastFactor((factor) => fits(scaled(specs, factor, FACTOR_MAX)));
  if (diskOfBoth === undefined) return [];
  const memoryOfBoth = leastFactor((factor) => fits(scaled(specs, diskOfBoth, factor)));
  if (memoryOfBoth === undefined) return [];
  return [
    `${limitText(specs, "disk", diskOfBoth)} and ${limitText(specs, "memory", memoryOfBoth)}`,
  ];
}

function leastFactor(fits: (factor: number) => boolean): number | undefined {
  let low = 1;
  let high = 2;
  while (high <= FACTOR_MAX && !fits(high)) {
    low = high;
    high *= 2;
  }
  if (high > FACTOR_MAX) return undefined;
  while (high / low > FACTOR_PRECISION) {
    const middle = Math.sqrt(low * high);
    if (fits(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function scaled(specs: readonly ShardSpec[], disk: number, memory: number): ShardSpec[] {
  return specs.map((spec) => ({
    ...spec,
    diskBytesMax: Math.ceil(spec.diskBytesMax * disk),
    memoryBytesMax: Math.ceil(spec.memoryBytesMax * memory),
  }));
}

/** Bytes a shard where all are equal, else the factor for each. */
function limitText(specs: readonly ShardSpec[], tier: "disk" | "memory", factor: number): string {
  const limits = specs.map((spec) => (tier === "disk" ? spec.diskBytesMax : spec.memoryBytesMax));
  const [first = 0] = limits;
  return limits.every((limit) => limit === first)
    ? `${Math.ceil(first * factor)} bytes of ${tier} a shard`
    : `${factor.toFixed(3)} times the ${tier} on each shard`;
}
