import type { Contender, MicroBench, MicroContext } from "../micro-bench.js";
import { runClosedLoad } from "./closed-loop.js";
import { type ServedSystem, startServedCluster, startSingleSystem } from "./served-system.js";
import { type ServingFiles, servingFiles } from "./serving-files.js";
import { drawQueries } from "./serving-queries.js";

/** As the budgets of the cluster have it: answers agree with another plan's within this. */
const PROBABILITY_TOLERANCE = 1e-6;

export const clusterBatch128: MicroBench = {
  name: "cluster-batch128",
  summary: "1 frontend and 4 shards, queries of 128 samples x 20 ids, 16 in flight: samples/s",
  run: (context) => measureThroughput(context, { sampleCount: 128, inFlight: 16 }),
};

export const clusterBatch16: MicroBench = {
  name: "cluster-batch16",
  summary: "the same with queries of 16 samples, 64 in flight: samples/s",
  run: (context) => measureThroughput(context, { sampleCount: 16, inFlight: 64 }),
};

export const clusterCpu: MicroBench = {
  name: "cluster-cpu",
  summary: "processor time a query of 128 samples x 20 ids, 4 shards against one process",
  run: measureCpu,
};

interface Load {
  readonly sampleCount: number;
  readonly inFlight: number;
}

async function measureThroughput(context: MicroContext, load: Load): Promise<void> {
  const files = await servingFiles(context);
  await withSystems(files, context, [[]], async ([cluster, single]) => {
    const queries = drawQueries(files, load.sampleCount, context.seed);
    await context.measure({
      unit: "samples/s",
      better: "higher",
      correct: await agree(cluster!, single!, queries, PROBABILITY_TOLERANCE),
      subject: rateOf(cluster!, queries, load),
      baseline: rateOf(single!, queries, load),
    });
  });
}

function rateOf(system: ServedSystem, queries: readonly Buffer[], load: Load): Contender {
  const { sampleCount, inFlight } = load;
  return {
    name: system.name,
    turn: async (seconds) => {
      const result = await runClosedLoad(system, queries, inFlight, seconds);
      const cpuSeconds = result.cpuSecondsPerQuery + result.clientCpuSecondsPerQuery;
      return {
        value: result.queriesPerSecond * sampleCount,
        cpuValue: sampleCount / cpuSeconds,
      };
    },
  };
}

/** Rounded sums move a probability by a few units of float16's last place. */
const FLOAT16_TOLERANCE = 5e-3;

async function measureCpu(context: MicroContext): Promise<void> {
  const load = { sampleCount: 128, inFlight: 8 };
  const files = await servingFiles(context);
  await withSystems(files, context, [[], ["--float16-answers"]], async (systems) => {
    const [float32, float16, single] = systems as [ServedSystem, ServedSystem, ServedSystem];
    const queries = drawQueries(files, load.sampleCount, context.seed);
    for (const [name, cluster, tolerance] of [
      ["float32 answers", float32, PROBABILITY_TOLERANCE],
      ["float16 answers", float16, FLOAT16_TOLERANCE],
    ] as const) {
      await context.measure({
        case: name,
        unit: "CPU ms/query",
        better: "lower",
        correct: await agree(cluster, single, queries, tolerance),
        subject: cpuOf(cluster, queries, load.inFlight),
        baseline: cpuOf(single, queries, load.inFlight),
      });
    }
  });
}

function cpuOf(system: ServedSystem, queries: readonly Buffer[], inFlight: number): Contender {
  return {
    name: system.name,
    turn: async (seconds) => {
      const { cpuSecondsPerQuery } = await runClosedLoad(system, queries, inFlight, seconds);
      return { value: cpuSecondsPerQuery * 1000 };
    },
  };
}

/** V8 compiles a server's code while it answers its first thousand queries. */
const WARM_SECONDS = 5;
const WARM_SAMPLE_COUNT = 128;
const WARM_IN_FLIGHT = 8;

/** Starts a cluster for each list of frontend arguments and, last, the single process. */
async function withSystems(
  files: ServingFiles,
  context: MicroContext,
  clusters: readonly (readonly string[])[],
  use: (systems: readonly ServedSystem[]) => Promise<void>,
): Promise<void> {
  const systems: ServedSystem[] = [];
  try {
    for (const frontendArgs of clusters) {
      const name = ["cluster", ...frontendArgs].join(" ");
      context.note(`starting ${name}`);
      systems.push(await startServedCluster(files, context, { name, frontendArgs }));
    }
    context.note("starting the single process");
    systems.push(await startSingleSystem(files, context));
    context.note(`serving ${WARM_SECONDS} s with each, until their code is compiled`);
    const queries = drawQueries(files, WARM_SAMPLE_COUNT, context.seed);
    for (const system of systems)
      await runClosedLoad(system, queries, WARM_IN_FLIGHT, WARM_SECONDS);
    await use(systems);
  } finally {
    for (const system of systems) await system.stop();
  }
}

/** Asks both a few queries and compares. */
async function agree(
  a: ServedSystem,
  b: ServedSystem,
  queries: readonly Buffer[],
  tolerance: number,
): Promise<boolean> {
  for (const query of queries.slice(0, 4)) {
    const [left, right] = await Promise.all([a.ask(query), b.ask(query)]);
    if (left.length === 0 || left.length !== right.length) return false;
    if (left.some((value, i) => !(Math.abs(value - right[i]!) <= tolerance))) return false;
  }
  return true;
}
