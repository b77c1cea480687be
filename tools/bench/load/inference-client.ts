import { type ServiceError, status } from "@grpc/grpc-js";
import { ShardpoolError } from "../../../lib/errors.js";
import { GrpcChannel } from "../../../lib/rpc/grpc-channel.js";
import type { OnUnaryAnswer } from "../../../lib/rpc/grpc-session.js";
import { fromServiceError } from "../../../lib/rpc/grpc-status.js";
import { MODEL_INFER_PATH, MODEL_READY } from "./infer-request.js";

export interface InferenceClientOptions {
  /** Connections queries are spread over, in turns. */
  readonly channelCount: number;
  /** When a query without an answer counts as failed. */
  readonly timeoutMs: number;
}

/** A target that comes back is to be noticed. */
const RETRY_MS = 100;
const CONNECT_TIMEOUT_MS = 5000;
/** No limit but the protocol's. */
const MESSAGE_BYTES_MAX = 2 ** 32 - 1;

/** A client of an inference server that sends requests encoded beforehand. Close it. */
export class InferenceClient {
  readonly target: string;
  readonly #channels: readonly GrpcChannel[];
  readonly #timeoutMs: number;
  #turn = 0;

  constructor(target: string, { channelCount, timeoutMs }: InferenceClientOptions) {
    this.target = target;
    this.#timeoutMs = timeoutMs;
    const options = {
      ...{ connectTimeoutMs: CONNECT_TIMEOUT_MS, retryMs: RETRY_MS },
      messageBytesMax: MESSAGE_BYTES_MAX,
    };
    this.#channels = Array.from({ length: channelCount }, () => new GrpcChannel(target, options));
  }

  /**
   * Connects every channel and asks whether the model can answer.
   *
   * @throws ShardpoolError TARGET_UNAVAILABLE when nobody answers within `waitMs` or the model is not
   * ready, MODEL_NOT_FOUND when the target serves another.
   */
  async assertReady(modelName: string, modelVersion: string, waitMs: number): Promise<void> {
    await Promise.all(this.#channels.map((channel) => this.#connect(channel, waitMs)));
    const request = MODEL_READY.requestSerialize({ name: modelName, version: modelVersion });
    const isReady = await new Promise<boolean>((resolve, reject) => {
      this.#channels[0]!.unary(MODEL_READY.path, request, waitMs, (error, reply) => {
        if (error) reject(fromServiceError(error, this.target));
        else resolve((MODEL_READY.responseDeserialize(reply) as { ready: boolean }).ready);
      });
    });
    if (!isReady) {
      throw new ShardpoolError(
        "TARGET_UNAVAILABLE",
        `${this.target}: model ${modelName} version ${modelVersion} is not ready`,
      );
    }
  }

  /** Sends one encoded `ModelInferRequest`. */
  infer(request: Buffer, onAnswer: OnUnaryAnswer): void {
    const channel = this.#channels[this.#turn]!;
    this.#turn = (this.#turn + 1) % this.#channels.length;
    channel.unary(MODEL_INFER_PATH, request, this.#timeoutMs, onAnswer);
  }

  close(): void {
    for (const channel of this.#channels) channel.close();
  }

  async #connect(channel: GrpcChannel, waitMs: number): Promise<void> {
    try {
      await channel.ready(waitMs);
    } catch (error) {
      throw new ShardpoolError(
        "TARGET_UNAVAILABLE",
        `no inference server answers at ${this.target} (waited ${waitMs} ms)`,
        { cause: error },
      );
    }
  }
}

/**
 * What a failed query is counted under: our code, or gRPC's status where the server sent a status
 * that no code of ours means.
 */
export function errorCodeOf(error: ServiceError, target: string): string {
  const { code } = fromServiceError(error, target);
  const isLost = error.code === status.UNAVAILABLE;
  return code === "TARGET_UNAVAILABLE" && !isLost ? `GRPC_${status[error.code]}` : code;
}
