import { ShardpoolError } from "../../lib/errors.js";
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
 * Refuses wishes that only the `cost` strategy can fulfil.
 *
 * @throws ShardpoolError CONFIG_INVALID.
 */
export function assertStrategyCan(
  strategy: Strategy,
  { pin, whole, together }: PlanConstraints,
  replicasMax: number,
): void {
  if (strategy === "cost") return;
  const wishes = Object.keys(pin).length + whole.length + together.length;
  if (wishes > 0) {
    throw new ShardpoolError(
      "CONFIG_INVALID",
      `strategy ${strategy} knows no constraints, only cost does (got ${wishes})`,
    );
  }
  if (replicasMax > 1) {
    throw new ShardpoolError(
      "CONFIG_INVALID",
      `strategy ${strategy} makes no replicas, only cost does (asked for up to ${replicasMax})`,
    );
  }
}
