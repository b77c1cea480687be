import type { UnitSource } from "../cost/cost-units.js";
import { slowestOf } from "../cost/local-search.js";
import type { ShardSums } from "../cost/shard-sums.js";
import type { LinearSolver } from "../linear-solver.js";
import { isSmall, type PlacementProgram, solvePlacement } from "./placement-program.js";

/**
 * Places the units of a search anew in the best way there is for the cuts it made, where they are few
 * and what a unit costs does not depend on its shard; keeps what the search found unless that is better.
 */
export function placeExactly(
  shards: readonly ShardSums[],
  source: UnitSource,
  solver: LinearSolver,
): void {
  if (!source.pricing.isPooled) return;
  const units = shards.flatMap((shard) => [...shard.units]);
  const program: PlacementProgram = {
    items: units.map((unit) => ({
      us: source.usOf(unit),
      bytes: unit.bytes,
      pinnedTo: unit.pinnedTo,
    })),
    specs: shards.map(({ spec }) => spec),
    messageUs: source.coefficients.messageUs,
    looseUs: 0,
  };
  if (!isSmall(program)) return;
  const solution = solvePlacement(program, solver);
  if (solution === undefined || solution.slowestUs >= slowestOf(shards).costUs * 0.9999) return;
  // Rounding may take what the program calls full a byte over its disk: then nothing is changed.
  const before = shards.map((shard) => [...shard.units]);
  for (const shard of shards) for (const unit of [...shard.units]) shard.remove(unit);
  const fits = units.every((unit, i) => {
    const shard = shards[solution.shardOf[i]!];
    if (shard === undefined || !Number.isFinite(shard.costWith(unit))) return false;
    shard.add(unit);
    return true;
  });
  if (fits) return;
  for (const [i, shard] of shards.entries()) {
    for (const unit of [...shard.units]) shard.remove(unit);
    for (const unit of before[i]!) shard.add(unit);
  }
}
