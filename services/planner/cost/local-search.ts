import type { Random } from "../../../lib/random.js";
import type { CostUnit, UnitSource } from "./cost-units.js";
import { bestExchange } from "./exchange-move.js";
import type { ShardSums } from "./shard-sums.js";
import { bestShift } from "./shift-boundary.js";
import { bestSplit } from "./split-move.js";

/** Units that change shards in one step. */
export interface Move {
  /** What each shard gives away and gets. */
  readonly changes: readonly {
    readonly shard: ShardSums;
    readonly removed: readonly CostUnit[];
    readonly added: readonly CostUnit[];
  }[];
  /** Cost of the dearest shard that it changes, afterwards. */
  readonly slowestUs: number;
}

export interface SearchLimits {
  /** Search ends when the slowest shard is at or below this. */
  readonly goodEnoughUs: number;
  /** Comparisons of a shard's cost, of which a partition worked out is worth `DRAFT_WORK`. */
  readonly workMax: number;
}

/** Least loaded shards that a unit of the slowest one is tried on. */
const TARGETS_MAX = 24;

/** A new partition costs about as much time as so many comparisons. */
const DRAFT_WORK = 60;

/** The exchanges with one shard cost about as much time as so many comparisons. */
const EXCHANGE_WORK = 100;

/** A split costs CPU on every query: it has to beat moves and swaps by this share of the slowest. */
const SPLIT_GAIN_MIN = 0.005;

/** Moves below this gain only shift rounding about. */
const GAIN_MIN = 1e-6;

/** Random changes undone in a row before the search is taken to be at its end. */
const KICKS_MAX = 16;

/**
 * Improves a placement by moving, swapping and splitting what lies on the slowest shard, until it is
 * good enough, nothing helps, or the work is used up. Work is counted and no clock is read, so that
 * the same input gives the same plan on any machine.
 */
export class LocalSearch {
  readonly #shards: readonly ShardSums[];
  readonly #source: UnitSource;
  readonly #limits: SearchLimits;
  readonly #random: Random;
  #comparisons = 0;
  readonly #draftsBefore: number;

  constructor(
    shards: readonly ShardSums[],
    source: UnitSource,
    limits: SearchLimits,
    random: Random,
  ) {
    this.#shards = shards;
    this.#source = source;
    this.#limits = limits;
    this.#random = random;
    this.#draftsBefore = source.draftCount;
  }

  run(): void {
    this.#descend();
    for (let kicks = 0; kicks < KICKS_MAX && !this.#isDone(); kicks++) {
      if (this.#tryKick(kicks)) kicks = 0;
    }
  }

  get #workDone(): number {
    return this.#comparisons + (this.#source.draftCount - this.#draftsBefore) * DRAFT_WORK;
  }

  #isDone(): boolean {
    return (
      this.#workDone >= this.#limits.workMax ||
      slowestOf(this.#shards).costUs <= this.#limits.goodEnoughUs
    );
  }

  #descend(): void {
    while (!this.#isDone()) {
      const move = this.#bestMove(slowestOf(this.#shards));
      if (move === undefined) return;
      applyMove(move);
    }
  }

  #bestMove(slowest: ShardSums): Move | undefined {
    const limitUs = slowest.costUs * (1 - GAIN_MIN);
    const targets = this.#targetsFor(slowest);
    const moved = this.#bestMoveOrSwap(slowest, targets, limitUs);
    if (moved !== undefined && moved.slowestUs <= this.#limits.goodEnoughUs) return moved;
    const exchanged = this.#bestExchange(slowest, moved?.slowestUs ?? limitUs) ?? moved;
    if (exchanged !== undefined && exchanged.slowestUs <= this.#limits.goodEnoughUs)
      return exchanged;
    const shifted =
      bestShift(slowest, targets, this.#source, exchanged?.slowestUs ?? limitUs) ?? exchanged;
    if (shifted !== undefined && shifted.slowestUs <= this.#limits.goodEnoughUs) return shifted;
    const splitLimitUs = (shifted?.slowestUs ?? limitUs) - SPLIT_GAIN_MIN * slowest.costUs;
    return bestSplit(slowest, targets, this.#source, splitLimitUs) ?? shifted;
  }

  /** Tried on all shards: with any of them some exchange may leave both as good as equal. */
  #bestExchange(slowest: ShardSums, limitUs: number): Move | undefined {
    const targets = this.#leastLoaded(slowest);
    this.#comparisons += targets.length * EXCHANGE_WORK;
    return bestExchange(slowest, targets, this.#source, limitUs);
  }

  #targetsFor(slowest: ShardSums): ShardSums[] {
    return this.#leastLoaded(slowest).slice(0, TARGETS_MAX);
  }

  #leastLoaded(slowest: ShardSums): ShardSums[] {
    return this.#shards
      .filter((shard) => shard !== slowest)
      .toSorted((a, b) => a.costUs - b.costUs || a.index - b.index);
  }

  #bestMoveOrSwap(
    slowest: ShardSums,
    targets: readonly ShardSums[],
    limitUs: number,
  ): Move | undefined {
    let best: { unit: CostUnit; target: ShardSums; other: CostUnit | undefined } | undefined;
    let bestUs = limitUs;
    const consider = (unit: CostUnit, target: ShardSums, other: CostUnit | undefined): void => {
      this.#comparisons++;
      const fromUs = slowest.costWith(other, unit);
      if (fromUs >= bestUs) return;
      const toUs = target.costWith(unit, other);
      if (toUs >= bestUs) return;
      best = { unit, target, other };
      bestUs = Math.max(fromUs, toUs);
    };
    for (const unit of slowest.units) {
      if (unit.queryShare < 1) continue;
      for (const target of targets) {
        if (target.costUs >= limitUs) break;
        consider(unit, target, undefined);
        for (const other of target.units) {
          if (other.queryShare === 1) consider(unit, target, other);
        }
      }
    }
    if (best === undefined) return undefined;
    const { unit, target, other } = best;
    const back = other === undefined ? [] : [other];
    return {
      slowestUs: bestUs,
      changes: [
        { shard: slowest, removed: [unit], added: back },
        { shard: target, removed: back, added: [unit] },
      ],
    };
  }

  /**
   * Splits the slowest shard's dearest unit whatever the other shard then costs, or swaps a few units at random,
   * and descends again; takes it all back unless that was better.
   */
  #tryKick(kick: number): boolean {
    const before = this.#shards.map((shard) => [...shard.units]);
    const beforeUs = slowestOf(this.#shards).costUs;
    if (kick % 2 === 0) this.#splitSlowest();
    else {
      for (let i = 0; i < 3; i++) this.#swapAtRandom(i === 0 ? slowestOf(this.#shards) : undefined);
    }
    this.#descend();
    if (slowestOf(this.#shards).costUs < beforeUs * (1 - GAIN_MIN)) return true;
    for (const [i, shard] of this.#shards.entries()) restore(shard, before[i]!);
    return false;
  }

  /** A part costs its own segments, bags and answer: where all shards are full, several have to make room for it. */
  #splitSlowest(): void {
    const slowest = slowestOf(this.#shards);
    const targets = this.#targetsFor(slowest);
    const target = targets[this.#random.nextBelow(Math.max(1, targets.length))];
    if (target === undefined) return;
    const move = bestSplit(slowest, [target], this.#source, Number.POSITIVE_INFINITY);
    if (move !== undefined) applyMove(move);
  }

  #swapAtRandom(from: ShardSums | undefined): void {
    const a = from ?? this.#anyShard();
    const b = this.#anyShard();
    this.#comparisons += 2;
    const unit = a.units[this.#random.nextBelow(Math.max(1, a.units.length))];
    const other = b.units[this.#random.nextBelow(Math.max(1, b.units.length))];
    if (a === b || unit === undefined || unit.queryShare < 1) return;
    const back = other === undefined || other.queryShare < 1 ? undefined : other;
    if (!Number.isFinite(a.costWith(back, unit)) || !Number.isFinite(b.costWith(unit, back)))
      return;
    a.remove(unit);
    b.add(unit);
    if (back === undefined) return;
    b.remove(back);
    a.add(back);
  }

  #anyShard(): ShardSums {
    return this.#shards[this.#random.nextBelow(this.#shards.length)]!;
  }
}

/** The shard a query waits for; of equal ones the first. */
export function slowestOf(shards: readonly ShardSums[]): ShardSums {
  let slowest = shards[0]!;
  for (const shard of shards) if (shard.costUs > slowest.costUs) slowest = shard;
  return slowest;
}

export function applyMove(move: Move): void {
  for (const { shard, removed, added } of move.changes) {
    for (const unit of removed) shard.remove(unit);
    for (const unit of added) shard.add(unit);
  }
}

function restore(shard: ShardSums, units: readonly CostUnit[]): void {
  const kept = new Set(units);
  for (const unit of [...shard.units]) if (!kept.has(unit)) shard.remove(unit);
  const held = new Set(shard.units);
  for (const unit of units) if (!held.has(unit)) shard.add(unit);
}
