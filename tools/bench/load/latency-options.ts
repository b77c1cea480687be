import { z } from "zod";
import { parseConfig } from "../../../lib/config.js";
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
  connectMs: 5_000,
  errorRatioMax: 0,
  // Long enough for a server to restart, short enough not to wait for the end of a long schedule.
  targetLostMs: 5_000,
} as const;

const optionsSchema = z.strictObject({
  /** `host:port` or `unix:PATH` of an inference server. */
  target: z.string().min(1),
  modelDir: z.string().min(1),
  clicksFile: z.string().min(1),
  scenario: z.enum(["server", "single-stream"]).default("server"),
  /** Queries a second to offer; not for single-stream. */
  qps: z.number().positive().max(1_000_000).optional(),
  seconds: z.number().positive().max(86_400).default(DEFAULTS.seconds),
  warmupSeconds: z.number().min(0).max(3_600).default(DEFAULTS.warmupSeconds),
  seed: z.int().min(0).default(DEFAULTS.seed),
  slo: z
    .string()
    .transform((text) => parseSlo(text))
    .optional(),
  /** Share of queries that may fail before the run as a whole has failed. */
  errorRatioMax: z.number().min(0).max(1).default(DEFAULTS.errorRatioMax),
  timeoutMs: z.number().positive().max(3_600_000).default(DEFAULTS.timeoutMs),
  inFlightMax: z.int().min(1).max(1_000_000).default(DEFAULTS.inFlightMax),
  channelCount: z.int().min(1).max(64).default(DEFAULTS.channelCount),
  queryBytesMax: z.int().min(1).default(DEFAULTS.queryBytesMax),
  queryCountMax: z.int().min(1).default(DEFAULTS.queryCountMax),
  connectMs: z.number().positive().max(600_000).default(DEFAULTS.connectMs),
  targetLostMs: z.number().positive().default(DEFAULTS.targetLostMs),
  /** Processes whose CPU time and memory the result shows. */
  pids: z.record(z.string(), z.int().min(1)).default({}),
  /** After the run, serve every query once with shuffled ids and report that AUC too. */
  shuffleIds: z.boolean().default(false),
});

export type LatencyOptions = Readonly<z.output<typeof optionsSchema>>;
/** The same before defaults, as a caller writes them. */
export type LatencyOptionsInput = Readonly<z.input<typeof optionsSchema>>;

/** @throws ShardpoolError CONFIG_INVALID, with every problem found. */
export function parseLatencyOptions(raw: unknown): LatencyOptions {
  return parseConfig(
    optionsSchema.refine(({ scenario, qps }) => scenario !== "server" || qps !== undefined, {
      path: ["qps"],
      error: "the server scenario needs a rate to offer",
    }),
    raw,
    "bench latency",
  );
}
