import type { LatencyOptionsInput } from "./latency-options.js";
import type { LoadSnapshot } from "./load-snapshot.js";
import type { LoadShare, MeasuredLoad } from "./measure-load.js";

/** What the process that merges tells a client process. */
export type ToClient =
  | {
      readonly kind: "prepare";
      readonly input: LatencyOptionsInput;
      readonly share: Omit<LoadShare, "startAtMs">;
    }
  | { readonly kind: "start"; readonly startAtMs: number }
  | { readonly kind: "stop" };

/** What a client process answers. */
export type FromClient =
  | { readonly kind: "ready" }
  | {
      readonly kind: "done";
      readonly snapshot: LoadSnapshot;
      readonly load: Omit<MeasuredLoad, "recorder">;
    }
  | { readonly kind: "failed"; readonly code: string; readonly detail: string };
