/** The middle value, or the mean of the two in the middle; NaN of nothing. */
export function medianOf(values: readonly number[]): number {
  const rising = values.toSorted((a, b) => a - b);
  const middle = (rising.length - 1) / 2;
  return (rising[Math.floor(middle)]! + rising[Math.ceil(middle)]!) / 2;
}

/** The value that a quarter of the others lie below; NaN of nothing. */
export function lowerQuartileOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 4)] ?? Number.NaN;
}
