export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Placed<T> extends Rectangle {
  readonly item: T;
}

/**
 * Fills an area with one rectangle an item, as large as its value asks for and as near to a square as
 * comes (Bruls, Huizing and van Wijk, "Squarified treemaps", 2000). Items without a value are left out.
 */
export function layTreemap<T>(
  items: readonly T[],
  sizeOf: (item: T) => number,
  area: Rectangle,
): Placed<T>[] {
  const sorted = items.filter((item) => sizeOf(item) > 0);
  sorted.sort((a, b) => sizeOf(b) - sizeOf(a));
  const total = sorted.reduce((sum, item) => sum + sizeOf(item), 0);
  const scale = (area.width * area.height) / total;
  const placed: Placed<T>[] = [];
  let rest = area;
  for (let start = 0; start < sorted.length; ) {
    const side = Math.min(rest.width, rest.height);
    let end = start + 1;
    let sum = sizeOf(sorted[start]!) * scale;
    let worst = worstRatio(sum, sum, sum, side);
    while (end < sorted.length) {
      const value = sizeOf(sorted[end]!) * scale;
      const next = worstRatio(sizeOf(sorted[start]!) * scale, value, sum + value, side);
      if (next > worst) break;
      worst = next;
      sum += value;
      end++;
    }
    rest = layRow(sorted.slice(start, end), (item) => sizeOf(item) * scale, sum, rest, placed);
    start = end;
  }
  return placed;
}

/** The longest side over the shortest in a row of rectangles between these two areas. */
function worstRatio(largest: number, smallest: number, sum: number, side: number): number {
  const depth = sum / side;
  const longest = largest / depth;
  const shortest = smallest / depth;
  return Math.max(longest / depth, depth / longest, shortest / depth, depth / shortest);
}

/** Lays one row along the shorter side, and gives back what is left of the area. */
function layRow<T>(
  row: readonly T[],
  areaOf: (item: T) => number,
  sum: number,
  rest: Rectangle,
  placed: Placed<T>[],
): Rectangle {
  const isUpright = rest.width >= rest.height;
  const depth = sum / (isUpright ? rest.height : rest.width);
  let along = isUpright ? rest.y : rest.x;
  for (const item of row) {
    const length = areaOf(item) / depth;
    placed.push(
      isUpright
        ? { item, x: rest.x, y: along, width: depth, height: length }
        : { item, x: along, y: rest.y, width: length, height: depth },
    );
    along += length;
  }
  return isUpright
    ? { ...rest, x: rest.x + depth, width: Math.max(0, rest.width - depth) }
    : { ...rest, y: rest.y + depth, height: Math.max(0, rest.height - depth) };
}
