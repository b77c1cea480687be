import type { Random } from "../../lib/random.js";

/** How a table's reads lie in time. */
export interface TimeOrder {
  /**
   * With this probability a row's next read follows its previous one within the window, at any
   * distance alike; otherwise it falls anywhere in the log.
   */
  readonly locality: number;
  /** Length of the window as a share of the log. */
  readonly windowShare: number;
}

/**
 * Puts a table's reads in order of time: row `rowIds[i]` appears `counts[i]` times.
 *
 * Each read gets a moment; the log's k-th place of this table goes to the k-th moment. Moments are
 * uniform over the log, so a locality of 0 gives a random order. The log is a circle: a window that
 * passes its end goes on at its start, as does a load that sends the log again. Rows keep their
 * counts whatever the locality.
 *
 * @returns `[sum of counts]` row ids.
 */
export function orderReads(
  rowIds: Int32Array,
  counts: Uint32Array,
  { locality, windowShare }: TimeOrder,
  random: Random,
): Int32Array {
  let readCount = 0;
  for (let i = 0; i < counts.length; i++) readCount += counts[i]!;
  const moments = new Int32Array(readCount);
  const windowPlaces = windowShare * readCount;
  let read = 0;
  for (let i = 0; i < counts.length; i++) {
    let moment = random.nextFloat() * readCount;
    moments[read++] = moment;
    for (let n = counts[i]! - 1; n > 0; n--) {
      if (locality > 0 && random.nextFloat() < locality) {
        moment = (moment + random.nextFloat() * windowPlaces) % readCount;
      } else {
        moment = random.nextFloat() * readCount;
      }
      moments[read++] = moment;
    }
  }
  return sortByMoment(rowIds, counts, moments);
}

/** Counting sort: moments are whole places below their number. */
function sortByMoment(rowIds: Int32Array, counts: Uint32Array, moments: Int32Array): Int32Array {
  const places = new Int32Array(moments.length + 1);
  for (let r = 0; r < moments.length; r++) places[moments[r]! + 1]! += 1;
  for (let m = 1; m < places.length; m++) places[m]! += places[m - 1]!;
  const ordered = new Int32Array(moments.length);
  let read = 0;
  for (let i = 0; i < counts.length; i++) {
    for (let n = counts[i]!; n > 0; n--) {
      const moment = moments[read++]!;
      ordered[places[moment]!] = rowIds[i]!;
      places[moment]! += 1;
    }
  }
  return ordered;
}
