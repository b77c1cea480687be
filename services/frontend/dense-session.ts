import { existsSync } from "node:fs";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { ShardpoolError } from "../../lib/errors.js";

export interface DenseSessionOptions {
  /** Threads inside one run. One serves best when several sessions share the machine. */
  readonly threadCount: number;
}

export interface DenseOutputs {
  /** `[B]`, where the graph gives it. */
  readonly logit?: Float32Array;
  /** `[B]`, click probabilities. */
  readonly probability: Float32Array;
}

/** A model's dense part, loaded. One run at a time; a run occupies the thread that calls it. */
export interface DenseSession {
  /** Whether the graph gives the logit beside the probability. */
  readonly hasLogit: boolean;
  /**
   * Bottom MLP, interaction and top MLP.
   *
   * @param dense `[sampleCount, denseFeatureCount]`, row-major.
   * @param pooled `[sampleCount, ΣE]`, features in order.
   * @throws ShardpoolError MODEL_INVALID when the graph refuses inputs of this width.
   */
  run(dense: Float32Array, pooled: Float32Array, sampleCount: number): Promise<DenseOutputs>;
  close(): Promise<void>;
}

/** Severity 4 is fatal only: what goes wrong is thrown, so it need not be printed as well. */
const LOG_FATAL = 4;

/**
 * Loads a `dense.onnx`. The caller closes the session.
 *
 * @throws ShardpoolError FILE_NOT_FOUND, or MODEL_INVALID when it is no graph with an input `pooled`,
 * at most one other input, `dense`, and an output `probability`.
 */
export async function createDenseSession(
  onnxPath: string,
  { threadCount }: DenseSessionOptions,
): Promise<DenseSession> {
  if (!existsSync(onnxPath)) {
    throw new ShardpoolError("FILE_NOT_FOUND", `no such file: ${onnxPath}`);
  }
  const session = await loadSession(onnxPath, threadCount);
  try {
    assertNames(session, onnxPath);
  } catch (error) {
    await session.release();
    throw error;
  }
  return new OnnxDenseSession(session, onnxPath);
}

async function loadSession(onnxPath: string, threadCount: number): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(onnxPath, {
      intraOpNumThreads: threadCount,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
      logSeverityLevel: LOG_FATAL,
      // A spinning thread takes a core from the shards on the same machine.
      extra: { session: { intra_op: { allow_spinning: "0" } } },
    });
  } catch (error) {
    throw new ShardpoolError("MODEL_INVALID", `${onnxPath} is not a graph that can be loaded`, {
      cause: error,
    });
  }
}

function assertNames(session: InferenceSession, onnxPath: string): void {
  const { inputNames, outputNames } = session;
  const known = inputNames.every((name) => name === "dense" || name === "pooled");
  if (!known || !inputNames.includes("pooled")) {
    throw new ShardpoolError(
      "MODEL_INVALID",
      `${onnxPath}: inputs are ${inputNames.join(", ")}, must be dense and pooled`,
    );
  }
  if (!outputNames.includes("probability")) {
    throw new ShardpoolError(
      "MODEL_INVALID",
      `${onnxPath}: outputs are ${outputNames.join(", ")}, must have probability`,
    );
  }
}

type Feeds = Readonly<Record<string, Tensor>>;

class OnnxDenseSession implements DenseSession {
  readonly hasLogit: boolean;
  readonly #session: InferenceSession;
  readonly #onnxPath: string;
  /** A graph without dense features may lack the input. */
  readonly #takesDense: boolean;

  constructor(session: InferenceSession, onnxPath: string) {
    this.#session = session;
    this.#onnxPath = onnxPath;
    this.#takesDense = session.inputNames.includes("dense");
    this.hasLogit = session.outputNames.includes("logit");
  }

  async run(dense: Float32Array, pooled: Float32Array, sampleCount: number): Promise<DenseOutputs> {
    const feeds = this.#takesDense
      ? { pooled: matrix(pooled, sampleCount), dense: matrix(dense, sampleCount) }
      : { pooled: matrix(pooled, sampleCount) };
    // Outputs made here are plain ArrayBuffers, which a worker can transfer; those that the
    // runtime makes belong to it.
    const probability = new Float32Array(sampleCount);
    if (!this.hasLogit) {
      await this.#runInto(feeds, { probability: matrix(probability, sampleCount) });
      return { probability };
    }
    const logit = new Float32Array(sampleCount);
    await this.#runInto(feeds, {
      probability: matrix(probability, sampleCount),
      logit: matrix(logit, sampleCount),
    });
    return { logit, probability };
  }

  async close(): Promise<void> {
    await this.#session.release();
  }

  async #runInto(feeds: Feeds, fetches: Feeds): Promise<void> {
    try {
      await this.#session.run(feeds, fetches);
    } catch (error) {
      const shapes = Object.entries(feeds).map(
        ([name, { dims }]) => `${name} [${dims.join(", ")}]`,
      );
      throw new ShardpoolError(
        "MODEL_INVALID",
        `${this.#onnxPath} does not take ${shapes.join(", ")}`,
        { cause: error },
      );
    }
  }
}

function matrix(values: Float32Array, sampleCount: number): Tensor {
  if (sampleCount < 1 || values.length % sampleCount !== 0) {
    throw new RangeError(`${values.length} values do not make ${sampleCount} rows`);
  }
  return new Tensor("float32", values, [sampleCount, values.length / sampleCount]);
}
