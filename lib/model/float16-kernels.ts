import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Bytes at the start of the memory that belong to the module's own constants. */
const RESERVED_BYTES = 64 * 1024;
/** Values converted at a time: both forms of them stay in the processor's nearest cache. */
const CHUNK_VALUES = 4096;

/** What lib/model/assembly/float16.ts exports; `count` is a multiple of `LANES`. */
interface Float16Kernels {
  readonly roundToFloat16: (valuesPtr: number, count: number, outPtr: number) => void;
  readonly widenFloat16: (halvesPtr: number, count: number, outPtr: number) => void;
}

const LANES = 8;
const VALUES_PTR = RESERVED_BYTES;
const HALVES_PTR = VALUES_PTR + CHUNK_VALUES * 4;

const memory = new WebAssembly.Memory({ initial: 2, maximum: 2 });
const valuesArea = new Float32Array(memory.buffer, VALUES_PTR, CHUNK_VALUES);
const halvesArea = new Uint16Array(memory.buffer, HALVES_PTR, CHUNK_VALUES);
const kernels = new WebAssembly.Instance(
  new WebAssembly.Module(readFileSync(fileURLToPath(new URL("./float16.wasm", import.meta.url)))),
  { env: { memory } },
).exports as unknown as Float16Kernels;

/** Rounds many float32 to float16, as `float32ToFloat16` does one. `out` has room for all. */
export function float32sToFloat16s(values: Float32Array, out: Uint16Array): void {
  for (let start = 0; start < values.length; start += CHUNK_VALUES) {
    const count = Math.min(CHUNK_VALUES, values.length - start);
    valuesArea.set(values.subarray(start, start + count));
    kernels.roundToFloat16(VALUES_PTR, wholeLanes(count), HALVES_PTR);
    out.set(count === CHUNK_VALUES ? halvesArea : halvesArea.subarray(0, count), start);
  }
}

/** The values of many float16 given as their bits. `out` has room for all. */
export function float16sToFloat32s(bits: Uint16Array, out: Float32Array): void {
  for (let start = 0; start < bits.length; start += CHUNK_VALUES) {
    const count = Math.min(CHUNK_VALUES, bits.length - start);
    halvesArea.set(bits.subarray(start, start + count));
    kernels.widenFloat16(HALVES_PTR, wholeLanes(count), VALUES_PTR);
    out.set(count === CHUNK_VALUES ? valuesArea : valuesArea.subarray(0, count), start);
  }
}

function wholeLanes(count: number): number {
  return Math.ceil(count / LANES) * LANES;
}
