import type { Contender } from "../micro-bench.js";
import type { RpcCase } from "./rpc-cases.js";

/** Asks once; resolves with the bytes of sums answered. */
export type Exchange = () => Promise<number>;

/** Keeps a case's number of exchanges in flight for a turn, each begun when one ends. */
export function exchangeContender(
  name: string,
  { inFlight, measures, replyBytes }: RpcCase,
  exchange: Exchange,
): Contender {
  return {
    name,
    turn: async (seconds) => {
      const microseconds: number[] = [];
      const startMs = performance.now();
      const endMs = startMs + seconds * 1000;
      const lane = async (): Promise<void> => {
        for (let nowMs = performance.now(); nowMs < endMs; ) {
          const bytes = await exchange();
          if (bytes !== replyBytes) throw new RangeError(`${bytes} bytes for ${replyBytes}`);
          const doneMs = performance.now();
          microseconds.push((doneMs - nowMs) * 1000);
          nowMs = doneMs;
        }
      };
      await Promise.all(Array.from({ length: inFlight }, lane));
      const elapsedMs = performance.now() - startMs;
      if (measures === "rate") return { value: (microseconds.length * 1000) / elapsedMs };
      microseconds.sort((a, b) => a - b);
      return { value: microseconds[microseconds.length >> 1]! };
    },
  };
}
