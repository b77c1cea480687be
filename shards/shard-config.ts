import { z } from "zod";
import { parseConfig } from "../lib/config.js";
import { LOG_LEVELS } from "../lib/log.js";
import { DEFAULT_ACCESS_COUNTS_EVERY } from "./engine/access-counter.js";
import { ADMISSIONS, DEFAULT_ADMISSION } from "./engine/admission/admission-policy.js";
import { DEFAULT_ENGINE_LIMITS } from "./engine/engine-limits.js";
import { DEFAULT_READER_COUNT } from "./engine/lookup-engine.js";

/** Every number that a shard runs by unless told otherwise. */
export const SHARD_DEFAULTS = {
  listenAddress: "127.0.0.1:8100",
  ...DEFAULT_ENGINE_LIMITS,
  readerCount: DEFAULT_READER_COUNT,
  admission: DEFAULT_ADMISSION,
  accessCountsEvery: DEFAULT_ACCESS_COUNTS_EVERY,
  preload: true,
  /** Lookups taken from all streams and not yet answered; one frontend sends up to as many. */
  lookupsInFlightMax: 256,
  /** What a lookup in flight may take to end after SIGTERM. */
  drainTimeoutMs: 10_000,
  logLevel: "info",
} as const;

const byteCount = z.int().min(0);
const listenAddress = z
  .string()
  .regex(/^(unix:.+|(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5})$/, "must be HOST:PORT or unix:PATH");

const shardConfigSchema = z.strictObject({
  /** A shard store. */
  storeFile: z.string().min(1),
  /** The `plan.json` that says what each partition may keep in memory. */
  planFile: z.string().min(1).optional(),
  /** Which shard of the plan this is; the one the store was built for unless told. */
  shardId: z.string().min(1).optional(),
  /** Row bytes kept in memory, without a plan; all rows unless told. */
  cacheBytes: byteCount.optional(),
  /** Bound on the memory of the engine; a shard that could pass it does not start. */
  memoryBytesMax: byteCount.optional(),
  listenAddress: listenAddress.default(SHARD_DEFAULTS.listenAddress),
  /** Where Prometheus finds `/metrics`; nowhere unless told. */
  metricsAddress: listenAddress.optional(),
  sampleCountMax: z.int().min(1).max(1_000_000).default(SHARD_DEFAULTS.sampleCountMax),
  valueCountMax: z.int().min(1).max(50_000_000).default(SHARD_DEFAULTS.valueCountMax),
  replyBytesMax: z
    .int()
    .min(4)
    .max(2 ** 30)
    .default(SHARD_DEFAULTS.replyBytesMax),
  /** See `EngineLimits`. */
  missedBytesMax: z
    .int()
    .min(1)
    .max(2 ** 30)
    .default(SHARD_DEFAULTS.missedBytesMax),
  waitingMax: z.int().min(1).max(65_536).default(SHARD_DEFAULTS.waitingMax),
  queuedMax: z.int().min(0).max(65_536).default(SHARD_DEFAULTS.queuedMax),
  /** Threads that read blocks; 0 reads them between lookups, on the thread that serves. */
  readerCount: z.int().min(0).max(64).default(SHARD_DEFAULTS.readerCount),
  /** Which blocks that were read may take another's place in memory. */
  admission: z.enum(ADMISSIONS).default(SHARD_DEFAULTS.admission),
  /** Counts which rows one lookup in so many reads, for `cluster stats`; 0 counts none. */
  accessCountsEvery: z.int().min(0).max(65_536).default(SHARD_DEFAULTS.accessCountsEvery),
  /** Fills the memory tier before it serves; without, blocks come in as they are wanted. */
  preload: z.boolean().default(SHARD_DEFAULTS.preload),
  lookupsInFlightMax: z.int().min(1).max(65_536).default(SHARD_DEFAULTS.lookupsInFlightMax),
  drainTimeoutMs: z.int().min(0).max(3_600_000).default(SHARD_DEFAULTS.drainTimeoutMs),
  logLevel: z.enum(LOG_LEVELS).default(SHARD_DEFAULTS.logLevel),
});

/** What `parseShardConfig` takes: everything with a default may be left out. */
export type RawShardConfig = z.input<typeof shardConfigSchema>;
export type ShardConfig = Readonly<z.output<typeof shardConfigSchema>>;

/**
 * Checks a shard's configuration and fills in what has a default.
 *
 * @throws ShardpoolError CONFIG_INVALID, with every problem found.
 */
export function parseShardConfig(raw: unknown): ShardConfig {
  const related = shardConfigSchema.refine(
    (config) => config.planFile === undefined || config.cacheBytes === undefined,
    {
      path: ["cacheBytes"],
      error: "must be left out with a planFile, which says it for each partition",
    },
  );
  return parseConfig(related, raw, "shard config");
}
