import type { Clock } from "../../lib/clock.js";
import { ShardpoolError } from "../../lib/errors.js";
import type { Batcher, QueryCall } from "./batcher.js";
import { readInferInputs } from "./infer-inputs.js";
import type { InferOptions } from "./infer-options.js";
import type { InputTensor } from "./input-tensor.js";
import type { QueryResult } from "./query.js";
import type { QueryTrace } from "./query-trace.js";
import { RangePolicy } from "./range-policy.js";
import type { ServedModel } from "./served-model.js";

export interface QueryServiceOptions {
  readonly model: ServedModel;
  readonly batcher: Batcher;
  readonly planEpoch: number;
  readonly queryTimeoutMsMax: number;
  readonly clock: Clock;
}

/** A query's answer, in whatever form it is sent back. */
export interface QueryAnswer {
  readonly result: QueryResult;
  readonly sampleCount: number;
  readonly planEpoch: number;
  /** Ids out of range that a default row stood in for, or that were skipped. */
  readonly defaultRowCount: number;
  readonly totalUs: number;
}

export interface AnswerCall {
  /** @throws ShardpoolError. */
  readonly answer: Promise<QueryAnswer>;
  /** The caller went away. */
  cancel(): void;
}

/** Whether queries are taken in: from the golden requests' right answers to the drain. */
export type ServiceState = "starting" | "serving" | "draining";

/** Answers queries, whatever protocol they came by. */
export class QueryService {
  readonly model: ServedModel;
  state: ServiceState = "starting";
  readonly #options: QueryServiceOptions;
  readonly #rangePolicy: RangePolicy;
  #inFlightCount = 0;

  constructor(options: QueryServiceOptions) {
    this.#options = options;
    this.model = options.model;
    this.#rangePolicy = new RangePolicy(options.model.manifest);
  }

  /** Queries taken in and not yet answered. */
  get inFlightCount(): number {
    return this.#inFlightCount;
  }

  /**
   * Checks a query and takes it in.
   *
   * @param timeoutMs What the protocol's deadline leaves; Infinity for none.
   * @param trace Where its stages are recorded.
   * @throws ShardpoolError REQUEST_INVALID, ROW_OUT_OF_RANGE, LIMIT_EXCEEDED, SERVER_NOT_READY,
   * SERVER_DRAINING or SERVER_OVERLOADED.
   */
  submit(
    tensors: ReadonlyMap<string, InputTensor>,
    options: InferOptions,
    timeoutMs: number,
    trace?: QueryTrace,
  ): AnswerCall {
    this.#assertServing();
    const { batcher, clock } = this.#options;
    const arrivedAt = clock.nowMs();
    const deadlineAt = this.#deadlineOf(options, timeoutMs, arrivedAt);
    // What is over the limit is refused for that, and not for now.
    const sampleCount = Math.min(samplesOfShapes(tensors), this.model.sampleCountMax);
    batcher.assertTakes(sampleCount, options.priority, deadlineAt);
    const inputs = readInferInputs(this.model, tensors);
    const { batch, defaultRowCount } = this.#rangePolicy.apply(inputs.batch);
    const call = batcher.submit({
      ...inputs,
      batch,
      wantsPooled: options.outputs.includes("pooled"),
      priority: options.priority,
      arrivedAt,
      deadlineAt,
      ...(trace && { trace }),
    });
    return {
      answer: this.#answer(call, inputs.sampleCount, defaultRowCount, arrivedAt),
      cancel: () => call.cancel(),
    };
  }

  /**
   * Keeps a place for a query that is still arriving.
   *
   * @returns Gives the place back; to be called before the query is submitted.
   * @throws ShardpoolError SERVER_NOT_READY, SERVER_DRAINING or SERVER_OVERLOADED when it will not be taken in.
   */
  reserve(
    sampleCount: number,
    options: Pick<InferOptions, "priority" | "timeoutMs">,
    timeoutMs: number,
  ): () => void {
    this.#assertServing();
    const { batcher, clock } = this.#options;
    const deadlineAt = this.#deadlineOf(options, timeoutMs, clock.nowMs());
    return batcher.reserve(sampleCount, options.priority, deadlineAt);
  }

  #deadlineOf(
    options: Pick<InferOptions, "timeoutMs">,
    timeoutMs: number,
    arrivedAt: number,
  ): number {
    return arrivedAt + Math.min(timeoutMs, options.timeoutMs, this.#options.queryTimeoutMsMax);
  }

  async #answer(
    call: QueryCall,
    sampleCount: number,
    defaultRowCount: number,
    arrivedAt: number,
  ): Promise<QueryAnswer> {
    this.#inFlightCount++;
    try {
      const result = await call.result;
      const totalUs = (this.#options.clock.nowMs() - arrivedAt) * 1000;
      const { planEpoch } = this.#options;
      return { result, sampleCount, planEpoch, defaultRowCount, totalUs };
    } finally {
      this.#inFlightCount--;
    }
  }

  #assertServing(): void {
    if (this.state === "serving") return;
    if (this.state === "draining") {
      throw new ShardpoolError("SERVER_DRAINING", "the frontend is being stopped");
    }
    throw new ShardpoolError(
      "SERVER_NOT_READY",
      "the frontend has not answered its golden requests yet",
    );
  }
}

/** The samples of a query as its shapes have them, before anything of it is read or checked. */
function samplesOfShapes(tensors: ReadonlyMap<string, InputTensor>): number {
  for (const name of ["lengths", "ids"]) {
    const tensor = tensors.get(name);
    const sampleCount = tensor && claimedSampleCount(name, tensor.shape);
    if (sampleCount !== undefined) return sampleCount;
  }
  return 0;
}

/** The samples that the shape of an input tells; `undefined` for an input whose shape does not. */
export function claimedSampleCount(name: string, shape: readonly number[]): number | undefined {
  if (name === "lengths") return shape[1];
  return name === "ids" ? shape[0] : undefined;
}
