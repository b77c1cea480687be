import { float16ToFloat32 } from "../../../lib/model/float16.js";
import type { StateDtype } from "./state-dict.js";

/**
 * Converts the bytes of trained weights to float32: exact for float16 and bfloat16, rounded to
 * nearest for float64. `raw` may start at any address.
 */
export function toFloat32(dtype: StateDtype, raw: Uint8Array, out: Float32Array): void {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  switch (dtype) {
    case "float32":
      new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(raw);
      return;
    case "float16":
      for (let i = 0; i < out.length; i++) out[i] = float16ToFloat32(view.getUint16(2 * i, true));
      return;
    case "bfloat16": {
      // A bfloat16 is the upper half of the float32 of the same value.
      const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
      for (let i = 0; i < out.length; i++) bits[i] = view.getUint16(2 * i, true) << 16;
      return;
    }
    case "float64":
      for (let i = 0; i < out.length; i++) out[i] = view.getFloat64(8 * i, true);
      return;
  }
}
