import type { AdmissionPolicy } from "./admission-policy.js";

/** Plain LRU: whatever was read comes in. */
export class AdmitAll implements AdmissionPolicy {
  recordReads(): void {}

  admits(): boolean {
    return true;
  }
}
