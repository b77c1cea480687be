import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { ShardpoolError } from "../../../lib/errors.js";
import { FLOW_CONTROL_CHANNEL_OPTIONS } from "../../../lib/rpc/flow-control.js";
import { fromServiceError } from "../../../lib/rpc/grpc-status.js";
import { MODEL_INFER_PATH, MODEL_READY } from "./infer-request.js";

export interface InferenceClientOptions {
  /** Connections queries are spread over, in turns. */
  readonly channelCount: number;
  /** When a query without an answer counts as failed. */
  readonly timeoutMs: number;
}

/** Called once: with the encoded answer, or with the error. */
export type OnAnswer = (error: ServiceError | null, reply: Buffer | undefined) => void;

const identity = (bytes: Buffer): Buffer => bytes;

/** A client of an inference server that sends requests encoded beforehand. Close it. */
export class InferenceClient {
  readonly target: string;
  readonly #clients: readonly Client[];
  readonly #timeoutMs: number;
  #turn = 0;

  constructor(target: string, { channelCount, timeoutMs }: InferenceClientOptions) {
    this.target = target;
    this.#timeoutMs = timeoutMs;
    this.#clients = Array.from(
      { length: channelCount },
      () =>
        new Client(target, credentials.createInsecure(), {
          ...FLOW_CONTROL_CHANNEL_OPTIONS,
          // Channels to one address share a connection otherwise.
          "grpc.use_local_subchannel_pool": 1,
          // A target that comes back is to be noticed; the default waits up to two minutes.
          "grpc.initial_reconnect_backoff_ms": 100,
          "grpc.max_reconnect_backoff_ms": 1000,
          "grpc.max_receive_message_length": -1,
          "grpc.max_send_message_length": -1,
        }),
    );
  }

  /**
   * Connects every channel and asks whether the model can answer.
   *
   * @throws ShardpoolError TARGET_UNAVAILABLE when nobody answers within `waitMs` or the model is not
   * ready, MODEL_NOT_FOUND when the target serves another.
   */
  async assertReady(modelName: string, modelVersion: string, waitMs: number): Promise<void> {
    await Promise.all(this.#clients.map((client) => this.#connect(client, waitMs)));
    const ready = await new Promise<boolean>((resolve, reject) => {
      this.#clients[0]!.makeUnaryRequest(
        MODEL_READY.path,
        MODEL_READY.requestSerialize,
        MODEL_READY.responseDeserialize as (bytes: Buffer) => { readonly ready: boolean },
        { name: modelName, version: modelVersion },
        new Metadata(),
        { deadline: Date.now() + waitMs },
        (error, reply) => {
          if (error) reject(fromServiceError(error, this.target));
          else resolve(reply?.ready === true);
        },
      );
    });
    if (!ready) {
      throw new ShardpoolError(
        "TARGET_UNAVAILABLE",
        `${this.target}: model ${modelName} version ${modelVersion} is not ready`,
      );
    }
  }

  /** Sends one encoded `ModelInferRequest`. */
  infer(request: Buffer, onAnswer: OnAnswer): void {
    const client = this.#clients[this.#turn]!;
    this.#turn = (this.#turn + 1) % this.#clients.length;
    client.makeUnaryRequest(
      MODEL_INFER_PATH,
      identity,
      identity,
      request,
      new Metadata(),
      { deadline: Date.now() + this.#timeoutMs },
      onAnswer,
    );
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  #connect(client: Client, waitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      client.waitForReady(Date.now() + waitMs, (error) => {
        if (!error) resolve();
        else {
          reject(
            new ShardpoolError(
              "TARGET_UNAVAILABLE",
              `no inference server answers at ${this.target} (waited ${waitMs} ms)`,
              { cause: error },
            ),
          );
        }
      });
    });
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
