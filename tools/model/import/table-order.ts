import { ShardpoolError } from "../../../lib/errors.js";
import type { StateDict } from "./state-dict.js";

/**
 * Tables in the order in which the interaction takes them, which the answers depend on: by number
 * where all names are one word and a number (`table_2`, `t_cat_10`), else as they were saved.
 *
 * @throws ShardpoolError MODEL_INVALID when the file keeps no order and the names tell none.
 */
export function inTableOrder<T extends { readonly name: string }>(
  tables: readonly T[],
  { what, isOrdered }: Pick<StateDict, "what" | "isOrdered">,
): T[] {
  const numbered = tables.map((table) => ({ table, match: /^(.*?)(\d+)$/.exec(table.name) }));
  const word = numbered[0]?.match?.[1];
  if (numbered.every(({ match }) => match !== null && match[1] === word)) {
    return numbered
      .toSorted((a, b) => Number(a.match![2]) - Number(b.match![2]))
      .map(({ table }) => table);
  }
  if (isOrdered || tables.length < 2) return [...tables];
  throw new ShardpoolError(
    "MODEL_INVALID",
    `${what} does not say in which order the model takes its tables ${tables.map(({ name }) => name).join(", ")}; ` +
      "name each feature in order with --feature NAME=TABLE",
  );
}
