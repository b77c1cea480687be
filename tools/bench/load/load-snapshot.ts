import type { HistogramSnapshot } from "./latency-histogram.js";
import type { LoadSecond } from "./load-recorder.js";
import type { QueryTrace } from "./query-trace.js";
import type { StageName } from "./stages.js";

/** Counts of a run that add up over client processes. */
export interface LoadTotals {
  dueCount: number;
  failedCount: number;
  sampleCount: number;
  degradedCount: number;
  defaultRowCount: number;
  hitCount: number;
  missCount: number;
  blockCount: number;
  requestBytes: number;
  replyBytes: number;
}

/** What one client process has counted, as it goes to the process that merges. */
export interface LoadSnapshot {
  readonly totals: LoadTotals;
  readonly latency: HistogramSnapshot;
  readonly service: HistogramSnapshot;
  readonly lag: HistogramSnapshot;
  readonly stages: Readonly<Record<StageName, HistogramSnapshot>>;
  readonly seconds: readonly LoadSecond[];
  readonly planEpochs: readonly number[];
  readonly countByErrorCode: readonly (readonly [string, number])[];
  readonly lastAnswerAtMs: number;
  /** One a sample of the log, NaN where this client got none. */
  readonly probabilities: Float32Array;
  readonly traces: readonly QueryTrace[];
}
