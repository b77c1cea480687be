import { ShardpoolError } from "../../lib/errors.js";
import type { MemoryRule } from "./give-memory.js";
import type { PlanConstraints } from "./plan-constraints.js";

/** How a plan is made; `docs/` and `plan make --help` say when each is the one to take. */
export const STRATEGIES = {
  "one-shard": "everything on the first shard: what the others are compared with",
  capacity: "equal row bytes a shard; tables above a fair share are cut by rows",
  load: "equal row reads a shard; tables read more than a fair share are cut by reads",
  group: "tables of one group together: fewest messages a query",
  cost: "the fastest slowest shard by estimated cost: it decides cuts, memory and replicas",
} as const;

export type Strategy = keyof typeof STRATEGIES;

/**
 * Refuses wishes that the strategy, or the way memory is given out, cannot fulfil.
 *
 * @throws ShardpoolError CONFIG_INVALID, with every problem found.
 */
export function assertStrategyCan(
  strategy: Strategy,
  { pin, whole, together }: PlanConstraints,
  replicasMax: number,
  memory: MemoryRule,
): void {
  const problems: string[] = [];
  const wishes = Object.keys(pin).length + whole.length + together.length;
  if (strategy !== "cost" && wishes > 0) {
    problems.push(`strategy ${strategy} knows no constraints, only cost does (got ${wishes})`);
  }
  if (strategy !== "cost" && replicasMax > 1) {
    problems.push(`strategy ${strategy} makes no replicas, only cost does (up to ${replicasMax})`);
  }
  if (strategy === "cost" && replicasMax > 1 && memory.kind === "fraction") {
    problems.push(
      `replicas (up to ${replicasMax}) need each shard's memory, a fraction of row bytes leaves none for them`,
    );
  }
  if (problems.length > 0) throw new ShardpoolError("CONFIG_INVALID", problems.join("; "));
}
