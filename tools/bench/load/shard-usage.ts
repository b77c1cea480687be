import { fetchShardDescription, type ShardDescription } from "../../../lib/rpc/describe-client.js";

/** What one shard did in the measured time. */
export interface ShardUsage {
  readonly shardId: string;
  readonly partitionCount: number;
  readonly rowsHit: number;
  readonly rowsMissed: number;
  readonly blocksRead: number;
  readonly cpuSeconds: number;
  /** At the end of the run. */
  readonly memoryBytes: number;
}

/** A run goes on without the counters of a shard that does not answer in this time. */
const ANSWER_TIMEOUT_MS = 1000;

/** Reads the counters of a cluster's shards at the start and at the end of the measured time. */
export class ShardProbe {
  readonly #addressById: Readonly<Record<string, string>>;
  #before: Promise<ReadonlyMap<string, ShardDescription>> = Promise.resolve(new Map());

  constructor(addressById: Readonly<Record<string, string>>) {
    this.#addressById = addressById;
  }

  /** Begins the measured time. */
  start(): void {
    this.#before = this.#fetchAll();
  }

  /** Shards that answered both times. */
  async result(): Promise<ShardUsage[]> {
    const before = await this.#before;
    const after = await this.#fetchAll();
    return [...after].flatMap(([shardId, now]) => {
      const then = before.get(shardId);
      return then === undefined ? [] : [usageBetween(shardId, then, now)];
    });
  }

  async #fetchAll(): Promise<ReadonlyMap<string, ShardDescription>> {
    const found = await Promise.all(
      Object.entries(this.#addressById).map(async ([shardId, address]) => {
        try {
          const description = await fetchShardDescription(address, {
            timeoutMs: ANSWER_TIMEOUT_MS,
          });
          return [[shardId, description] as const];
        } catch {
          return [];
        }
      }),
    );
    return new Map(found.flat());
  }
}

function usageBetween(shardId: string, then: ShardDescription, now: ShardDescription): ShardUsage {
  const grown = (counter: "rowsHit" | "rowsMissed" | "blocksRead"): number =>
    Math.max(0, sumOf(now, counter) - sumOf(then, counter));
  return {
    shardId,
    partitionCount: now.partitions.length,
    rowsHit: grown("rowsHit"),
    rowsMissed: grown("rowsMissed"),
    blocksRead: grown("blocksRead"),
    cpuSeconds: Math.max(0, (Number(now.cpuUs) - Number(then.cpuUs)) / 1e6),
    memoryBytes: Number(now.memoryBytesResident),
  };
}

function sumOf(
  { partitions }: ShardDescription,
  counter: "rowsHit" | "rowsMissed" | "blocksRead",
): number {
  return partitions.reduce((sum, { counters }) => sum + Number(counters?.[counter] ?? 0), 0);
}
