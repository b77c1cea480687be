import { ShardpoolError } from "../../../lib/errors.js";
import type { RateSegment } from "./arrivals.js";

/** A day curve is drawn with this many straight pieces: half an hour each of a real day. */
const DAY_PIECES = 48;

const STEP = /^([\d.]+)x([\d.]+)s$/;
const RAMP = /^([\d.]+)-([\d.]+)x([\d.]+)s$/;

/**
 * Reads how the offered rate goes over the measured time:
 *
 * - `step:10x5s,40x5s`: 10 queries a second for 5 s, then 40 for 5 s;
 * - `ramp:10-200x60s,200-10x30s`: a straight line up, then one down;
 * - `day:20-100x60s`: one day's curve in 60 s, from the night's 20 to noon's 100 and back (a cosine).
 *
 * @throws ShardpoolError CONFIG_INVALID, naming the part and what one looks like.
 */
export function parseSchedule(text: string): readonly RateSegment[] {
  const [kind = "", list = ""] = splitOnce(text.trim(), ":");
  const parts = list.split(",").map((part) => part.trim());
  const segments = parts.flatMap((part) => parsePart(kind, part, text));
  const queries = segments.reduce((sum, s) => sum + (s.seconds * (s.qpsStart + s.qpsEnd)) / 2, 0);
  if (queries < 1) throw refuse(text, "it offers less than one query");
  return segments;
}

export function scheduleSeconds(segments: readonly RateSegment[]): number {
  return segments.reduce((sum, { seconds }) => sum + seconds, 0);
}

/** Queries a second at a moment of the schedule. */
export function rateAt(segments: readonly RateSegment[], atSeconds: number): number {
  let start = 0;
  for (const { seconds, qpsStart, qpsEnd } of segments) {
    if (atSeconds < start + seconds) {
      return qpsStart + ((qpsEnd - qpsStart) * (atSeconds - start)) / seconds;
    }
    start += seconds;
  }
  return segments.at(-1)?.qpsEnd ?? 0;
}

function parsePart(kind: string, part: string, text: string): readonly RateSegment[] {
  if (kind === "step") {
    const [qps, seconds] = numbersOf(STEP, part, text);
    return [{ seconds: seconds!, qpsStart: qps!, qpsEnd: qps! }];
  }
  if (kind === "ramp" || kind === "day") {
    const [qpsStart, qpsEnd, seconds] = numbersOf(RAMP, part, text);
    return kind === "ramp"
      ? [{ seconds: seconds!, qpsStart: qpsStart!, qpsEnd: qpsEnd! }]
      : dayCurve(qpsStart!, qpsEnd!, seconds!);
  }
  throw refuse(text, `"${kind}" is no kind of schedule`);
}

function dayCurve(night: number, noon: number, seconds: number): RateSegment[] {
  const rate = (piece: number): number =>
    night + ((noon - night) * (1 - Math.cos((2 * Math.PI * piece) / DAY_PIECES))) / 2;
  return Array.from({ length: DAY_PIECES }, (_, piece) => ({
    seconds: seconds / DAY_PIECES,
    qpsStart: rate(piece),
    qpsEnd: rate(piece + 1),
  }));
}

function numbersOf(pattern: RegExp, part: string, text: string): number[] {
  const numbers = pattern.exec(part)?.slice(1).map(Number);
  if (numbers === undefined || numbers.some(Number.isNaN)) {
    throw refuse(text, `"${part}" cannot be read`);
  }
  if (!(numbers.at(-1)! > 0)) throw refuse(text, `"${part}" lasts no time`);
  return numbers;
}

function refuse(text: string, reason: string): ShardpoolError {
  return new ShardpoolError(
    "CONFIG_INVALID",
    `schedule "${text}": ${reason}; it is step:QPSxSECONDSs,… or ramp:QPS-QPSxSECONDSs,… or ` +
      "day:QPS-QPSxSECONDSs, for instance step:10x5s,40x5s",
  );
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
