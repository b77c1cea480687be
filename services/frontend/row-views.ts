/** Views of one length, side by side, over memory that is used again and again. */
export type RowViews = readonly Float32Array[];

/** Kinds of views kept for one buffer; memory that is cut in more ways than that is not worth it. */
const KINDS_MAX = 8;

const viewsByBuffer = new WeakMap<ArrayBufferLike, Map<string, Float32Array[]>>();

/**
 * The rows of a matrix as views. A view made for every row of every answer would be most of what a
 * frontend allocates; buffers go round, and their views with them.
 *
 * @param matrix `[n, columnCount]`.
 */
export function rowViewsOf(
  { buffer, byteOffset, length }: Float32Array,
  columnCount: number,
): { readonly views: RowViews; readonly first: number; readonly end: number } {
  const rowBytes = columnCount * Float32Array.BYTES_PER_ELEMENT;
  const shift = byteOffset % rowBytes;
  const first = (byteOffset - shift) / rowBytes;
  const end = first + length / columnCount;
  const views = keptViews(buffer, `${columnCount}/${shift}`);
  for (let row = views.length; row < end; row++) {
    views.push(new Float32Array(buffer, shift + row * rowBytes, columnCount));
  }
  return { views, first, end };
}

function keptViews(buffer: ArrayBufferLike, kind: string): Float32Array[] {
  let kinds = viewsByBuffer.get(buffer);
  if (kinds === undefined) {
    kinds = new Map();
    viewsByBuffer.set(buffer, kinds);
  }
  let views = kinds.get(kind);
  if (views === undefined) {
    if (kinds.size === KINDS_MAX) kinds.clear();
    views = [];
    kinds.set(kind, views);
  }
  return views;
}
