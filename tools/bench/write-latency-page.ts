import { writeFileWhole } from "../../lib/files.js";
import type { LatencyResult } from "./load/latency-result.js";

/** Writes a run's report as one HTML page. */
export async function writeLatencyPage(file: string, result: LatencyResult): Promise<void> {
  // The chart library takes half a second to load, which runs without a page need not wait for.
  const { renderLatencyPage } = await import("./page/latency-page.js");
  await writeFileWhole(file, renderLatencyPage(result));
}
