import { parentPort, workerData } from "node:worker_threads";
import { InferenceClient } from "../../tools/bench/load/inference-client.js";

/** What a greedy client is given. */
export interface GreedyClientWork {
  readonly address: string;
  /** An encoded `ModelInferRequest`. */
  readonly query: Uint8Array;
  readonly queryCount: number;
  /** Its one element is the `GreedyPhase` the client is in. */
  readonly phase: SharedArrayBuffer;
}

/** SENDING sends the first queries, DEAF is a thread that does nothing, SENDING_MORE sends as many again. */
export const GREEDY_PHASE = { SENDING: 0, DEAF: 1, SENDING_MORE: 2 } as const;

/** Tells of each answer `null`, or its error's text. */
function serve({ address, query, queryCount, phase }: GreedyClientWork): void {
  const state = new Int32Array(phase);
  const client = new InferenceClient(address, { channelCount: 1, timeoutMs: 8000 });
  let missingCount = 2 * queryCount;
  const send = (): void => {
    for (let i = 0; i < queryCount; i++) {
      client.infer(Buffer.from(query), (...[error]) => {
        parentPort!.postMessage(error?.message ?? null);
        if (--missingCount === 0) client.close();
      });
    }
  };
  const goDeaf = (): void => {
    if (Atomics.load(state, 0) === GREEDY_PHASE.SENDING) {
      setImmediate(goDeaf);
      return;
    }
    Atomics.wait(state, 0, GREEDY_PHASE.DEAF);
    send();
  };
  send();
  goDeaf();
}

// The module is imported for its types too.
if (parentPort && isWork(workerData)) serve(workerData);

function isWork(data: unknown): data is GreedyClientWork {
  return typeof data === "object" && data !== null && "queryCount" in data;
}
