import type { AdmissionPolicy } from "./admission-policy.js";

/** Plain LRU: whatever was read comes in. */
export class AdmitAll implements AdmissionPolicy {
  recordMiss(): void {}

  recordHits(): void {}

  admits(): boolean {
    return true;
  }
}
