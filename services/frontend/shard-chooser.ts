import { ShardpoolError } from "../../lib/errors.js";
import type { PlanPartition, ShardingPlan } from "../../lib/plan/plan.js";
import type { RoutedSegment } from "./router.js";
import type { ShardClient } from "./shard-client.js";

/** Segments for one shard: one message. */
export interface ShardLookup {
  readonly client: ShardClient;
  readonly segments: RoutedSegment[];
}

/** Decides which shard answers for each partition, and so which messages a batch needs. */
export class ShardChooser {
  readonly #partitions: readonly PlanPartition[];
  readonly #clientsByPartition: readonly (readonly ShardClient[])[];

  /** @param clients By shard id, one for every shard that the plan names. */
  constructor(plan: ShardingPlan, clients: ReadonlyMap<string, ShardClient>) {
    this.#partitions = plan.partitions;
    this.#clientsByPartition = plan.partitions.map((partition) =>
      partition.shards.map((id) => clients.get(id)!),
    );
  }

  /** True while every partition has a shard that can be asked. */
  get isComplete(): boolean {
    return this.#clientsByPartition.every((clients) => clients.some((client) => client.isReady));
  }

  /**
   * Groups segments by shard. Of several shards with a partition, the one with the fewest lookups in
   * flight is asked; of equals, one that gets a message of this batch anyway.
   *
   * @param failed Shards not to ask.
   * @throws ShardpoolError SHARD_UNAVAILABLE when a partition's shards are all away or failed.
   */
  group(
    segments: readonly RoutedSegment[],
    failed: ReadonlyMap<ShardClient, ShardpoolError>,
  ): ShardLookup[] {
    const lookups = new Map<ShardClient, ShardLookup>();
    for (const segment of segments) {
      const client = this.#choose(segment.partitionIndex, lookups, failed);
      const lookup = lookups.get(client);
      if (lookup) lookup.segments.push(segment);
      else lookups.set(client, { client, segments: [segment] });
    }
    return [...lookups.values()];
  }

  /** The plan's id of a segment's partition. */
  partitionIdOf(segment: RoutedSegment): string {
    return this.#partitions[segment.partitionIndex]!.id;
  }

  /** True when every partition of a failed lookup has another shard that can be asked. */
  canReplace(lookup: ShardLookup, failed: ReadonlyMap<ShardClient, ShardpoolError>): boolean {
    return lookup.segments.every(({ partitionIndex }) =>
      this.#clientsByPartition[partitionIndex]!.some(
        (client) => client.isReady && !failed.has(client),
      ),
    );
  }

  #choose(
    partitionIndex: number,
    chosen: ReadonlyMap<ShardClient, ShardLookup>,
    failed: ReadonlyMap<ShardClient, ShardpoolError>,
  ): ShardClient {
    let best: ShardClient | undefined;
    for (const client of this.#clientsByPartition[partitionIndex]!) {
      if (!client.isReady || failed.has(client)) continue;
      if (!best || client.inFlightCount < best.inFlightCount) best = client;
      else if (client.inFlightCount === best.inFlightCount && !chosen.has(best)) {
        if (chosen.has(client)) best = client;
      }
    }
    return best ?? this.#refuse(partitionIndex, failed);
  }

  #refuse(partitionIndex: number, failed: ReadonlyMap<ShardClient, ShardpoolError>): never {
    const clients = this.#clientsByPartition[partitionIndex]!;
    const errors = clients.map((client) => failed.get(client) ?? client.lastError);
    const { id, table } = this.#partitions[partitionIndex]!;
    throw new ShardpoolError(
      "SHARD_UNAVAILABLE",
      `no shard answers for partition ${id} of table ${table}: ` +
        errors.map((error) => error.detail).join("; "),
      { cause: errors[0] },
    );
  }
}
