import { EXACT_COUNT_MAX } from "./expected-reads.js";

/** Rows of one class differ by at most this factor in how often they are read. */
const CLASS_STEP = 1.15;

const LOG_STEP = Math.log(CLASS_STEP);

/**
 * The class of a row that was read `count` times: the same reads, nearly, so that rows are told apart
 * by a small number instead of by their counts. Hotter rows have higher classes. Counts below
 * `EXACT_COUNT_MAX` have a class each; from there on a class spans a constant factor.
 *
 * @param count From 1 to 2^32 - 1: classes are 1 to 155.
 */
export function heatClassOf(count: number): number {
  if (count <= EXACT_COUNT_MAX) return count;
  return EXACT_COUNT_MAX + Math.floor(Math.log(count / EXACT_COUNT_MAX) / LOG_STEP);
}

/** Counts of a class lie in `[lowestCountOf(c), highestCountOf(c)]`. */
export function lowestCountOf(heatClass: number): number {
  if (heatClass <= EXACT_COUNT_MAX) return heatClass;
  return EXACT_COUNT_MAX * CLASS_STEP ** (heatClass - EXACT_COUNT_MAX);
}

export function highestCountOf(heatClass: number): number {
  return heatClass < EXACT_COUNT_MAX ? heatClass : lowestCountOf(heatClass + 1);
}

export const HEAT_CLASS_COUNT = heatClassOf(2 ** 32 - 1) + 1;
