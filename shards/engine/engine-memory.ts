/** Bytes of memory an engine can come to, by what they are for. */
export interface MemoryParts {
  /** Slots for blocks of rows. */
  readonly rows: number;
  /** Which block is in which slot, the LRU and the admission policy. */
  readonly index: number;
  /** What turns row ids into positions. */
  readonly placement: number;
  /** Areas in which a lookup is worked on. */
  readonly scratch: number;
  /** Missed rows that waiting lookups hold, and buffers kept for the next. */
  readonly missedRows: number;
  /** Counters of row reads, those that are being sent included. */
  readonly accessCounts: number;
  /** Reader threads and the memory they share. */
  readonly readers: number;
  /** V8's heap, and answers and copies that the garbage collector has not come to. */
  readonly heap: number;
}

/** What the heap grows by under load; measured (benchmark lookup-memory), not a bound that V8 is held to. */
export const HEAP_BYTES = 64 * 1024 * 1024;

export function totalBytesOf(parts: Partial<MemoryParts>): number {
  return Object.values(parts).reduce((sum, bytes) => sum + bytes, 0);
}
