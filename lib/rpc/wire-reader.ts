/** Numbers of the protobuf wire format that a field's tag ends with. */
export const WIRE_VARINT = 0;
export const WIRE_BYTES = 2;

/**
 * Walks over the fields of a protobuf message, as protobuf.dev/programming-guides/encoding has them.
 * Every read stays inside the message; what does not is a `RangeError`.
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  #position: number;
  #end: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#position = 0;
    this.#end = bytes.length;
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#end;
  }

  /** A varint's low 32 bits, unsigned: tags, lengths and uint32 fields. */
  uint32(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#position >= this.#end) throw truncated();
      const byte = this.#bytes[this.#position++]!;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new RangeError("a varint is longer than 10 bytes");
  }

  /** A length-delimited field's contents, where they lie. */
  bytes(): Uint8Array {
    const length = this.uint32();
    const start = this.#position;
    if (length > this.#end - start) throw truncated();
    this.#position = start + length;
    return this.#bytes.subarray(start, this.#position);
  }

  /** A string field; text is rare on the hot path. */
  string(): string {
    const { buffer, byteOffset, byteLength } = this.bytes();
    return Buffer.from(buffer, byteOffset, byteLength).toString("utf8");
  }

  /** Goes into the nested message that comes next: `isAtEnd` is its end until `leave`, which takes what this returns. */
  enter(): number {
    const length = this.uint32();
    const outerEnd = this.#end;
    if (length > outerEnd - this.#position) throw truncated();
    this.#end = this.#position + length;
    return outerEnd;
  }

  leave(outerEnd: number): void {
    this.#end = outerEnd;
  }

  /** Passes over a field nobody here knows. */
  skip(tag: number): void {
    switch (tag & 7) {
      case WIRE_VARINT:
        this.uint32();
        return;
      case 1:
        this.#advance(8);
        return;
      case WIRE_BYTES:
        this.#advance(this.uint32());
        return;
      case 5:
        this.#advance(4);
        return;
      default:
        throw new RangeError(`wire type ${tag & 7} of field ${tag >>> 3} is not known`);
    }
  }

  #advance(count: number): void {
    if (count > this.#end - this.#position) throw truncated();
    this.#position += count;
  }
}

function truncated(): RangeError {
  return new RangeError("the message ends inside a field");
}
