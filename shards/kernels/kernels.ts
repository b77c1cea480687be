import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Bytes at the start of a memory that belong to the kernels' own constants. */
export const KERNEL_RESERVED_BYTES = 64 * 1024;

/**
 * Sums rows into bags: `lengths[b]` addresses for each of `bagCount` bags, laid end to end, each the
 * start of a row; adds onto what `out` (`[bagCount][columnCount]` float32) holds, in bag order.
 * `weightsPtr` has one float32 an address; unweighted kernels ignore it.
 */
export type PoolKernel = (
  addressesPtr: number,
  lengthsPtr: number,
  bagCount: number,
  outPtr: number,
  columnCount: number,
  weightsPtr: number,
) => void;

/** What `shards/kernels/assembly` exports; the contract of each stands there. */
export interface Kernels {
  readonly maxUint32: (valuesPtr: number, count: number) => number;
  readonly placeRows: (idsPtr: number, count: number, linesPtr: number, basesPtr: number) => void;
  readonly rankRows: (
    linesPtr: number,
    lineCount: number,
    basesPtr: number,
    nextPtr: number,
  ) => void;
  readonly resolveRows: (
    positionsPtr: number,
    count: number,
    addressesPtr: number,
    missesPtr: number,
    rowsShift: number,
    rowBytes: number,
    slotByBlockPtr: number,
    slotCount: number,
    slotsPtr: number,
    stampBySlotPtr: number,
    stamp: number,
  ) => number;
  readonly sumFloat32: PoolKernel;
  readonly weightedSumFloat32: PoolKernel;
}

let compiled: WebAssembly.Module | undefined;

/**
 * The pooling and index kernels over one memory. They trust their arguments: offsets past the memory
 * trap, offsets inside it are not checked.
 */
export function createKernels(memory: WebAssembly.Memory): Kernels {
  compiled ??= new WebAssembly.Module(
    readFileSync(fileURLToPath(new URL("./kernels.wasm", import.meta.url))),
  );
  const instance = new WebAssembly.Instance(compiled, { env: { memory } });
  return instance.exports as unknown as Kernels;
}
