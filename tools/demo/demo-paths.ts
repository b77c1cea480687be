import { join, resolve } from "node:path";

/** Everything the demo makes, inside one folder. */
export interface DemoPaths {
  readonly dir: string;
  readonly model: string;
  readonly clicks: string;
  readonly stats: string;
  readonly plan: string;
  readonly stores: string;
  readonly logs: string;
  /** The latency report as a page, and as JSON. */
  readonly report: string;
  readonly result: string;
  /** As it was given. */
  readonly folder: string;
  /** Which command made which of the above. */
  readonly record: string;
}

/** @param dir As given on the command line; relative paths keep the printed commands short. */
export function demoPaths(dir: string): DemoPaths {
  return {
    dir: resolve(dir),
    model: join(dir, "model"),
    clicks: join(dir, "clicks.arrow"),
    stats: join(dir, "stats.json"),
    plan: join(dir, "plan.json"),
    stores: resolve(dir, "stores"),
    logs: resolve(dir, "logs"),
    report: join(dir, "report.html"),
    result: join(dir, "result.json"),
    folder: dir,
    record: resolve(dir, "demo.json"),
  };
}
