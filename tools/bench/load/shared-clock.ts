/**
 * Milliseconds on the machine's monotonic clock. Unlike `performance.now()` it has one origin for
 * all threads and processes of a machine, so that a moment may be handed from one to another.
 */
export function machineNowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
