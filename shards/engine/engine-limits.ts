import type { LookupLimits } from "./lookup-request.js";

/** What one lookup may ask for, and what all of them together may hold. */
export interface EngineLimits extends LookupLimits {
  /**
   * Bytes of missed rows that lookups copy at a time, all together. One that is alone has a quarter of
   * them; one that misses more than its share goes in passes, each of which takes its blocks again.
   */
  readonly missedBytesMax: number;
  /** Lookups that wait for blocks at a time, each with its copies. */
  readonly waitingMax: number;
  /** Lookups that wait for their turn to wait. */
  readonly queuedMax: number;
}

export const DEFAULT_ENGINE_LIMITS: EngineLimits = {
  // As many as a frontend takes in one query by default; MLPerf's largest query has 700 samples.
  sampleCountMax: 4096,
  valueCountMax: 4_000_000,
  // 4096 samples of 26 vectors of 64 float32 are 26 MiB.
  replyBytesMax: 64 * 1024 * 1024,
  // A batch of 128 samples of 520 rows of 64 float32 has 16 MiB of rows; of them a quarter to a half can miss
  // in one pass.
  missedBytesMax: 32 * 1024 * 1024,
  waitingMax: 32,
  queuedMax: 256,
};
