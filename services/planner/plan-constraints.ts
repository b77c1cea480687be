import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { ShardpoolError } from "../../lib/errors.js";
import type { ModelManifest } from "../../lib/model/manifest.js";
import type { ShardSpec } from "../../lib/plan/plan.js";

const constraintsSchema = z.strictObject({
  /** The one shard that a table lies on, whole, by the table's name. */
  pin: z.record(z.string(), z.string()).default({}),
  /** Tables that are not split. */
  whole: z.array(z.string()).readonly().default([]),
  /** Lists of tables that lie on one shard together, each of them whole. */
  together: z.array(z.array(z.string()).min(2).readonly()).readonly().default([]),
});

/** What a plan has to respect beside the room on its shards. */
export type PlanConstraints = Readonly<z.output<typeof constraintsSchema>>;

export const NO_CONSTRAINTS: PlanConstraints = { pin: {}, whole: [], together: [] };

/**
 * Checks the contents of a constraints file.
 *
 * @throws ShardpoolError CONFIG_INVALID, with every problem found.
 */
export function parseConstraints(raw: unknown, what: string): PlanConstraints {
  return parseConfig(constraintsSchema, raw, what);
}

/**
 * Checks that constraints name tables and shards that there are, and do not contradict each other.
 *
 * @throws ShardpoolError CONFIG_INVALID, with every problem found.
 */
export function assertConstraintsApply(
  constraints: PlanConstraints,
  manifest: ModelManifest,
  shards: readonly ShardSpec[],
): void {
  const problems = [...problemsOf(constraints, manifest, shards)];
  if (problems.length === 0) return;
  throw new ShardpoolError("CONFIG_INVALID", `constraints: ${problems.join("; ")}`);
}

function* problemsOf(
  { pin, whole, together }: PlanConstraints,
  manifest: ModelManifest,
  shards: readonly ShardSpec[],
): Generator<string> {
  const tables = new Set(manifest.tables.map((table) => table.name));
  const shardIds = new Set(shards.map((shard) => shard.id));
  for (const [table, shard] of Object.entries(pin)) {
    if (!tables.has(table)) yield `pin: the model has no table ${table}`;
    if (!shardIds.has(shard)) yield `pin: table ${table} on ${shard}, no such shard`;
  }
  for (const table of whole) {
    if (!tables.has(table)) yield `whole: the model has no table ${table}`;
  }
  const groupByTable = new Map<string, number>();
  for (const [group, names] of together.entries()) {
    for (const table of names) {
      if (!tables.has(table)) yield `together: the model has no table ${table}`;
      const other = groupByTable.get(table);
      if (other === group) yield `together: table ${table} twice in one list`;
      else if (other !== undefined) yield `together: table ${table} in two lists`;
      groupByTable.set(table, group);
    }
    const pins = [...new Set(names.flatMap((table) => pin[table] ?? []))];
    if (pins.length > 1) {
      yield `together: ${names.join(", ")} are pinned to ${pins.join(" and ")}`;
    }
  }
}
