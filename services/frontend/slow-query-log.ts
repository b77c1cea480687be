import type { Clock } from "../../lib/clock.js";
import type { Logger } from "../../lib/log.js";
import type { QueryAnswer } from "./query-service.js";

export interface SlowQuery {
  readonly protocol: string;
  readonly requestId: string;
  /** "" outside any trace. */
  readonly traceId: string;
  readonly answer: QueryAnswer;
}

/** An overloaded server has thousands of slow queries a second, which a log must not make worse. */
const LINES_PER_SECOND_MAX = 10;

/** One log line a slow query, with where its time went. */
export class SlowQueryLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #slowQueryMs: number;
  #secondStartedAt = Number.NEGATIVE_INFINITY;
  #linesThisSecond = 0;
  #unloggedCount = 0;

  constructor(log: Logger, clock: Clock, slowQueryMs: number) {
    this.#log = log;
    this.#clock = clock;
    this.#slowQueryMs = slowQueryMs;
  }

  record({ protocol, requestId, traceId, answer }: SlowQuery): void {
    const totalMs = answer.totalUs / 1000;
    if (totalMs < this.#slowQueryMs) return;
    if (!this.#hasRoom()) {
      this.#unloggedCount++;
      return;
    }
    this.#log.warn(
      {
        protocol,
        id: requestId,
        ...(traceId !== "" && { traceId }),
        samples: answer.sampleCount,
        totalMs: Math.round(totalMs * 1000) / 1000,
        stages: answer.result.stages,
        ...(this.#unloggedCount > 0 && { unlogged: this.#unloggedCount }),
      },
      "slow query",
    );
    this.#unloggedCount = 0;
  }

  #hasRoom(): boolean {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#secondStartedAt >= 1000) {
      this.#secondStartedAt = nowMs;
      this.#linesThisSecond = 0;
    }
    return ++this.#linesThisSecond <= LINES_PER_SECOND_MAX;
  }
}
