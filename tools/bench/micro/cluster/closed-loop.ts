import type { ServedSystem } from "./served-system.js";

/** What a stretch of closed-loop load came to. */
export interface LoopResult {
  readonly queriesPerSecond: number;
  /** Processor seconds a query of the system's processes, and of this one, the client's. */
  readonly cpuSecondsPerQuery: number;
  readonly clientCpuSecondsPerQuery: number;
}

/** Keeps `inFlight` queries in flight for a while, each sent when one is answered. */
export async function runClosedLoad(
  system: ServedSystem,
  queries: readonly Buffer[],
  inFlight: number,
  seconds: number,
): Promise<LoopResult> {
  const cpuBefore = system.cpuSeconds();
  const clientBefore = process.cpuUsage();
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let sentCount = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < endMs) await system.ask(queries[sentCount++ % queries.length]!);
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const elapsedSeconds = (performance.now() - startMs) / 1000;
  const { user, system: kernel } = process.cpuUsage(clientBefore);
  return {
    queriesPerSecond: sentCount / elapsedSeconds,
    cpuSecondsPerQuery: (system.cpuSeconds() - cpuBefore) / sentCount,
    clientCpuSecondsPerQuery: (user + kernel) / 1e6 / sentCount,
  };
}
