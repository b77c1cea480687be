import highsModule from "highs";

/** Solves linear and mixed-integer programs. */
export interface LinearSolver {
  /**
   * @param program In CPLEX LP form.
   * @returns The optimum to within `MIP_GAP`, or undefined where the program has none or is too hard.
   */
  solve(program: string): LinearSolution | undefined;
}

export interface LinearSolution {
  readonly objective: number;
  valueOf(variable: string): number;
}

// The package's types describe its CommonJS file, where the loader is a property; an import gets its
// ES module, whose default export the loader is.
const loadHighs = highsModule as unknown as typeof highsModule.default;

/** A program is given up after so many nodes: a count, so that any machine gives up at the same one. */
const NODES_MAX = 400;

/** The optimum lies at most this share below what is found. */
export const MIP_GAP = 0.001;

/**
 * Loads HiGHS (Huangfu and Hall, "Parallelizing the dual revised simplex method", 2018), compiled to
 * WebAssembly. Loading takes a moment and is the only part that waits; plans are made without waiting.
 */
export async function createLinearSolver(): Promise<LinearSolver> {
  const highs = await loadHighs();
  return {
    solve(program) {
      const solution = highs.solve(program, { mip_max_nodes: NODES_MAX, mip_rel_gap: MIP_GAP });
      if (solution.Status !== "Optimal") return undefined;
      const { Columns: columns, ObjectiveValue: objective } = solution;
      return {
        objective,
        valueOf(variable) {
          const column = columns[variable];
          return column !== undefined && "Primal" in column ? Number(column.Primal) : 0;
        },
      };
    },
  };
}
