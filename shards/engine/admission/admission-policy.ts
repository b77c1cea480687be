import { AdmitAll } from "./admit-all.js";
import { SecondTouch } from "./second-touch.js";
import { TinyLfu } from "./tiny-lfu.js";

export const ADMISSIONS = ["tiny-lfu", "second-touch", "all"] as const;
export type Admission = (typeof ADMISSIONS)[number];

/** The best over all sizes, orders and localities measured; see docs/BENCHMARKS.md. */
export const DEFAULT_ADMISSION: Admission = "tiny-lfu";

/** Decides, for a full cache, whether a block that was read is worth the one that would leave. */
export interface AdmissionPolicy {
  /** Tells of the rows that one lookup, or lookups that wait together, read of a block that was missed. */
  recordMiss(block: number, rowReads: number): void;
  /** Tells of all row reads of a block in memory since it was last told of, when its turn to leave comes. */
  recordHits(block: number, rowReads: number): void;
  /** @param victim The block that would leave: the least recently used. */
  admits(candidate: number, victim: number): boolean;
}

export function createAdmission(
  admission: Admission,
  blockCount: number,
  slotCount: number,
): AdmissionPolicy {
  switch (admission) {
    case "all":
      return new AdmitAll();
    case "second-touch":
      return new SecondTouch(blockCount, slotCount);
    case "tiny-lfu":
      return new TinyLfu(blockCount);
  }
}

const BYTES_PER_BLOCK: Readonly<Record<Admission, number>> = {
  all: 0,
  "second-touch": 4,
  "tiny-lfu": 2,
};

/** Bytes of memory that a policy for so many blocks takes. */
export function admissionBytesOf(admission: Admission, blockCount: number): number {
  return BYTES_PER_BLOCK[admission] * blockCount;
}
