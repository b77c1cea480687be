import type { ErrorCode } from "../../lib/errors.js";

// What crosses between the main thread and a dense worker. Replies come in the order of requests.

export interface DenseWorkerData {
  readonly onnxPath: string;
  readonly threadCount: number;
}

/** The buffer of `pooled` is transferred; `dense` is small and copied. */
export interface DenseRequest {
  readonly dense: Float32Array;
  readonly pooled: Float32Array;
  readonly sampleCount: number;
}

export type DenseReply =
  /** The first message: the session is there. */
  | { readonly kind: "ready"; readonly hasLogit: boolean }
  | {
      readonly kind: "done";
      readonly probability: Float32Array;
      readonly logit?: Float32Array;
      /** What was lent, back. */
      readonly pooled: Float32Array;
      /** Microseconds inside the session. */
      readonly runUs: number;
    }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly detail: string };
