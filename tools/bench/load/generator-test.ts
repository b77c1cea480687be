import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServiceProcess } from "../../cluster/service-process.js";
import type { BenchQueries } from "./bench-queries.js";
import type { LatencyOptionsInput } from "./latency-options.js";
import type { GeneratorTest, LatencyResult } from "./latency-result.js";
import { measureQueries } from "./measure-queries.js";

export type GeneratorStep = GeneratorTest["steps"][number];

export type GeneratorOptions = Pick<
  LatencyOptionsInput,
  "clients" | "inFlightMax" | "channelCount" | "modelDir" | "clicksFile" | "seed"
>;

export interface GeneratorTestHooks {
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: (step: GeneratorStep) => void;
}

const FLOOR_SECONDS = 1;
const STEP_SECONDS = 1.5;
const STEP_WARMUP_SECONDS = 0.5;
/** Where the ladder starts when no rate is wanted, and where it ends. */
const FIRST_QPS = 500;
const LAST_QPS = 64_000;
/** Doublings above a rate that is wanted: 4 times it is comfort enough. */
const DOUBLINGS_MAX = 2;
const HALVINGS_MAX = 3;

/** A rate is held when nearly all of it is answered, and sent nearly on time. */
const ACHIEVED_SHARE_MIN = 0.98;
const LAG_P99_MS_MAX = 1;

/**
 * Measures the generator alone, against a server in a process of its own that answers every query at
 * once: first its floor with one query in flight, then which rates it holds. Queries are the log's
 * own, so their sizes are those of the run.
 *
 * @param qpsWanted Rates around this one are tried; `null` climbs until one is not held.
 */
export async function testGenerator(
  source: BenchQueries,
  options: GeneratorOptions,
  { qpsWanted }: { readonly qpsWanted: number | null },
  hooks: GeneratorTestHooks = {},
): Promise<GeneratorTest> {
  const folder = mkdtempSync(join(tmpdir(), "shardpool-null-server-"));
  const server = await startServiceProcess({
    name: "null-server",
    args: ["bench", "null-server", "--grpc", "127.0.0.1:0"],
    logFile: join(folder, "null-server.log"),
    startTimeoutMs: 20_000,
  });
  const run = (more: Partial<LatencyOptionsInput>): Promise<LatencyResult> =>
    measureQueries(
      source,
      { ...options, target: server.ready.address, warmupSeconds: STEP_WARMUP_SECONDS, ...more },
      { signal: hooks.signal },
    );
  try {
    const floor = await run({ scenario: "single-stream", seconds: FLOOR_SECONDS, clients: 1 });
    const steps = await climb(qpsWanted, async (qps) => {
      const step = describeStep(qps, await run({ qps, seconds: STEP_SECONDS }));
      hooks.onStep?.(step);
      return step;
    });
    const held = steps.filter((step) => step.held).map((step) => step.offeredQps);
    return { floorMs: floor.latencyMs!, qpsHeld: Math.max(0, ...held), qpsWanted, steps };
  } finally {
    await server.stop(1000);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Doubles the rate while it is held; when the first is not, halves it until one is. */
export async function climb<T extends { readonly held: boolean }>(
  qpsWanted: number | null,
  tryRate: (qps: number) => Promise<T>,
): Promise<T[]> {
  const firstQps = qpsWanted ?? FIRST_QPS;
  const lastQps = qpsWanted === null ? LAST_QPS : qpsWanted * 2 ** DOUBLINGS_MAX;
  const steps = [await tryRate(firstQps)];
  if (steps[0]!.held) {
    for (let qps = firstQps * 2; qps <= lastQps && steps.at(-1)!.held; qps *= 2) {
      steps.push(await tryRate(qps));
    }
    return steps;
  }
  for (let halving = 1; halving <= HALVINGS_MAX && !steps.at(-1)!.held; halving++) {
    steps.push(await tryRate(firstQps / 2 ** halving));
  }
  return steps;
}

function describeStep(qps: number, result: LatencyResult): GeneratorStep {
  const lagP99Ms = result.generatorLagMs?.p99 ?? 0;
  const { achievedQps, latencyMs, errorRatio, measuredSeconds } = result;
  const clients = Object.entries(result.cpuSecondsByProcess);
  const cpuSeconds = clients.reduce((sum, [, seconds]) => sum + seconds, 0);
  const offeredQps = result.offeredQps ?? qps;
  return {
    offeredQps: qps,
    achievedQps,
    lagP99Ms,
    latencyMs: latencyMs ?? { p50: 0, p90: 0, p95: 0, p99: 0, p999: 0, max: 0, mean: 0 },
    clientCpuShare: measuredSeconds > 0 ? cpuSeconds / measuredSeconds : 0,
    held:
      errorRatio === 0 &&
      achievedQps >= ACHIEVED_SHARE_MIN * offeredQps &&
      lagP99Ms <= LAG_P99_MS_MAX,
  };
}
