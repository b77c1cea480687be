import { ShardpoolError } from "../../../lib/errors.js";

const WORD = /(?:[^\s"']+|"[^"]*"|'[^']*')+/g;

/**
 * Splits a line of flags into words as a shell does, quotes and all; nothing is expanded.
 *
 * @throws ShardpoolError CONFIG_INVALID for a quote that does not close.
 */
export function splitWords(line: string): string[] {
  const words = line.match(WORD) ?? [];
  if (line.replaceAll(WORD, "").trim() !== "") {
    throw new ShardpoolError("CONFIG_INVALID", `flags ${line}: a quote does not close`);
  }
  return words.map((word) => word.replaceAll(/"([^"]*)"|'([^']*)'/g, "$1$2"));
}
