import { ShardpoolError } from "../../../lib/errors.js";
import { readBenchQueries } from "./bench-queries.js";
import type { FromClient, ToClient } from "./client-messages.js";
import { InferenceClient } from "./inference-client.js";
import { parseLatencyOptions } from "./latency-options.js";
import { measureLoad } from "./measure-load.js";
import { prepareQueries } from "./prepared-queries.js";

/** One of several processes that send a run's queries; its parent hands out the work and merges. */
async function serveParent(): Promise<void> {
  const stop = new AbortController();
  let start: (startAtMs: number) => void = () => {};
  const startAt = new Promise<number>((resolve) => {
    start = resolve;
  });
  process.on("message", (message: ToClient) => {
    if (message.kind === "prepare") void run(message, startAt, stop.signal);
    else if (message.kind === "start") start(message.startAtMs);
    else stop.abort();
  });
  // Ctrl-C reaches the whole group; the parent says what to do about it.
  process.on("SIGINT", () => {});
  process.on("disconnect", () => process.exit(1));
}

async function run(
  { input, share }: Extract<ToClient, { kind: "prepare" }>,
  startAt: Promise<number>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await sendShare(input, share, startAt, signal);
  } catch (error) {
    const known = error instanceof ShardpoolError;
    tell({
      kind: "failed",
      code: known ? error.code : "PROCESS_FAILED",
      detail: known ? error.detail : String(error),
    });
  }
}

async function sendShare(
  input: Extract<ToClient, { kind: "prepare" }>["input"],
  share: Extract<ToClient, { kind: "prepare" }>["share"],
  startAt: Promise<number>,
  signal: AbortSignal,
): Promise<void> {
  const options = parseLatencyOptions(input);
  const { manifest, queries: read } = await readBenchQueries(options);
  const { name, version } = manifest;
  const queries = prepareQueries(read, { modelName: name, modelVersion: version, timings: true });
  const client = new InferenceClient(options.target, options);
  try {
    await client.assertReady(name, version, options.connectMs);
    tell({ kind: "ready" });
    const startAtMs = await startAt;
    const meter = { start: () => {}, sample: () => {} };
    const whole = { ...share, startAtMs };
    const { recorder, ...load } = await measureLoad(
      client,
      queries,
      options,
      meter,
      { signal },
      whole,
    );
    tell({ kind: "done", snapshot: recorder.snapshot(), load });
  } finally {
    client.close();
  }
}

function tell(message: FromClient): void {
  process.send?.(message);
}

void serveParent();
