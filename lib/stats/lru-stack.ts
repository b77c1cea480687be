import { mix32 } from "../random.js";

/** No row id: those that are none are negative, but not this. */
const FREE = -0x80000000;
const POSITIONS_MIN = 1024;
/** Positions for each row that is in the stack: one in so many reads renumbers them. */
const POSITIONS_A_ROW = 4;
/** Slots filled at most, of all; renumbering leaves half of them free. */
const LOAD_MAX = 0.75;

/**
 * LRU stack distances: how many other rows were read since a row was last read. A cache of more rows
 * than that still has it (Mattson et al., 1970). Each row stands at the position of its last read;
 * a bit a position says whether it is a row's last, and a Fenwick tree counts the bits word by
 * word (Olken, 1981), so that a read costs O(log(rows / 8)). When positions run out, rows are numbered anew in
 * their order.
 */
export class LruStack {
  #rowAt = new Int32Array(POSITIONS_MIN);
  #isLast = new Uint32Array(POSITIONS_MIN / 32);
  /** Fenwick tree over words of `#isLast`, 1-based. */
  #tree = new Int32Array(POSITIONS_MIN / 32 + 1);
  #next = 0;
  #size = 0;
  /** Open addressing: position of each row. */
  #rowIds = new Int32Array(POSITIONS_MIN / 2).fill(FREE);
  #positions = new Int32Array(POSITIONS_MIN / 2);

  /** Rows in the stack. */
  get size(): number {
    return this.#size;
  }

  /** Reads a row: its stack distance, or -1 when it was not in the stack. */
  read(rowId: number): number {
    const isCrowded = this.#size > this.#rowIds.length * LOAD_MAX;
    if (isCrowded || this.#next === this.#rowAt.length) this.#renumber();
    const slot = this.#slotOf(rowId);
    let distance = -1;
    if (this.#rowIds[slot] === rowId) {
      const position = this.#positions[slot]!;
      distance = this.#size - this.#countThrough(position);
      this.#clear(position);
    } else {
      this.#rowIds[slot] = rowId;
      this.#size++;
    }
    const position = this.#next++;
    this.#positions[slot] = position;
    this.#rowAt[position] = rowId;
    this.#isLast[position >>> 5]! |= 1 << (position & 31);
    this.#addToTree(position >>> 5, 1);
    return distance;
  }

  /** Removes all rows that `keep` does not want; the others stay in their order. */
  retain(keep: (rowId: number) => boolean): void {
    this.#renumber(keep);
  }

  /** Rows whose last read stands at or before a position. */
  #countThrough(position: number): number {
    const word = position >>> 5;
    const upTo = this.#isLast[word]! & (0xffffffff >>> (31 - (position & 31)));
    let count = popCount(upTo);
    for (let node = word; node > 0; node &= node - 1) count += this.#tree[node]!;
    return count;
  }

  #clear(position: number): void {
    this.#isLast[position >>> 5]! &= ~(1 << (position & 31));
    this.#addToTree(position >>> 5, -1);
  }

  #addToTree(word: number, change: number): void {
    const tree = this.#tree;
    for (let node = word + 1; node < tree.length; node += node & -node) tree[node]! += change;
  }

  #slotOf(rowId: number): number {
    const mask = this.#rowIds.length - 1;
    let slot = mix32(rowId) & mask;
    while (this.#rowIds[slot] !== rowId && this.#rowIds[slot] !== FREE) slot = (slot + 1) & mask;
    return slot;
  }

  /** Closes the gaps between positions, with room for as many reads as there are rows thrice. */
  #renumber(keep?: (rowId: number) => boolean): void {
    const kept = this.#rowsInOrder(keep);
    let positionCount = POSITIONS_MIN;
    while (positionCount < kept.length * POSITIONS_A_ROW) positionCount *= 2;
    if (positionCount > this.#rowAt.length) {
      this.#rowAt = new Int32Array(positionCount);
      this.#isLast = new Uint32Array(positionCount / 32);
      this.#tree = new Int32Array(positionCount / 32 + 1);
      this.#rowIds = new Int32Array(positionCount / 2);
      this.#positions = new Int32Array(positionCount / 2);
    }
    this.#rowIds.fill(FREE);
    this.#isLast.fill(0);
    this.#tree.fill(0);
    kept.forEach((rowId, position) => {
      const slot = this.#slotOf(rowId);
      this.#rowIds[slot] = rowId;
      this.#positions[slot] = position;
      this.#rowAt[position] = rowId;
      this.#isLast[position >>> 5]! |= 1 << (position & 31);
      this.#tree[(position >>> 5) + 1]! += 1;
    });
    for (let node = 1; node < this.#tree.length; node++) {
      const parent = node + (node & -node);
      if (parent < this.#tree.length) this.#tree[parent]! += this.#tree[node]!;
    }
    this.#next = kept.length;
    this.#size = kept.length;
  }

  #rowsInOrder(keep?: (rowId: number) => boolean): Int32Array {
    const kept = new Int32Array(this.#size);
    let count = 0;
    for (let position = 0; position < this.#next; position++) {
      if (((this.#isLast[position >>> 5]! >>> (position & 31)) & 1) === 0) continue;
      const rowId = this.#rowAt[position]!;
      if (keep === undefined || keep(rowId)) kept[count++] = rowId;
    }
    return kept.subarray(0, count);
  }
}

function popCount(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
