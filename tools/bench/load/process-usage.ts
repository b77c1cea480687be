import { readFileSync } from "node:fs";

export interface ProcessUsage {
  /** User and system time of all its threads since it started. */
  readonly cpuSeconds: number;
  /** The most memory it has held resident. */
  readonly memoryPeakBytes: number;
}

/** The kernel counts CPU time in hundredths of a second on every Linux we run on (USER_HZ). */
const TICKS_PER_SECOND = 100;

/**
 * CPU time and peak memory of a process of this machine, from `/proc`; `undefined` when there is no
 * such process, or no `/proc`.
 */
export function readProcessUsage(pid: number): ProcessUsage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    // The second field is the command in brackets and may hold spaces and brackets itself.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    const peakKib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    // A zombie still has times but no memory.
    if (peakKib === undefined) return undefined;
    return { cpuSeconds: ticks / TICKS_PER_SECOND, memoryPeakBytes: Number(peakKib) * 1024 };
  } catch {
    return undefined;
  }
}

/** CPU time that named processes spend while something is measured. */
export class UsageMeter {
  readonly #pidByName: Readonly<Record<string, number>>;
  #startByName = new Map<string, ProcessUsage>();
  #lastByName = new Map<string, ProcessUsage>();

  constructor(pidByName: Readonly<Record<string, number>>) {
    this.#pidByName = pidByName;
  }

  /** Begins the measured time, again if it had begun. */
  start(): void {
    this.#startByName = new Map(this.#read());
    this.#lastByName = new Map(this.#startByName);
  }

  /** Notes where the processes are; one that ends later keeps what was last noted. */
  sample(): void {
    for (const [name, usage] of this.#read()) this.#lastByName.set(name, usage);
  }

  /** From `start` to the last `sample`; processes never seen are left out. */
  result(): {
    readonly cpuSecondsByProcess: Readonly<Record<string, number>>;
    readonly memoryPeakBytesByProcess: Readonly<Record<string, number>>;
  } {
    const cpuSecondsByProcess: Record<string, number> = {};
    const memoryPeakBytesByProcess: Record<string, number> = {};
    for (const [name, usage] of this.#lastByName) {
      const before = this.#startByName.get(name)?.cpuSeconds ?? usage.cpuSeconds;
      cpuSecondsByProcess[name] = Math.round((usage.cpuSeconds - before) * 100) / 100;
      memoryPeakBytesByProcess[name] = usage.memoryPeakBytes;
    }
    return { cpuSecondsByProcess, memoryPeakBytesByProcess };
  }

  *#read(): Generator<[string, ProcessUsage]> {
    for (const [name, pid] of Object.entries(this.#pidByName)) {
      const usage = readProcessUsage(pid);
      if (usage !== undefined) yield [name, usage];
    }
  }
}
