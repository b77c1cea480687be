import type { JaggedBatch } from "../../lib/jagged-batch.js";
import type { LookupCost } from "./fan-out.js";
import type { QueryTrace } from "./query-trace.js";

/** A checked query: its samples, and by when they are wanted. */
export interface Query {
  readonly sampleCount: number;
  /** `[B, D]`. */
  readonly denseFeatures: Float32Array;
  /** Every id is a row of its table. */
  readonly batch: JaggedBatch;
  readonly wantsPooled: boolean;
  /** 1 goes first; see `PRIORITY_LEVELS`. */
  readonly priority: number;
  /** Moments on the frontend's clock. */
  readonly arrivedAt: number;
  readonly deadlineAt: number;
  /** Where its stages are recorded; queries of no client have none. */
  readonly trace?: QueryTrace;
}

/** Priorities go from 1, the highest, to this; a query that names none is in the middle. */
export const PRIORITY_LEVELS = 3;
export const PRIORITY_DEFAULT = 2;

export interface QueryResult {
  /** `[B]`. */
  readonly probability: Float32Array;
  /** `[B]`, where the graph gives it. */
  readonly logit?: Float32Array;
  /** `[B, ΣE]`, where the query wants it. */
  readonly pooled?: Float32Array;
  readonly stages: QueryStages;
}

/** Where a query's time went, microseconds; of several batches, the times of the last to end. */
export interface QueryStages extends LookupCost {
  /** Waiting in the frontend: before the lookups, and before the dense worker. */
  readonly queueUs: number;
  readonly denseUs: number;
}
