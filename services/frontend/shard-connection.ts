import { type ServiceError, status } from "@grpc/grpc-js";
import { parseErrorCode, ShardpoolError } from "../../lib/errors.js";
import type { PlanPartition } from "../../lib/plan/plan.js";
import { giveBack } from "../../lib/rpc/byte-pool.js";
import { type GrpcCall, GrpcSession } from "../../lib/rpc/grpc-session.js";
import { codeFromStatus, fromServiceError } from "../../lib/rpc/grpc-status.js";
import { decodeLookupReply, frameLookupRequest } from "../../lib/rpc/lookup-codec.js";
import { Pulse } from "./pulse.js";
import {
  DESCRIBE,
  type DescribeReply,
  LOOKUP_STREAM_PATH,
  type LookupReply,
  type LookupRequest,
} from "./shard-wire.js";

export interface ShardTarget {
  readonly shardId: string;
  /** `HOST:PORT` or `unix:PATH`. */
  readonly address: string;
  /** What the shard must serve, and must hold. */
  readonly modelHash: string;
  readonly partitions: readonly PlanPartition[];
  /** Largest answer, and largest lookup, that may cross the wire. */
  readonly messageBytesMax: number;
  readonly sampleCountMax: number;
}

/** A lookup without what the connection fills in. */
export type LookupBody = Omit<LookupRequest, "correlationId" | "cancel" | "ping">;

/** Who waits for a lookup; one of the two is called, once, unless the lookup is abandoned. */
export interface LookupWaiter {
  /** The bytes of `pooled` may be used until this returns, and no longer. */
  readonly onReply: (reply: LookupReply) => void;
  /** SHARD_UNAVAILABLE when the connection ends first, or the shard's own error. */
  readonly onError: (error: ShardpoolError) => void;
}

/** Forgets a lookup and tells the shard: its waiter hears nothing more, a late answer is dropped. */
export type AbandonLookup = () => void;

/** A way to ask one shard, open until `ended` settles. */
export interface ShardLink {
  /** The shard's number of each partition, by the plan's partition id. */
  readonly partitionNumbers: ReadonlyMap<string, number>;
  /** Settles when the link is over, with the reason. */
  readonly ended: Promise<ShardpoolError>;
  readonly inFlightCount: number;
  /** Asks the shard. Many lookups may be in flight; answers come in any order. */
  lookup(body: LookupBody, waiter: LookupWaiter): AbandonLookup;
  /** What is in flight fails. */
  close(): void;
}

/** Opens a link to a shard, or throws what keeps it from being asked. */
export type OpenShardLink = (target: ShardTarget, timeoutMs: number) => Promise<ShardLink>;

/** A message that asks for no rows. */
const NO_LOOKUP: LookupRequest = {
  ...{ correlationId: 0, timeoutUs: 0, sampleCount: 0, segments: [] },
  ...{ float16Reply: false, traceparent: "", cancel: false, ping: false },
};
/** No lookup has it, so that its answer finds nobody waiting. */
const PING_CORRELATION_ID = 0;

/**
 * Messages that wait for the shard to read. Lookups in flight have a limit of their own, but those
 * given up do not count there, and a shard that reads nothing would fill our memory with them.
 */
const UNSENT_BYTES_MAX = 64 * 1024 * 1024;

/**
 * One open lookup stream to a shard, from the moment the shard has said what it holds until the
 * stream ends. It does not come back to life: a `ShardClient` opens the next one.
 */
export class ShardConnection implements ShardLink {
  /** The shard's number of each partition, by the plan's partition id. */
  readonly partitionNumbers: ReadonlyMap<string, number>;
  /** Settles when the connection is over, with the reason. */
  readonly ended: Promise<ShardpoolError>;
  readonly #peer: string;
  readonly #session: GrpcSession;
  readonly #stream: GrpcCall;
  readonly #waiting = new Map<number, LookupWaiter>();
  readonly #pulse: Pulse;
  #nextCorrelationId = PING_CORRELATION_ID + 1;
  #endedWith: ShardpoolError | undefined;

  private constructor(
    peer: string,
    session: GrpcSession,
    partitionNumbers: ReadonlyMap<string, number>,
  ) {
    this.#peer = peer;
    this.#session = session;
    this.partitionNumbers = partitionNumbers;
    let end: (error: ShardpoolError) => void = () => {};
    this.ended = new Promise((resolve) => {
      end = (error) => resolve(this.#end(error));
    });
    this.#stream = session.call(LOOKUP_STREAM_PATH, {
      onMessage: (message) => {
        this.#pulse.beat();
        this.#settle(decodeLookupReply(message));
      },
      // A shard that stops ends the stream in good order; to a lookup that waits it is all the same.
      onEnd: (error) =>
        end(error ? lost(peer, error) : unavailable(peer, "the shard closed the connection")),
    });
    this.#pulse = new Pulse({
      ping: () => this.#ping(),
      onSilence: (silentMs) => end(unavailable(peer, `no sign of life for ${silentMs} ms`)),
    });
  }

  /**
   * Connects and asks the shard what it holds.
   *
   * @throws ShardpoolError SHARD_UNAVAILABLE, PLAN_MISMATCH for another model's shard, or
   * PARTITION_NOT_HELD.
   */
  static async open(target: ShardTarget, timeoutMs: number): Promise<ShardConnection> {
    const peer = `${target.shardId} at ${target.address}`;
    const { address, messageBytesMax } = target;
    let session: GrpcSession | undefined;
    try {
      session = await GrpcSession.connect(address, timeoutMs, messageBytesMax);
      const description = await session.ask(DESCRIBE, { withCounters: false }, timeoutMs);
      return new ShardConnection(peer, session, numberPartitions(target, peer, description));
    } catch (error) {
      session?.close();
      throw error instanceof ShardpoolError ? error : lost(peer, error as ServiceError);
    }
  }

  get inFlightCount(): number {
    return this.#waiting.size;
  }

  /**
   * Sends a lookup. Many may be in flight; answers come in any order.
   *
   * @throws ShardpoolError SERVER_OVERLOADED when the shard does not take what was sent before.
   */
  lookup(body: LookupBody, waiter: LookupWaiter): AbandonLookup {
    const endedWith = this.#endedWith;
    if (endedWith) {
      queueMicrotask(() => waiter.onError(endedWith));
      return () => {};
    }
    if (this.#stream.unsentBytes >= UNSENT_BYTES_MAX) {
      throw new ShardpoolError(
        "SERVER_OVERLOADED",
        `${this.#peer} does not read: ${this.#stream.unsentBytes} bytes wait to be sent, the most allowed is ${UNSENT_BYTES_MAX}`,
      );
    }
    const correlationId = this.#takeCorrelationId();
    this.#waiting.set(correlationId, waiter);
    this.#send({
      correlationId,
      timeoutUs: body.timeoutUs,
      sampleCount: body.sampleCount,
      segments: body.segments,
      float16Reply: body.float16Reply,
      traceparent: body.traceparent,
      cancel: false,
      ping: false,
    });
    return () => this.#cancel(correlationId);
  }

  /** Ends the stream; what is in flight fails. */
  close(): void {
    this.#end(unavailable(this.#peer, "the connection was closed"));
  }

  #send(message: LookupRequest): void {
    const frame = frameLookupRequest(message);
    this.#stream.send(frame, giveBack(frame));
  }

  #ping(): void {
    // Messages that wait to be read say enough: their answers will be the sign of life.
    if (this.#stream.unsentBytes > 0) return;
    this.#send({ ...NO_LOOKUP, correlationId: PING_CORRELATION_ID, ping: true });
  }

  #cancel(correlationId: number): void {
    const isInFlight = this.#waiting.delete(correlationId);
    if (isInFlight && !this.#endedWith) this.#send({ ...NO_LOOKUP, correlationId, cancel: true });
  }

  #settle(reply: LookupReply): void {
    const waiting = this.#waiting.get(reply.correlationId);
    if (!waiting) return;
    this.#waiting.delete(reply.correlationId);
    if (reply.error === null) waiting.onReply(reply);
    else {
      const { code, status: grpcStatus, message } = reply.error;
      const known = parseErrorCode(code) ?? codeFromStatus(grpcStatus);
      waiting.onError(new ShardpoolError(known, `${this.#peer}: ${message}`));
    }
  }

  #end(error: ShardpoolError): ShardpoolError {
    if (this.#endedWith) return this.#endedWith;
    this.#endedWith = error;
    this.#pulse.stop();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#session.close();
    for (const { onError } of waiting) onError(error);
    return error;
  }

  #takeCorrelationId(): number {
    const id = this.#nextCorrelationId;
    this.#nextCorrelationId = id === 0xffffffff ? PING_CORRELATION_ID + 1 : id + 1;
    return id;
  }
}

function numberPartitions(
  target: ShardTarget,
  peer: string,
  description: DescribeReply,
): ReadonlyMap<string, number> {
  if (description.modelHash !== target.modelHash) {
    throw new ShardpoolError(
      "PLAN_MISMATCH",
      `${peer} serves model ${description.modelName} version ${description.modelVersion} ` +
        `(${description.modelHash.slice(0, 12)}), not ${target.modelHash.slice(0, 12)}`,
    );
  }
  const held = new Map(description.partitions.map(({ id, number }) => [id, number]));
  const missing = target.partitions.filter(({ id }) => !held.has(id));
  if (missing[0]) {
    const { id, table, rowStart, rowEnd } = missing[0];
    throw new ShardpoolError(
      "PARTITION_NOT_HELD",
      `${peer} lacks ${missing.length} of the plan's ${target.partitions.length} partitions, ` +
        `first ${id} (${table} rows ${rowStart}-${rowEnd})`,
    );
  }
  if (description.sampleCountMax < target.sampleCountMax) {
    throw new ShardpoolError(
      "CONFIG_INVALID",
      `${peer} takes ${description.sampleCountMax} samples a lookup, ` +
        `batchSampleCountMax is ${target.sampleCountMax}`,
    );
  }
  return held;
}

/** What a failed stream or call means for the shard: gone, unless it says better. */
function lost(peer: string, error: ServiceError): ShardpoolError {
  switch (error.code) {
    case status.UNAVAILABLE:
    case status.DEADLINE_EXCEEDED:
    case status.CANCELLED:
    case status.INTERNAL:
    case status.UNKNOWN:
      return unavailable(peer, error.details, error);
    default:
      return fromServiceError(error, peer);
  }
}

function unavailable(peer: string, detail: string, cause?: Error): ShardpoolError {
  return new ShardpoolError("SHARD_UNAVAILABLE", `${peer}: ${detail}`, cause && { cause });
}
