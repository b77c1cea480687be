import type { CostCoefficients } from "./cost-model.js";
import { draftPartition, type PartitionDraft } from "./partition-draft.js";
import type { TableDemand } from "./table-demand.js";

/** What a cut makes equal: rows, or reads as far as whole rows allow. */
export type CutBy = "rows" | "reads";

/** The ways to cut one table that were asked for, each worked out once. */
export class TableCuts {
  readonly demand: TableDemand;
  readonly #coefficients: CostCoefficients;
  readonly #draftsByCut = new Map<string, readonly PartitionDraft[]>();

  constructor(demand: TableDemand, coefficients: CostCoefficients) {
    this.demand = demand;
    this.#coefficients = coefficients;
  }

  /** The table in so many ranges of rows, or in as many as it has rows. */
  cut(by: CutBy, partCount: number): readonly PartitionDraft[] {
    const parts = Math.min(partCount, this.demand.table.rowCount);
    const key = `${by} ${parts}`;
    const known = this.#draftsByCut.get(key);
    if (known !== undefined) return known;
    const drafts = this.#draftRanges(
      by === "rows" ? this.#evenRows(parts) : this.#evenReads(parts),
    );
    this.#draftsByCut.set(key, drafts);
    return drafts;
  }

  #evenRows(parts: number): number[] {
    const { rowCount } = this.demand.table;
    return Array.from({ length: parts + 1 }, (_, i) => Math.floor((i * rowCount) / parts));
  }

  #evenReads(parts: number): number[] {
    const shares = Array.from({ length: parts }, () => 1 / parts);
    return this.demand.profile.boundariesOf(shares);
  }

  #draftRanges(boundaries: readonly number[]): PartitionDraft[] {
    const columns = { columnStart: 0, columnEnd: this.demand.table.embeddingDim };
    return this.demand.profile
      .accessOf(boundaries)
      .map((access) => draftPartition(this.demand, access, columns, this.#coefficients));
  }
}
