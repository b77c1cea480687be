import { Worker } from "node:worker_threads";
import { machineNowMs } from "./shared-clock.js";

/** What the ticker thread is given. */
export interface TickerWork {
  /** Rising, milliseconds from `startAtMs`. */
  readonly dueMs: Float64Array;
  /** On the clock of `machineNowMs`. */
  readonly startAtMs: number;
  readonly leadMs: number;
}

/**
 * How long before a moment the ticker wakes this thread, which then looks at the clock once an
 * event-loop turn. It covers two thread wake-ups. Measured at 1,000 sends a second: half of the
 * sends late by more than 0.58 ms with timers alone (they count whole milliseconds), 0.14 ms with a
 * ticker and no lead, 0.01 ms so, for a tenth of a core.
 */
const LEAD_MS = 0.2;

export interface SendPacer {
  /** Resolves after the last send, or after `stop`. */
  readonly done: Promise<void>;
  stop(): void;
}

/**
 * Calls `onDue(i)` for each moment `dueMs[i]`, in order, as soon after `startAtMs + dueMs[i]` as the
 * machine allows and never before; several at once when several are due.
 */
export function startSendPacer(
  { dueMs, startAtMs }: Omit<TickerWork, "leadMs">,
  onDue: (index: number) => void,
): SendPacer {
  let next = 0;
  let isLooking = false;
  let finish: () => void = () => {};
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const work: TickerWork = { dueMs, startAtMs, leadMs: LEAD_MS };
  const ticker = new Worker(new URL("./send-ticker-worker.js", import.meta.url), {
    workerData: work,
  });

  let isStopped = false;
  const stop = (): void => {
    // Each wake-up that is still under way comes here again.
    if (isStopped) return;
    isStopped = true;
    next = dueMs.length;
    ticker.terminate().then(finish, finish);
  };
  const sendDue = (): void => {
    isLooking = false;
    while (next < dueMs.length && startAtMs + dueMs[next]! <= machineNowMs()) onDue(next++);
    if (next === dueMs.length) stop();
    else if (startAtMs + dueMs[next]! - machineNowMs() < 2 * LEAD_MS) {
      isLooking = true;
      setImmediate(sendDue);
    }
  };
  ticker.on("message", () => {
    if (!isLooking) sendDue();
  });
  if (dueMs.length === 0) stop();
  return { done, stop };
}
