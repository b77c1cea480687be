import type { ReuseHistogram } from "../../lib/stats/reuse-histogram.js";

/** What is to be read of one table in a log. */
export interface TableReads {
  readonly table: string;
  readonly rowCount: number;
  readonly readCount: number;
}

/** A range of counts `[low, high]` that a row may have, with one count standing for it. */
export interface CountLevel {
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** How many of a table's reads go to rows of each level: not whole numbers yet. */
export interface ReuseFit {
  readonly levels: readonly CountLevel[];
  /** One a table, `[levels]`. */
  readonly readsByLevel: readonly Float64Array[];
}

/** Counts up to here are levels of their own; above, a level is this much wider than the last. */
const SINGLE_COUNT_MAX = 64;
const LEVEL_RATIO = 1.2;
/** Fades counts of the top bin: reads a level fall by this power of the count. */
const TOP_BIN_POWER = 0.2;
/** A table's hottest row gets about this share of its reads, unless it has too few rows. */
const HOTTEST_ROW_SHARE = 0.02;
const SWEEPS_MAX = 400;
const STALL_SWEEPS = 30;
/** Factors stay where products of them neither vanish nor overflow. */
const FACTOR_MIN = 1e-60;
const TILT_MAX = 100;
/** Stops when every share is this near. */
const SHARE_TOLERANCE = 2e-4;

/**
 * Divides each table's reads over levels of reuse, so that the tables together have the target's
 * histogram while each has its own number of reads and touches no more rows than it has.
 *
 * This is the table of least information beyond those sums (iterative proportional fitting, Deming
 * and Stephan, 1940; the bound on rows is a half-space, so its multiplier is held at or above 0). It
 * approaches the target as near as it can; the caller measures how near that is.
 */
export function fitReuse(tables: readonly TableReads[], target: ReuseHistogram): ReuseFit {
  const levels = makeLevels(Math.max(0, ...tables.map((table) => table.readCount)));
  const bins = makeBins(levels, tables, target);
  const columns = new Float64Array(levels.length).fill(1);
  const fits = tables.map((table) => new TableFit(table, levels));
  const levelSums = new Float64Array(levels.length);
  let stallError = Number.POSITIVE_INFINITY;
  for (let sweep = 0; sweep < SWEEPS_MAX; sweep++) {
    levelSums.fill(0);
    for (const fit of fits) fit.solve(columns, levelSums);
    const error = binError(bins, levels, levelSums);
    if (error < SHARE_TOLERANCE) break;
    // Sums that contradict each other are not approached any further.
    if (sweep % STALL_SWEEPS === 0) {
      if (error > 0.95 * stallError) break;
      stallError = error;
    }
    for (const bin of bins) scaleBin(bin, levels, levelSums, columns);
  }
  return { levels, readsByLevel: fits.map((fit) => fit.reads) };
}

/** The sums that the levels of one bin must have. */
interface Bin {
  readonly firstLevel: number;
  readonly levelCount: number;
  readonly reads: number;
  readonly rows: number;
  readonly totalReads: number;
  readonly totalRows: number;
}

function makeLevels(readCountMax: number): CountLevel[] {
  const levels: CountLevel[] = [];
  for (let count = 1; count <= SINGLE_COUNT_MAX; count++) {
    levels.push({ low: count, high: count, count });
  }
  for (let low = SINGLE_COUNT_MAX + 1; low <= 2 * Math.max(readCountMax, SINGLE_COUNT_MAX); ) {
    const high = Math.ceil(low * LEVEL_RATIO);
    levels.push({ low, high, count: Math.sqrt(low * high) });
    low = high + 1;
  }
  return levels;
}

function makeBins(
  levels: readonly CountLevel[],
  tables: readonly TableReads[],
  target: ReuseHistogram,
): Bin[] {
  const totalReads = tables.reduce((sum, table) => sum + table.readCount, 0);
  const totalRows = totalReads / target.meanReuse;
  // From the bin of single reads up, so that each bin's levels follow the last one's.
  const above = [...target.bins].reverse();
  const shares = [
    { rowShare: 1 - above[0]!.rowShare, high: 1 },
    ...above.map((bin, b) => ({
      rowShare: bin.rowShare - (above[b + 1]?.rowShare ?? 0),
      readShare: bin.readShare - (above[b + 1]?.readShare ?? 0),
      high: above[b + 1]?.above ?? Number.POSITIVE_INFINITY,
    })),
  ];
  let low = 1;
  let readsLeft = totalReads;
  return shares.map(({ rowShare, high, ...rest }) => {
    const rows = totalRows * rowShare;
    const published = "readShare" in rest ? rest.readShare * totalReads : rows;
    // Published shares are rounded: a bin of counts 2 to 2 has twice as many reads as rows.
    const isTop = high === Number.POSITIVE_INFINITY;
    const reads = isTop ? readsLeft : clamp(published, rows * low, rows * high);
    readsLeft -= reads;
    const firstLevel = levels.findIndex((level) => level.low >= low);
    const levelCount = levels.filter((level) => level.low >= low && level.low <= high).length;
    low = high + 1;
    return { firstLevel, levelCount, reads, rows, totalReads, totalRows };
  });
}

/** One table's share of the fit. */
class TableFit {
  /** Reads by level, scaled to the table's. */
  readonly reads: Float64Array;
  readonly #table: TableReads;
  readonly #levels: readonly CountLevel[];
  /** What a level weighs in this table before any sum is asked for. */
  readonly #prior: Float64Array;
  readonly #weights: Float64Array;
  /** Multiplier of the bound on touched rows: the higher, the more reads go to high counts. */
  #pressure = 0;

  constructor(table: TableReads, levels: readonly CountLevel[]) {
    this.#table = table;
    this.#levels = levels;
    const { readCount, rowCount } = table;
    const hottest = Math.max(HOTTEST_ROW_SHARE * readCount, (4 * readCount) / rowCount);
    this.#prior = Float64Array.from(levels, ({ count, low }) => {
      const tail = low > SINGLE_COUNT_MAX ? (count / SINGLE_COUNT_MAX) ** -TOP_BIN_POWER : 1;
      return tail * Math.exp(-count / hottest);
    });
    this.#weights = new Float64Array(levels.length);
    this.reads = new Float64Array(levels.length);
  }

  /** Fits the table to its own sums under the bins' factors, and adds its reads to `levelSums`. */
  solve(columns: Float64Array, levelSums: Float64Array): void {
    for (let l = 0; l < columns.length; l++) this.#weights[l] = this.#prior[l]! * columns[l]!;
    if (this.#rowsAt(0) <= this.#table.rowCount) this.#pressure = 0;
    else this.#raisePressure();
    this.#rowsAt(this.#pressure);
    for (let l = 0; l < columns.length; l++) levelSums[l]! += this.reads[l]!;
  }

  /** Rows touched under a pressure; leaves the reads it was computed from in `reads`. */
  #rowsAt(pressure: number): number {
    const { reads } = this;
    let sum = 0;
    for (let l = 0; l < reads.length; l++) {
      const read = this.#weights[l]! * Math.exp(-pressure / this.#levels[l]!.count);
      reads[l] = read;
      sum += read;
    }
    const scale = this.#table.readCount / sum;
    let rows = 0;
    for (let l = 0; l < reads.length; l++) {
      reads[l]! *= scale;
      rows += reads[l]! / this.#levels[l]!.count;
    }
    return rows;
  }

  /** Finds by bisection the pressure under which the table's rows just suffice. */
  #raisePressure(): void {
    const limit = this.#table.rowCount;
    let low = 0;
    let high = Math.max(1, this.#pressure * 1.1);
    while (this.#rowsAt(high) > limit && high < 1e12) {
      low = high;
      high *= 2;
    }
    if (this.#pressure > low && this.#rowsAt(this.#pressure * 0.9) > limit) {
      low = this.#pressure * 0.9;
    }
    for (let step = 0; step < 40 && high - low > 1e-4 * high; step++) {
      const middle = (low + high) / 2;
      if (this.#rowsAt(middle) > limit) low = middle;
      else high = middle;
    }
    this.#pressure = high;
  }
}

/** Largest difference of a bin from its sums, as a share of all reads or rows. */
function binError(
  bins: readonly Bin[],
  levels: readonly CountLevel[],
  levelSums: Float64Array,
): number {
  let error = 0;
  for (const bin of bins) {
    let reads = 0;
    let rows = 0;
    for (let l = bin.firstLevel; l < bin.firstLevel + bin.levelCount; l++) {
      reads += levelSums[l]!;
      rows += levelSums[l]! / levels[l]!.count;
    }
    const readError = Math.abs(reads - bin.reads) / bin.totalReads;
    error = Math.max(error, readError, Math.abs(rows - bin.rows) / bin.totalRows);
  }
  return error;
}

/** Gives a bin's levels the factors under which its reads and rows are as wanted. */
function scaleBin(
  bin: Bin,
  levels: readonly CountLevel[],
  levelSums: Float64Array,
  columns: Float64Array,
): void {
  const end = bin.firstLevel + bin.levelCount;
  const lowest = levels[bin.firstLevel]!.count;
  const tilt = bin.levelCount === 1 ? 0 : findTilt(bin, levels, levelSums);
  let reads = 0;
  for (let l = bin.firstLevel; l < end; l++) {
    reads += levelSums[l]! * Math.exp(tilt * (1 / lowest - 1 / levels[l]!.count));
  }
  for (let l = bin.firstLevel; l < end; l++) {
    const factor = Math.exp(tilt * (1 / lowest - 1 / levels[l]!.count)) * (bin.reads / reads);
    columns[l] = clamp(columns[l]! * factor, FACTOR_MIN, 1 / FACTOR_MIN);
  }
}

/** The tilt towards high counts under which a bin's mean count is reads over rows. */
function findTilt(bin: Bin, levels: readonly CountLevel[], levelSums: Float64Array): number {
  const end = bin.firstLevel + bin.levelCount;
  const lowest = levels[bin.firstLevel]!.count;
  const wanted = bin.rows / bin.reads;
  let low = -TILT_MAX * lowest;
  let high = TILT_MAX * lowest;
  for (let step = 0; step < 60; step++) {
    const tilt = (low + high) / 2;
    let reads = 0;
    let rows = 0;
    for (let l = bin.firstLevel; l < end; l++) {
      const { count } = levels[l]!;
      const read = levelSums[l]! * Math.exp(tilt * (1 / lowest - 1 / count));
      reads += read;
      rows += read / count;
    }
    if (rows > wanted * reads) low = tilt;
    else high = tilt;
  }
  return (low + high) / 2;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
