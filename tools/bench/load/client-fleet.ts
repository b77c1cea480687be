import { type ChildProcess, fork } from "node:child_process";
import { parseErrorCode, ShardpoolError } from "../../../lib/errors.js";
import type { FromClient, ToClient } from "./client-messages.js";
import type { LatencyOptions, LatencyOptionsInput } from "./latency-options.js";
import { LoadRecorder } from "./load-recorder.js";
import type { MeasuredLoad, MeasureLoadHooks, RunMeter } from "./measure-load.js";
import type { PreparedQueries } from "./prepared-queries.js";
import { machineNowMs } from "./shared-clock.js";

/** From the word to start until the first query may be due. */
const START_DELAY_MS = 300;
const PROGRESS_INTERVAL_MS = 100;
const STOP_GRACE_MS = 5000;

/** Client processes that have prepared their queries and wait for the word. Close it. */
export class ClientFleet {
  readonly #clients: readonly ChildProcess[];

  private constructor(clients: readonly ChildProcess[]) {
    this.#clients = clients;
  }

  /**
   * Starts `options.clients` processes; each reads the log and connects.
   *
   * @throws ShardpoolError what a client could not do, or PROCESS_FAILED when one ends.
   */
  static async start(
    input: LatencyOptionsInput,
    { clients }: LatencyOptions,
  ): Promise<ClientFleet> {
    const fleet = new ClientFleet(
      Array.from({ length: clients }, () =>
        fork(new URL("./client-process.js", import.meta.url), { serialization: "advanced" }),
      ),
    );
    try {
      await Promise.all(
        fleet.#clients.map((client, index) => prepare(client, index, input, clients)),
      );
      return fleet;
    } catch (error) {
      fleet.close();
      throw error;
    }
  }

  /** By the name a result shows. */
  get pids(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#clients.map(({ pid = 0 }, i) => [`client-${i}`, pid]));
  }

  /** Sends the run's queries, each client its share, and merges what they counted. */
  async measure(
    queries: PreparedQueries,
    options: LatencyOptions,
    meter: RunMeter,
    hooks: MeasureLoadHooks,
  ): Promise<MeasuredLoad> {
    const startAtMs = machineNowMs() + START_DELAY_MS;
    const measureFromMs = startAtMs + options.warmupSeconds * 1000;
    const answers = Promise.all(this.#clients.map((client) => nextMessage(client, "done")));
    const watch = this.#watch(startAtMs, measureFromMs, meter, hooks);
    this.#tellAll({ kind: "start", startAtMs });
    try {
      const parts = await answers;
      meter.sample();
      const recorder = new LoadRecorder(queries, {
        measureFromMs,
        target: options.target,
        traceCount: options.trace,
        seed: options.seed,
      });
      for (const { snapshot } of parts) recorder.addSnapshot(snapshot);
      const early = parts.find(({ load }) => load.endedBy !== "schedule") ?? parts[0]!;
      const offeredSeconds = Math.max(...parts.map(({ load }) => load.offeredSeconds));
      return { ...early.load, recorder, measureFromMs, offeredSeconds };
    } finally {
      watch.release();
    }
  }

  close(): void {
    for (const client of this.#clients) {
      if (client.connected) client.disconnect();
    }
  }

  #watch(
    startAtMs: number,
    measureFromMs: number,
    meter: RunMeter,
    { signal, onProgress }: MeasureLoadHooks,
  ): { release(): void } {
    const stop = (): void => {
      this.#tellAll({ kind: "stop" });
      // A client that hangs must not keep what the others measured.
      setTimeout(() => this.close(), STOP_GRACE_MS).unref();
    };
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) stop();
    const meterStart = setTimeout(() => meter.start(), measureFromMs - machineNowMs());
    const timer = setInterval(() => {
      const nowMs = machineNowMs();
      onProgress?.(Math.max(0, (nowMs - startAtMs) / 1000));
      if (nowMs > measureFromMs) meter.sample();
    }, PROGRESS_INTERVAL_MS);
    return {
      release: () => {
        signal?.removeEventListener("abort", stop);
        clearTimeout(meterStart);
        clearInterval(timer);
      },
    };
  }

  #tellAll(message: ToClient): void {
    for (const client of this.#clients) if (client.connected) client.send(message);
  }
}

async function prepare(
  client: ChildProcess,
  index: number,
  input: LatencyOptionsInput,
  count: number,
): Promise<void> {
  const ready = nextMessage(client, "ready");
  // What only the process that merges does.
  const { clients: _, selfTest: __, topology: ___, ...shared } = input;
  const message: ToClient = { kind: "prepare", input: shared, share: { index, count } };
  client.send(message);
  await ready;
}

function nextMessage<K extends FromClient["kind"]>(
  client: ChildProcess,
  kind: K,
): Promise<Extract<FromClient, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      client.off("message", onMessage);
      client.off("exit", onExit);
    };
    const onMessage = (message: FromClient): void => {
      finish();
      if (message.kind === kind) resolve(message as Extract<FromClient, { kind: K }>);
      else if (message.kind === "failed") {
        const code = parseErrorCode(message.code) ?? "PROCESS_FAILED";
        reject(new ShardpoolError(code, message.detail));
      }
    };
    const onExit = (exitCode: number | null, signal: string | null): void => {
      finish();
      const how = signal ?? `exit code ${exitCode}`;
      reject(new ShardpoolError("PROCESS_FAILED", `a client process ended (${how})`));
    };
    client.on("message", onMessage);
    client.on("exit", onExit);
  });
}
