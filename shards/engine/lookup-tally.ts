import type { Clock } from "../../lib/clock.js";
import type { WantedBlocks } from "./missed-rows.js";

/** What a lookup counts on its way, and the bounds its segments share. */
export class LookupTally {
  /** Bytes of missed rows its segments may still copy. */
  missedBytesLeft: number;
  rowsHit = 0;
  rowsMissed = 0;
  blocksRead = 0;
  queueMs = 0;
  memoryMs = 0;
  ssdMs = 0;
  poolMs = 0;
  readonly startedAtMs: number;
  readonly #clock: Clock;
  #lapStartMs: number;

  constructor(missedBytesMax: number, clock: Clock) {
    this.missedBytesLeft = missedBytesMax;
    this.#clock = clock;
    this.startedAtMs = clock.nowMs();
    this.#lapStartMs = this.startedAtMs;
  }

  /** Books the time since the last lap as time in memory. */
  memoryLap(): void {
    this.memoryMs += this.#lap();
  }

  /** Books the time since the last lap as summing. */
  poolLap(): void {
    this.poolMs += this.#lap();
  }

  /** Books the time since the last lap as waiting for room among those that wait for blocks. */
  queueLap(): void {
    this.queueMs += this.#lap();
  }

  /** Books the time since the last lap as waiting for blocks, which came. */
  blocksCame(wants: readonly WantedBlocks[]): void {
    for (const { blocks } of wants) this.blocksRead += blocks.length;
    this.ssdMs += this.#lap();
  }

  get totalMs(): number {
    return this.#clock.nowMs() - this.startedAtMs;
  }

  #lap(): number {
    const nowMs = this.#clock.nowMs();
    const lapMs = nowMs - this.#lapStartMs;
    this.#lapStartMs = nowMs;
    return lapMs;
  }
}
