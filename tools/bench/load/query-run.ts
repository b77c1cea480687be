import type { ServiceError } from "@grpc/grpc-js";
import type { OnUnaryAnswer } from "../../../lib/rpc/grpc-session.js";
import { startSendPacer } from "./send-pacer.js";
import { machineNowMs } from "./shared-clock.js";

/** One query's way, moments on the clock of `machineNowMs`. */
export interface QueryOutcome {
  /** Counts the run's queries from 0. */
  readonly index: number;
  /** When the schedule wanted it sent. */
  readonly intendedAtMs: number;
  readonly sentAtMs: number;
  readonly answeredAtMs: number;
  /** Why it failed: the call's error, or a limit of the generator. */
  readonly error: ServiceError | "IN_FLIGHT_LIMIT" | null;
  readonly reply: Buffer | undefined;
}

export interface QueryRunOptions {
  /** Sends query `index`; calls back once. */
  readonly send: (index: number, onAnswer: OnUnaryAnswer) => void;
  readonly onOutcome: (outcome: QueryOutcome) => void;
  /** Aborting ends the run: no more is sent, and answers still out are not waited for. */
  readonly signal: AbortSignal;
}

/**
 * Open loop: sends query `queryIndex(i)` at `startAtMs + dueMs[i]`, whatever has been answered by then. A query
 * that would be one too many in flight is not sent and counts as failed.
 *
 * Resolves when every query sent has been answered or the signal aborts.
 */
export async function runOpenLoop(
  schedule: {
    readonly dueMs: Float64Array;
    readonly startAtMs: number;
    readonly inFlightMax: number;
    /** The run's number of the query at a place in `dueMs`. */
    readonly queryIndex: (position: number) => number;
  },
  { send, onOutcome, signal }: QueryRunOptions,
): Promise<void> {
  const { dueMs, startAtMs, inFlightMax, queryIndex } = schedule;
  const drained = createDrain(signal);

  const pacer = startSendPacer({ dueMs, startAtMs }, (position) => {
    const index = queryIndex(position);
    const intendedAtMs = startAtMs + dueMs[position]!;
    const sentAtMs = machineNowMs();
    if (drained.inFlight >= inFlightMax) {
      const error = "IN_FLIGHT_LIMIT";
      onOutcome({ index, intendedAtMs, sentAtMs, answeredAtMs: sentAtMs, error, reply: undefined });
      return;
    }
    drained.inFlight++;
    send(index, (error, reply) => {
      const answeredAtMs = machineNowMs();
      drained.inFlight--;
      if (!signal.aborted) onOutcome({ index, intendedAtMs, sentAtMs, answeredAtMs, error, reply });
      drained.check();
    });
  });
  signal.addEventListener("abort", pacer.stop, { once: true });
  if (signal.aborted) pacer.stop();
  await pacer.done;
  await drained.wait();
  signal.removeEventListener("abort", pacer.stop);
}

/**
 * Closed loop: keeps `concurrency` queries in flight, each sent when one is answered, until
 * `isOver` says so. What it measures is not latency under load: a slow answer holds back the next
 * query.
 */
export function runClosedLoop(
  limits: { readonly concurrency: number; readonly isOver: (sentCount: number) => boolean },
  { send, onOutcome, signal }: QueryRunOptions,
): Promise<void> {
  return new Promise((resolve) => {
    let sentCount = 0;
    let openLanes = limits.concurrency;
    const finish = (): void => {
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const sendNext = (): void => {
      if (signal.aborted || limits.isOver(sentCount)) {
        if (--openLanes === 0) finish();
        return;
      }
      const index = sentCount++;
      const sentAtMs = machineNowMs();
      send(index, (error, reply) => {
        const answeredAtMs = machineNowMs();
        if (!signal.aborted) {
          onOutcome({ index, intendedAtMs: sentAtMs, sentAtMs, answeredAtMs, error, reply });
        }
        sendNext();
      });
    };
    signal.addEventListener("abort", finish, { once: true });
    for (let lane = 0; lane < limits.concurrency; lane++) sendNext();
  });
}

/** Counts queries in flight and tells when none is left or the run is aborted. */
function createDrain(signal: AbortSignal): {
  inFlight: number;
  check(): void;
  wait(): Promise<void>;
} {
  let finish: (() => void) | undefined;
  const drain = {
    inFlight: 0,
    check: () => {
      if (drain.inFlight === 0) finish?.();
    },
    wait: () =>
      new Promise<void>((resolve) => {
        finish = resolve;
        if (signal.aborted) resolve();
        signal.addEventListener("abort", () => resolve(), { once: true });
        drain.check();
      }),
  };
  return drain;
}
