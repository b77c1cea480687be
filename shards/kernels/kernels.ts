import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Dtype } from "../../lib/model/dtype.js";

/** Bytes at the start of a memory that belong to the kernels' own constants. */
export const KERNEL_RESERVED_BYTES = 64 * 1024;

/**
 * Sums rows into bags: `lengths[b]` addresses for each of `bagCount` bags, laid end to end, each the
 * start of a row; adds onto what `out` (`[bagCount][columnCount]` float32) holds, in bag order.
 * `weightsPtr` has one float32 an address; unweighted kernels ignore it. A row has `columnCount` values
 * in the layout of `encodeRows`, at any alignment; an int8 or int4 row ends in its scale and bias.
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
  readonly placeRows: (idsPtr: number, count: number, linesPtr: number, basesPtr: number) => void;
  readonly rankRows: (
    linesPtr: number,
    lineCount: number,
    basesPtr: number,
    nextPtr: number,
  ) => void;
  readonly addressRows: (
    idsPtr: number,
    count: number,
    addressesPtr: number,
    rowsPtr: number,
    rowBytes: number,
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
    usesBySlotPtr: number,
  ) => number;
  /** Copies the rows of `rowCount` addresses to `out`, end to end. */
  readonly copyRows: (
    addressesPtr: number,
    rowCount: number,
    outPtr: number,
    rowBytes: number,
  ) => void;
  /** As an i32: `>>> 0` makes it what it is. */
  readonly largestOf: (valuesPtr: number, count: number) => number;
  readonly hasNaN: (valuesPtr: number, count: number) => number;
  readonly sumFloat32: PoolKernel;
  readonly weightedSumFloat32: PoolKernel;
  readonly sumFloat16: PoolKernel;
  readonly weightedSumFloat16: PoolKernel;
  readonly sumInt8: PoolKernel;
  readonly weightedSumInt8: PoolKernel;
  readonly sumInt4: PoolKernel;
  readonly weightedSumInt4: PoolKernel;
}

/** The kernels that sum a partition's rows. */
export interface PoolKernels {
  readonly sum: PoolKernel;
  readonly weightedSum: PoolKernel;
}

/** The kernels for rows stored as a dtype. */
export function poolKernelsFor(kernels: Kernels, dtype: Dtype): PoolKernels {
  switch (dtype) {
    case "float32":
      return { sum: kernels.sumFloat32, weightedSum: kernels.weightedSumFloat32 };
    case "float16":
      return { sum: kernels.sumFloat16, weightedSum: kernels.weightedSumFloat16 };
    case "int8":
      return { sum: kernels.sumInt8, weightedSum: kernels.weightedSumInt8 };
    case "int4":
      return { sum: kernels.sumInt4, weightedSum: kernels.weightedSumInt4 };
  }
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
