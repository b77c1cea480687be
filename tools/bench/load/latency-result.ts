import { z } from "zod";
import { parseConfig } from "../../../lib/config.js";
import { SCENARIOS } from "./latency-options.js";
import { STAGES, type StageName } from "./stages.js";

const count = z.int().min(0);
const ratio = z.number().min(0).max(1);
const ms = z.number().min(0);

const summarySchema = z
  .strictObject({ p50: ms, p90: ms, p95: ms, p99: ms, p999: ms, max: ms, mean: ms })
  .readonly();

const environmentSchema = z
  .strictObject({
    shardpoolVersion: z.string(),
    commit: z.string().nullable(),
    node: z.string(),
    kernel: z.string(),
    cpu: z.string(),
    coreCount: count,
    memoryBytes: count,
    loadAverageBefore: z.number(),
  })
  .readonly();

const secondSchema = z
  .strictObject({
    /** Queries due in this second of the measured time, and how many of them failed. */
    dueCount: count,
    failedCount: count,
    /** Answers that came in this second, whenever their queries were due. */
    answeredCount: count,
    latencyMs: z.strictObject({ p50: ms, p99: ms, max: ms }).readonly().nullable(),
  })
  .readonly();

const aucSchema = z
  .strictObject({
    /** Of the probabilities served, against the log's labels. */
    served: ratio,
    /** Of the probabilities the labels were drawn from; null when the log does not say. */
    ceiling: ratio.nullable(),
    /** Served with each feature's row ids shuffled over samples; null when not asked for. */
    shuffled: ratio.nullable(),
    /** Samples with a label and a probability. */
    sampleCount: count,
  })
  .readonly();

/** The generator against a server that answers at once. */
const generatorSchema = z
  .strictObject({
    /** Closed loop, one in flight: what generator and gRPC add to every latency. */
    floorMs: summarySchema,
    /** The highest rate it held; 0 when it held none that was tried. */
    qpsHeld: z.number().min(0),
    /** What the run will ask of it; null for a closed loop. */
    qpsWanted: z.number().nullable(),
    steps: z
      .array(
        z
          .strictObject({
            offeredQps: z.number(),
            achievedQps: z.number(),
            /** Sent after the intended time by. */
            lagP99Ms: ms,
            latencyMs: summarySchema,
            clientCpuShare: z.number(),
            held: z.boolean(),
          })
          .readonly(),
      )
      .readonly(),
  })
  .readonly();

const shardSchema = z
  .strictObject({
    shardId: z.string(),
    partitionCount: count,
    rowsHit: count,
    rowsMissed: count,
    blocksRead: count,
    cpuSeconds: z.number(),
    memoryBytes: count,
  })
  .readonly();

const us = z.number().min(0);
const stageTimesSchema = z
  .strictObject({
    ...{ client: us, queue: us, network: us, shardQueue: us, memory: us },
    ...{ ssd: us, pooling: us, dense: us, other: us },
  })
  .readonly();

const traceSchema = z
  .strictObject({
    index: count,
    atSeconds: z.number(),
    latencyMs: ms,
    lagMs: z.number(),
    stagesUs: stageTimesSchema,
    shards: z
      .array(
        z
          .strictObject({
            shardId: z.string(),
            ...{ waitedUs: us, queueUs: us, memoryUs: us, ssdUs: us, poolUs: us, totalUs: us },
          })
          .readonly(),
      )
      .readonly(),
  })
  .readonly();

const stageNames = STAGES.map(({ name }) => name) as [StageName, ...StageName[]];

const latencyResultSchema = z.strictObject({
  formatVersion: z.literal(1),
  kind: z.literal("latency"),
  /** Moment of the first query, ISO 8601. */
  startedAt: z.string(),
  environment: environmentSchema,
  target: z.string(),
  model: z.strictObject({ name: z.string(), version: z.string(), hash: z.string() }).readonly(),
  /** Plan epochs that answers came from; more than one when the plan was swapped in the run. */
  planEpochs: z.array(count).readonly(),
  clicks: z
    .strictObject({ file: z.string(), queryCount: count, sampleCount: count, isWhole: z.boolean() })
    .readonly(),

  /**
   * `server` is open loop with Poisson arrivals, `single-stream` closed loop with one in flight,
   * `offline` closed loop with `window` in flight.
   */
  scenario: z.enum(SCENARIOS),
  /** As it was written; null for one rate. */
  schedule: z.string().nullable(),
  window: count.nullable(),
  /** Processes that sent. */
  clientCount: count,
  /** The generator alone; null when it was not tested. */
  generator: generatorSchema.nullable(),
  seed: z.int(),
  warmupSeconds: z.number(),
  /** Asked for; `measuredSeconds` is from the first measured query to the last answer. */
  seconds: z.number(),
  measuredSeconds: z.number(),
  /** Why the run ended: its schedule, a Ctrl-C, or a target that answered no more. */
  endedBy: z.enum(["schedule", "interrupt", "target-lost"]),

  /** Queries due in the measured time; each was answered or failed. */
  queryCount: count,
  answeredCount: count,
  /** null for a closed loop, which offers nothing. */
  offeredQps: z.number().nullable(),
  achievedQps: z.number(),
  samplesPerSecond: z.number(),
  errorsByCode: z.record(z.string(), count).readonly(),
  errorRatio: ratio,
  degradedRatio: ratio,
  defaultRowCount: count,

  /** From the intended send time to the answer; null when nothing was answered. */
  latencyMs: summarySchema.nullable(),
  /** From the moment it was sent in fact. */
  serviceMs: summarySchema.nullable(),
  /** The generator's own lateness: sent minus intended. */
  generatorLagMs: summarySchema.nullable(),
  /** null when answers carry no stage times. */
  stagesMs: z.record(z.enum(stageNames), summarySchema).readonly().nullable(),

  rowsHit: count,
  rowsMissed: count,
  /** null when answers carry no counts. */
  hitRatio: ratio.nullable(),
  blocksRead: count,
  requestBytes: count,
  replyBytes: count,
  auc: aucSchema.nullable(),

  cpuSecondsByProcess: z.record(z.string(), z.number()).readonly(),
  memoryPeakBytesByProcess: z.record(z.string(), count).readonly(),
  slo: z
    .array(
      z
        .strictObject({ rule: z.string(), value: z.number().nullable(), met: z.boolean() })
        .readonly(),
    )
    .readonly(),
  /** What each shard did; empty when the run was not told where they are. */
  shards: z.array(shardSchema).readonly(),
  /** The way of sampled queries. */
  traces: z.array(traceSchema).readonly(),
  overTime: z.array(secondSchema).readonly(),
  /** HdrHistogram V2, deflated, base64, microseconds: what merges without loss. */
  latencyHistogram: z.string(),
  serviceHistogram: z.string(),
});

/** What `bench latency --json` writes. */
export type LatencyResult = Readonly<z.output<typeof latencyResultSchema>>;

/** What the generator can do by itself. */
export type GeneratorTest = Readonly<z.output<typeof generatorSchema>>;

/** @throws ShardpoolError FORMAT_UNSUPPORTED, with every problem found. */
export function parseLatencyResult(raw: unknown, what: string): LatencyResult {
  return parseConfig(latencyResultSchema, raw, what, "FORMAT_UNSUPPORTED");
}
