import { type CostUnit, mayLieOn, type UnitSource } from "./cost-units.js";
import type { Move } from "./local-search.js";
import type { ShardSums } from "./shard-sums.js";

/** Units that one shard gives in an exchange, and what they cost at the usual price of memory. */
interface Bundle {
  readonly units: readonly CostUnit[];
  readonly us: number;
}

/** Units of a shard that are taken into pairs: the dearest of more would make pairs by the thousand. */
const PAIRED_UNITS_MAX = 24;

/** Exchanges with one shard that are worked out with the memory there is, the most promising ones. */
const WORKED_OUT_MAX = 3;

/**
 * The best exchange of up to two units of the slowest shard for up to two of another, so that both end
 * up below `limitUs`. Where units differ much in size, one for one seldom makes two shards equal;
 * among pairs there are so many differences that some do.
 */
export function bestExchange(
  slowest: ShardSums,
  targets: readonly ShardSums[],
  source: Pick<UnitSource, "usOf">,
  limitUs: number,
): Move | undefined {
  const given = bundlesOf(slowest, source);
  let best: Move | undefined;
  for (const target of targets) {
    if (target.costUs >= limitUs) break;
    const taken = bundlesOf(target, source);
    // With weights w and v, a transfer of t changes the shards by t / w and t / v: equal at this t.
    const { weight } = slowest.spec;
    const wanted =
      ((slowest.costUs - target.costUs) * weight * target.spec.weight) /
      (weight + target.spec.weight);
    for (const [mine, theirs] of nearestPairs(given, taken, wanted)) {
      const move = exchange(slowest, mine.units, target, theirs.units);
      if (move.slowestUs < (best?.slowestUs ?? limitUs)) best = move;
    }
  }
  return best;
}

/** Nothing, each unit and each pair, by rising cost. */
function bundlesOf(shard: ShardSums, source: Pick<UnitSource, "usOf">): Bundle[] {
  const singles = shard.units
    .filter((unit) => unit.queryShare === 1)
    .map((unit) => ({ units: [unit], us: source.usOf(unit) }))
    .toSorted((a, b) => a.us - b.us || (a.units[0]!.key < b.units[0]!.key ? -1 : 1));
  const paired = singles.slice(0, PAIRED_UNITS_MAX);
  const pairs = paired.flatMap((a, i) =>
    paired.slice(i + 1).map((b) => ({ units: [...a.units, ...b.units], us: a.us + b.us })),
  );
  return [{ units: [], us: 0 }, ...singles, ...pairs].toSorted((a, b) => a.us - b.us);
}

/** The pairs of bundles whose difference is nearest to what is wanted. */
function nearestPairs(
  given: readonly Bundle[],
  taken: readonly Bundle[],
  wanted: number,
): [Bundle, Bundle][] {
  const found: { distance: number; pair: [Bundle, Bundle] }[] = [];
  let at = 0;
  for (const mine of given) {
    // The more is given, the more is to be taken for it.
    while (at + 1 < taken.length && taken[at + 1]!.us <= mine.us - wanted) at++;
    for (const theirs of taken.slice(at, at + 2)) {
      const transfer = mine.us - theirs.us;
      if (transfer <= 0 || transfer >= 2 * wanted) continue;
      found.push({ distance: Math.abs(transfer - wanted), pair: [mine, theirs] });
    }
  }
  found.sort((a, b) => a.distance - b.distance);
  return found.slice(0, WORKED_OUT_MAX).map(({ pair }) => pair);
}

function exchange(
  slowest: ShardSums,
  given: readonly CostUnit[],
  target: ShardSums,
  taken: readonly CostUnit[],
): Move {
  const mayLie =
    given.every((unit) => mayLieOn(unit, target.spec)) &&
    taken.every((unit) => mayLieOn(unit, slowest.spec));
  return {
    slowestUs: mayLie
      ? Math.max(slowest.costWithAll(taken, given), target.costWithAll(given, taken))
      : Number.POSITIVE_INFINITY,
    changes: [
      { shard: slowest, removed: given, added: taken },
      { shard: target, removed: taken, added: given },
    ],
  };
}
