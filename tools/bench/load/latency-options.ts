import { z } from "zod";
import { parseConfig } from "../../../lib/config.js";
import { constantRate, type RateSegment } from "./arrivals.js";
import { parseSchedule, scheduleSeconds } from "./rate-schedule.js";
import { parseSlo } from "./slo.js";

const MiB = 1024 ** 2;

/** Each default, with the reason for its number. */
const DEFAULTS = {
  warmupSeconds: 2,
  seconds: 10,
  seed: 1,
  // A query this late is of no use to a page that waits; long enough to see a stall whole.
  timeoutMs: 10_000,
  // Ten seconds of 1,000 queries a second that nobody answers.
  inFlightMax: 10_000,
  // One HTTP/2 connection carries a few thousand queries a second; two use both cores of a server.
  channelCount: 2,
  // About 2,000 queries of 128 samples with 100 ids; encoded they take as much again.
  queryBytesMax: 256 * MiB,
  queryCountMax: 100_000,
  // MLPerf's queries fill the frontend's default queue of 16,384 samples at 60 in flight.
  window: 16,
  connectMs: 5_000,
  errorRatioMax: 0,
  // Long enough for a server to restart, short enough not to wait for the end of a long schedule.
  targetLostMs: 5_000,
} as const;

export const SCENARIOS = ["server", "single-stream", "offline"] as const;

const optionsSchema = z.strictObject({
  /** `host:port` or `unix:PATH` of an inference server. */
  target: z.string().min(1),
  modelDir: z.string().min(1),
  clicksFile: z.string().min(1),
  scenario: z.enum(SCENARIOS).default("server"),
  /** Queries a second to offer; server scenario only. */
  qps: z.number().positive().max(1_000_000).optional(),
  /** How the offered rate goes over time, in place of `qps` and `seconds`; see `parseSchedule`. */
  schedule: z.string().optional(),
  seconds: z.number().positive().max(86_400).optional(),
  /** Queries in flight in the offline scenario. */
  window: z.int().min(1).max(100_000).default(DEFAULTS.window),
  /** Processes that send; their histograms are merged. */
  clients: z.int().min(1).max(64).default(1),
  /** Queries whose way is kept in full. */
  trace: z.int().min(0).max(1000).default(0),
  /** First measure the generator alone, against a server that answers at once. */
  selfTest: z.boolean().default(false),
  /** `cluster.json` of a running cluster: adds its processes and what each shard did. */
  topology: z.string().min(1).optional(),
  warmupSeconds: z.number().min(0).max(3_600).default(DEFAULTS.warmupSeconds),
  seed: z.int().min(0).default(DEFAULTS.seed),
  /** One rule or several, with commas between or as a list. */
  slo: z
    .union([z.string().transform((text) => [text]), z.array(z.string()).readonly()])
    .transform((texts) => texts.flatMap(parseSlo))
    .default([]),
  /**
   * Share of queries that may fail before the run as a whole has failed: none, unless a rule of the
   * SLO bounds errors.
   */
  errorRatioMax: z.number().min(0).max(1).optional(),
  timeoutMs: z.number().positive().max(3_600_000).default(DEFAULTS.timeoutMs),
  inFlightMax: z.int().min(1).max(1_000_000).default(DEFAULTS.inFlightMax),
  channelCount: z.int().min(1).max(64).default(DEFAULTS.channelCount),
  queryBytesMax: z.int().min(1).default(DEFAULTS.queryBytesMax),
  queryCountMax: z.int().min(1).default(DEFAULTS.queryCountMax),
  connectMs: z.number().positive().max(600_000).default(DEFAULTS.connectMs),
  targetLostMs: z.number().positive().default(DEFAULTS.targetLostMs),
  /** Processes whose CPU time and memory the result shows. */
  pids: z.record(z.string(), z.int().min(1)).default({}),
  /** Shards whose counters the result shows, by id. */
  shardAddresses: z.record(z.string(), z.string()).default({}),
  /** After the run, serve every query once with shuffled ids and report that AUC too. */
  shuffleIds: z.boolean().default(false),
});

type CheckedOptions = z.output<typeof optionsSchema>;

export type LatencyOptions = Readonly<Omit<CheckedOptions, "seconds" | "errorRatioMax">> & {
  readonly seconds: number;
  readonly errorRatioMax: number;
  /** The offered rate over the measured time; empty for a closed loop. */
  readonly segments: readonly RateSegment[];
};
/** The same before defaults, as a caller writes them. */
export type LatencyOptionsInput = Readonly<z.input<typeof optionsSchema>>;

/** @throws ShardpoolError CONFIG_INVALID, with every problem found. */
export function parseLatencyOptions(raw: unknown): LatencyOptions {
  const checked = parseConfig(checkedSchema, raw, "bench latency");
  const { scenario, qps = 0, schedule } = checked;
  const stepped = schedule === undefined ? undefined : parseSchedule(schedule);
  const seconds =
    stepped === undefined ? (checked.seconds ?? DEFAULTS.seconds) : scheduleSeconds(stepped);
  const segments = scenario === "server" ? (stepped ?? constantRate(qps, seconds)) : [];
  const boundsErrors = checked.slo.some(({ metric }) => metric === "errors");
  const errorRatioMax = checked.errorRatioMax ?? (boundsErrors ? 1 : DEFAULTS.errorRatioMax);
  return { ...checked, seconds, segments, errorRatioMax };
}

const checkedSchema = optionsSchema
  .refine(
    ({ scenario, qps, schedule }) =>
      scenario !== "server" || (qps === undefined) !== (schedule === undefined),
    { path: ["qps"], error: "the server scenario needs either a rate to offer or a schedule" },
  )
  .refine(({ seconds, schedule }) => seconds === undefined || schedule === undefined, {
    path: ["seconds"],
    error: "the schedule says how long it lasts",
  })
  .refine(
    ({ scenario, qps, schedule }) =>
      scenario === "server" || (qps === undefined && schedule === undefined),
    { path: ["qps"], error: "a closed loop offers no rate: leave qps and schedule out" },
  )
  .refine(({ scenario, clients }) => scenario === "server" || clients === 1, {
    path: ["clients"],
    error:
      "several client processes share a schedule of arrivals, so only the server scenario has them",
  });
