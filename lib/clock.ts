/** The two clocks a process reads. Tests hand in their own, so that no test sleeps. */
export interface Clock {
  /** Milliseconds on a monotonic clock with sub-microsecond steps; only differences mean anything. */
  nowMs(): number;
  /** Milliseconds since 1970-01-01 UTC, for what people and files read. */
  wallMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
};
