import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import type { ServerWritableStream } from "@grpc/grpc-js";
import { ShardpoolError } from "../../lib/errors.js";
import type { Logger } from "../../lib/log.js";
import { toServiceError } from "../../lib/rpc/grpc-status.js";
import type { PartitionAccess } from "../engine/access-counter.js";
import type { LookupEngine } from "../engine/lookup-engine.js";

/** Rows a message: 512 KiB. */
const CHUNK_ROWS = 65_536;

/** `shardpool.v1.CollectStatsReply`. */
type WireStats = { readonly totals: object } | { readonly access: WireAccess };

interface WireAccess {
  readonly partition: number;
  readonly reads: number;
  readonly droppedCountMax: number;
  readonly full: boolean;
  readonly rowIds: Uint8Array;
  readonly counts: Uint8Array;
}

const NOTHING = { every: 0, lookupCount: 0, sampleCount: 0 };

export type StatsCall = ServerWritableStream<{ readonly reset: boolean }, WireStats>;

/** Answers `CollectStats`: partition by partition, with lookups in between. */
export function serveStats(
  call: StatsCall,
  engine: LookupEngine,
  shardId: string,
  log: Logger,
): void {
  sendStats(call, engine, shardId).then(
    () => call.end(),
    (error: unknown) => {
      if (!(error instanceof ShardpoolError)) log.error({ err: error }, "unexpected error");
      call.destroy(Object.assign(new Error("collecting failed"), toServiceError(error)));
    },
  );
}

async function sendStats(call: StatsCall, engine: LookupEngine, shardId: string): Promise<void> {
  const accesses = engine.accesses(call.request.reset);
  const { every, lookupCount: lookups, sampleCount: samples } = accesses ?? NOTHING;
  const { modelHash } = engine.catalog;
  await send(call, { totals: { shardId, modelHash, every, lookups, samples } });
  if (accesses === undefined) return;
  for (const partition of engine.partitions.keys()) {
    await setImmediate();
    const access = accesses.accessOf(partition);
    for (const chunk of chunksOf(partition, access)) await send(call, { access: chunk });
  }
}

function* chunksOf(partition: number, access: PartitionAccess): Generator<WireAccess> {
  const { readCount: reads, droppedCountMax, isFull: full, counts } = access;
  for (let start = 0; start === 0 || start < counts.rowIds.length; start += CHUNK_ROWS) {
    const end = start + CHUNK_ROWS;
    const rowIds = bytesOf(counts.rowIds.subarray(start, end));
    const chunk = bytesOf(counts.counts.subarray(start, end));
    yield { partition, reads, droppedCountMax, full, rowIds, counts: chunk };
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array | Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

async function send(call: StatsCall, message: WireStats): Promise<void> {
  if (call.cancelled) throw new ShardpoolError("CALL_CANCELLED", "the caller has gone");
  if (call.write(message)) return;
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  call.once("cancelled", stop);
  try {
    await once(call, "drain", { signal: controller.signal });
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    throw new ShardpoolError("CALL_CANCELLED", "the caller has gone");
  } finally {
    call.off("cancelled", stop);
  }
}
