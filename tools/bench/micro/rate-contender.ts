import type { Contender } from "./micro-bench.js";

/**
 * A contender whose value is a rate: `run` does a piece of work, a few milliseconds of it, and says
 * how many units (rows, blocks, lookups) it was; pieces are run until the turn is over.
 */
export function rateContender(name: string, run: () => number | Promise<number>): Contender {
  return {
    name,
    turn: async (seconds) => {
      const cpuBefore = process.cpuUsage();
      const startMs = performance.now();
      const endMs = startMs + seconds * 1000;
      let work = 0;
      let nowMs = startMs;
      while (nowMs < endMs) {
        const done = run();
        // A run that is not a promise is not awaited: its turn would pay for the event loop's.
        work += typeof done === "number" ? done : await done;
        nowMs = performance.now();
      }
      const { user, system } = process.cpuUsage(cpuBefore);
      return { value: (work * 1000) / (nowMs - startMs), cpuValue: (work * 1e6) / (user + system) };
    },
  };
}
