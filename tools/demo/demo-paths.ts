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
    record: resolve(dir, "demo.json"),
  };
}
