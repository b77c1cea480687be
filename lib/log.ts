import { type Logger, pino, stdTimeFunctions } from "pino";

export type { Logger } from "pino";

export const LOG_LEVELS = ["silent", "error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * A process's log: JSON lines on standard error, one object a line, so that standard output stays
 * free for what the command answers.
 *
 * @param processName Stands in every line as `process`, for instance `shard-0`.
 */
export function createLog(processName: string, level: LogLevel = "info"): Logger {
  return pino(
    {
      level,
      base: { process: processName, pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
