/**
 * Orders names as people count them, `shard-2` before `shard-10`, and the same on every machine:
 * runs of digits by their number, all else by code unit.
 */
export function compareIds(a: string, b: string): number {
  const left = a.match(PARTS) ?? [];
  const right = b.match(PARTS) ?? [];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const byPart = compareParts(left[i]!, right[i]!);
    if (byPart !== 0) return byPart;
  }
  return left.length - right.length || compareText(a, b);
}

const PARTS = /\d+|\D+/g;

function compareParts(a: string, b: string): number {
  const byNumber = Number(a) - Number(b);
  return Number.isNaN(byNumber) ? compareText(a, b) : byNumber;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
