/** The bytes of a typed array, without a copy; the machine is little-endian, as the wire is. */
export function bytesOf(values: Int32Array | Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/**
 * Received bytes as float32: a view where they happen to be aligned, else one copy.
 *
 * @param bytes A whole number of values, little-endian.
 */
export function floatsOf(bytes: Uint8Array): Float32Array {
  const aligned = alignedFor(bytes, Float32Array.BYTES_PER_ELEMENT);
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

/** Received bytes as int32; see `floatsOf`. */
export function intsOf(bytes: Uint8Array): Int32Array {
  const aligned = alignedFor(bytes, Int32Array.BYTES_PER_ELEMENT);
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

/** Received bytes as the bits of float16; see `floatsOf`. */
export function halvesOf(bytes: Uint8Array): Uint16Array {
  const aligned = alignedFor(bytes, Uint16Array.BYTES_PER_ELEMENT);
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
}

/** Received bytes as float32, copied. */
export function copyFloats(bytes: Uint8Array): Float32Array {
  return new Float32Array(copyOf(bytes).buffer);
}

/** Received bytes as int32, copied. */
export function copyInts(bytes: Uint8Array): Int32Array {
  return new Int32Array(copyOf(bytes).buffer);
}

/** In memory of its own, at its start. */
function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength);
  copy.set(bytes);
  return copy;
}

function alignedFor(bytes: Uint8Array, elementBytes: number): Uint8Array {
  return bytes.byteOffset % elementBytes === 0 ? bytes : Uint8Array.prototype.slice.call(bytes);
}
