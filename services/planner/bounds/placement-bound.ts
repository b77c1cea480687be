import { isSmall, type PlacementProgram, solvePlacement } from "../exact/placement-program.js";
import { type LinearSolver, MIP_GAP } from "../linear-solver.js";
import {
  type BoundRequest,
  keptWholeOf,
  leastBlocksOf,
  type SlowestBound,
} from "./slowest-bound.js";
import { tableFloorOf } from "./table-floor.js";

/**
 * The bound of a mixed-integer program for small clusters with tables that stay whole: these are
 * placed in the best way there is, with all rows in memory, while the work of tables that may be cut,
 * and all block reads, lie wherever they disturb least.
 *
 * @returns Undefined where nothing is kept whole, or the program is too large or too hard.
 */
export function placementBoundOf(
  request: BoundRequest,
  solver: LinearSolver,
): SlowestBound | undefined {
  const { demands, specs, coefficients, constraints, replicasMax } = request;
  // A replica is no choice of one shard.
  if (replicasMax > 1) return undefined;
  const keptWhole = keptWholeOf(constraints);
  const floors = new Map(
    demands.map((demand) => {
      const { name } = demand.table;
      return [name, tableFloorOf(demand, coefficients, keptWhole.has(name))];
    }),
  );
  const grouped = new Set(constraints.together.flat());
  const alone = [...keptWhole].filter((table) => !grouped.has(table)).map((table) => [table]);
  const items = [...constraints.together, ...alone].map((tables) => ({
    us: tables.reduce((sum, table) => sum + floors.get(table)!.memoryUs, 0),
    bytes: tables.reduce((sum, table) => sum + floors.get(table)!.demand.bytes, 0),
    pinnedTo: tables.map((table) => constraints.pin[table]).find((id) => id !== undefined),
  }));
  const cutUs = [...floors.values()]
    .filter(({ demand }) => !keptWhole.has(demand.table.name))
    .reduce((sum, floor) => sum + floor.memoryUs, 0);
  const blocksUs = leastBlocksOf([...floors.values()], request) * coefficients.blockMissUs;
  const program: PlacementProgram = {
    items,
    specs,
    messageUs: coefficients.messageUs,
    looseUs: cutUs + blocksUs,
  };
  if (!isSmall(program)) return undefined;
  const solution = solvePlacement(program, solver);
  if (solution === undefined) return undefined;
  return { boundUs: solution.slowestUs * (1 - MIP_GAP), boundBy: "mixed-integer program" };
}
