import type { ShardSpec } from "../../../lib/plan/plan.js";
import type { LinearSolver } from "../linear-solver.js";

/** Something that lies on one shard, whole. */
export interface ProgramItem {
  readonly us: number;
  readonly bytes: number;
  readonly pinnedTo: string | undefined;
}

export interface PlacementProgram {
  readonly items: readonly ProgramItem[];
  readonly specs: readonly ShardSpec[];
  /** Microseconds of a shard that holds anything. */
  readonly messageUs: number;
  /** Work that may lie anywhere in any parts. */
  readonly looseUs: number;
}

export interface ProgramSolution {
  /** The slowest shard, microseconds. */
  readonly slowestUs: number;
  /** The place in `specs` of each item's shard. */
  readonly shardOf: readonly number[];
}

/** Programs with more choices than this take seconds. */
const CHOICES_MAX = 160;

/** Whether the program is small enough to be solved. */
export function isSmall({ items, specs }: PlacementProgram): boolean {
  return items.length > 0 && items.length * specs.length <= CHOICES_MAX;
}

/**
 * The placement with the fastest slowest shard there is: one binary choice for each item and shard, the
 * loose work in any parts, within each shard's disk.
 *
 * @returns Undefined where it has no solution or is too hard.
 */
export function solvePlacement(
  program: PlacementProgram,
  solver: LinearSolver,
): ProgramSolution | undefined {
  const solution = solver.solve(programText(program));
  if (solution === undefined) return undefined;
  const { items, specs } = program;
  return {
    slowestUs: solution.objective,
    shardOf: items.map((_, i) => specs.findIndex((_, s) => solution.valueOf(`x${i}_${s}`) > 0.5)),
  };
}

function programText({ items, specs, messageUs, looseUs }: PlacementProgram): string {
  const rows: string[] = [];
  const all = specs.map((_, s) => s);
  for (const [i, { pinnedTo }] of items.entries()) {
    rows.push(` one${i}: ${all.map((s) => `x${i}_${s}`).join(" + ")} = 1`);
    const pinned = specs.findIndex(({ id }) => id === pinnedTo);
    if (pinned >= 0) rows.push(` pin${i}: x${i}_${pinned} = 1`);
    for (const s of all) rows.push(` used${i}_${s}: x${i}_${s} - y${s} <= 0`);
  }
  rows.push(` loose: ${all.map((s) => `m${s}`).join(" + ")} = ${looseUs}`);
  for (const [s, { weight, diskBytesMax }] of specs.entries()) {
    const work = items.map(({ us }, i) => `${us} x${i}_${s}`).join(" + ");
    rows.push(` time${s}: ${work} + m${s} + ${messageUs} y${s} - ${weight} T <= 0`);
    // Loose work makes a shard used as an item does.
    rows.push(` some${s}: m${s} - ${looseUs + 1} y${s} <= 0`);
    if (diskBytesMax < Number.MAX_SAFE_INTEGER) {
      const room = items.map(({ bytes }, i) => `${bytes / diskBytesMax} x${i}_${s}`).join(" + ");
      rows.push(` disk${s}: ${room} <= 1`);
    }
  }
  const choices = items.flatMap((_, i) => all.map((s) => `x${i}_${s}`));
  const used = all.map((s) => `y${s}`);
  return [
    "Minimize",
    " slowest: T",
    "Subject To",
    ...rows,
    "Binary",
    ` ${[...choices, ...used].join(" ")}`,
    "End",
  ].join("\n");
}
