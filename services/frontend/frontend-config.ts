import { z } from "zod";
import { parseConfig } from "../../lib/config.js";
import { LOG_LEVELS } from "../../lib/log.js";

const address = z
  .string()
  .regex(/^(unix:.+|(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5})$/, "must be HOST:PORT or unix:PATH");
const listenAddress = address.refine((text) => portOf(text) <= 65535, "port must be below 65536");
const milliseconds = z.int().min(1).max(3_600_000);

/** Every number that a frontend runs by unless told otherwise. */
export const FRONTEND_DEFAULTS = {
  grpcAddress: "127.0.0.1:8001",
  httpAddress: "127.0.0.1:8000",
  metricsAddress: "127.0.0.1:8002",
  /** 4 M ids as INT64 and their weights are 48 MiB. */
  messageBytesMax: 64 * 1024 * 1024,
  /** 2 M ids as text; parsed, it takes some ten times its size. */
  jsonBytesMax: 16 * 1024 * 1024,
  /** One session keeps one core busy; a second pays only where cores are free beside the shards. */
  denseWorkerCount: 1,
  denseThreadCount: 1,
  /** The largest MLPerf query has 700 samples. */
  querySampleCountMax: 4096,
  /** 4096 samples of 214 ids each are 0.9 M; four times that still fits a 64 MiB message. */
  queryValueCountMax: 4_000_000,
  /** The dense part costs 9 µs a sample at 128 and at 1024 alike: more only adds waiting. */
  batchSampleCountMax: 512,
  /** Queries beyond this wait at the client: at 100 k samples/s it is 160 ms of work. */
  queueSampleCountMax: 16_384,
  /** The whole queue at a fifth of that rate; who waits longer has gone away. */
  queueAgeMsMax: 1000,
  /** A query that asks for nothing else must end some time. */
  queryTimeoutMsMax: 10_000,
  lookupsInFlightMax: 256,
  float16Answers: false,
  /** Shards started at the same time may need this long to open their stores. */
  startTimeoutMs: 60_000,
  drainTimeoutMs: 10_000,
  /** Ten times what a query of a few thousand samples takes. */
  slowQueryMs: 1000,
  logLevel: "info",
} as const;

const frontendConfigSchema = z.strictObject({
  /** A model directory. */
  modelDir: z.string().min(1),
  /** A `plan.json` for that model. */
  planFile: z.string().min(1),
  /** Address by shard id, for every shard of the plan. */
  shards: z.record(z.string(), address).readonly(),
  grpcAddress: listenAddress.default(FRONTEND_DEFAULTS.grpcAddress),
  /** Where the REST twin listens; nowhere unless told. */
  httpAddress: listenAddress.optional(),
  /** Where Prometheus finds `/metrics`; nowhere unless told. */
  metricsAddress: listenAddress.optional(),
  /** Bytes of one request, of either protocol, and of one gRPC answer. */
  messageBytesMax: z
    .int()
    .min(1024)
    .max(2 ** 30)
    .default(FRONTEND_DEFAULTS.messageBytesMax),
  /** JSON of a REST request, without the binary data that may follow it. */
  jsonBytesMax: z
    .int()
    .min(1024)
    .max(2 ** 28)
    .default(FRONTEND_DEFAULTS.jsonBytesMax),
  /** Worker threads with one ONNX session each, and threads inside one run. */
  denseWorkerCount: z.int().min(1).max(64).default(FRONTEND_DEFAULTS.denseWorkerCount),
  denseThreadCount: z.int().min(1).max(64).default(FRONTEND_DEFAULTS.denseThreadCount),
  /** Limits of one query; beyond them it is refused. */
  querySampleCountMax: z.int().min(1).max(1_000_000).default(FRONTEND_DEFAULTS.querySampleCountMax),
  queryValueCountMax: z.int().min(1).max(50_000_000).default(FRONTEND_DEFAULTS.queryValueCountMax),
  /** Samples of one batch through the shards and the dense part. */
  batchSampleCountMax: z.int().min(1).max(65_536).default(FRONTEND_DEFAULTS.batchSampleCountMax),
  /** Samples admitted and not yet answered; beyond them queries are refused. */
  queueSampleCountMax: z
    .int()
    .min(1)
    .max(100_000_000)
    .default(FRONTEND_DEFAULTS.queueSampleCountMax),
  /** How long a query may wait for its batch; queries that would wait longer are refused. */
  queueAgeMsMax: milliseconds.default(FRONTEND_DEFAULTS.queueAgeMsMax),
  /** Longest a query may take, whatever its own deadline. */
  queryTimeoutMsMax: milliseconds.default(FRONTEND_DEFAULTS.queryTimeoutMsMax),
  /** Lookups in flight to one shard; beyond them queries are refused. */
  lookupsInFlightMax: z.int().min(1).max(65_536).default(FRONTEND_DEFAULTS.lookupsInFlightMax),
  /** Have shards round their sums to float16: half the bytes of an answer, about 3 digits. */
  float16Answers: z.boolean().default(FRONTEND_DEFAULTS.float16Answers),
  /** How long to wait at the start for every shard to answer. */
  startTimeoutMs: milliseconds.default(FRONTEND_DEFAULTS.startTimeoutMs),
  /** How long queries in flight may take after SIGTERM. */
  drainTimeoutMs: milliseconds.default(FRONTEND_DEFAULTS.drainTimeoutMs),
  /** A query that took longer gets a line in the log. */
  slowQueryMs: z.int().min(0).max(3_600_000).default(FRONTEND_DEFAULTS.slowQueryMs),
  logLevel: z.enum(LOG_LEVELS).default(FRONTEND_DEFAULTS.logLevel),
});

/** What `parseFrontendConfig` takes: everything with a default may be left out. */
export type RawFrontendConfig = z.input<typeof frontendConfigSchema>;
export type FrontendConfig = Readonly<z.output<typeof frontendConfigSchema>>;

/**
 * Checks a frontend's configuration and fills in what has a default.
 *
 * @throws ShardpoolError CONFIG_INVALID, with every problem found.
 */
export function parseFrontendConfig(raw: unknown): FrontendConfig {
  const related = frontendConfigSchema.refine(
    (config) => config.queueSampleCountMax >= config.querySampleCountMax,
    {
      path: ["queueSampleCountMax"],
      error: "must not be below querySampleCountMax, else the largest query never fits",
    },
  );
  return parseConfig(related, raw, "frontend config");
}

function portOf(text: string): number {
  return text.startsWith("unix:") ? 0 : Number(text.slice(text.lastIndexOf(":") + 1));
}
